//! What others have in the place of RFC 7662.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dev_issuer::{DevIssuer, Mode};
use mcp_auth::presets::Provider;
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::json;

use crate::support::log::Log;
use crate::support::scripted::{JSON, Scripted};
use crate::support::{Answer, Harness, RESOURCE, TestClock, echo, request, send};

/// Calls a server that trusts this issuer alone.
async fn call(server: &AuthorizationServer, token: &str) -> Answer {
    let resource = ProtectedResource::new(RESOURCE, [server.clone()]);
    let config = Config::default().protect_resource(resource);
    let auth = McpAuth::builder(config).clock(TestClock::new()).build().unwrap();
    let headers = [("authorization", &*format!("Bearer {token}"))];
    send(auth.protect(echo()), request("POST", "/mcp", &headers)).await
}

fn asking(mut server: AuthorizationServer, endpoint: &Scripted) -> AuthorizationServer {
    if let Some(introspection) = &mut server.introspection {
        introspection.endpoint = Some(endpoint.url.clone());
    }
    server
}

#[tokio::test]
async fn google_says_whose_token_it_is() {
    let answer = |client: &str, exp: &str| {
        json!({ "azp": client, "aud": client, "sub": "1", "scope": "openid email",
            "exp": exp, "expires_in": "3599", "email": "a@example.com", "email_verified": "true" })
    };
    let endpoint = Scripted::start(answer("ours.apps", "4000000000")).await;
    let server = asking(Provider::google("ours.apps"), &endpoint);
    let good = call(&server, "ya29.a0.token").await;
    assert_eq!(good.code(), "ok");
    let seen = good.json();
    assert_eq!(seen["issuer"], "https://accounts.google.com");
    assert_eq!(seen["subject"], "1");
    assert_eq!(seen["scopes"], json!(["openid", "email"]));
    let asked = endpoint.last();
    assert_eq!(asked.parts.uri.query(), None, "the token is not in the URL");
    assert_eq!(asked.form("access_token").unwrap(), "ya29.a0.token");

    endpoint.says(200, JSON, answer("others.apps", "4000000000"));
    assert_eq!(call(&server, "ya29.a").await.code(), "wrong_audience");
    endpoint.says(200, JSON, answer("ours.apps", "1000000000"));
    assert_eq!(call(&server, "ya29.b").await.code(), "expired");
    endpoint.says(400, JSON, json!({ "error": "invalid_token" }));
    assert_eq!(call(&server, "ya29.c").await.code(), "inactive");
    endpoint.says(500, JSON, "");
    assert_eq!(call(&server, "ya29.d").await.code(), "unavailable");
}

#[tokio::test]
async fn github_checks_tokens_of_its_application() {
    let answer = |app: &str| {
        json!({ "token": "gho_x", "hashed_token": "h", "scopes": ["repo", "read:user"],
            "app": { "client_id": app, "name": "n" }, "user": { "id": 583231, "login": "octocat" } })
    };
    let endpoint = Scripted::start(answer("Iv1.a")).await;
    let server = asking(Provider::github("Iv1.a", "app-secret"), &endpoint);
    let good = call(&server, "gho_x").await;
    assert_eq!(good.code(), "ok");
    let seen = good.json();
    assert_eq!(seen["subject"], "583231");
    assert_eq!(seen["scopes"], json!(["repo", "read:user"]));
    assert!(!seen.to_string().contains("gho_x"), "the token is not among the claims");
    let asked = endpoint.last();
    assert_eq!(asked.body, r#"{"access_token":"gho_x"}"#);
    let expected = STANDARD.encode("Iv1.a:app-secret");
    assert_eq!(asked.header("authorization"), format!("Basic {expected}"));

    endpoint.says(200, JSON, answer("Iv1.other"));
    assert_eq!(call(&server, "gho_y").await.code(), "unavailable");
    endpoint.says(404, JSON, json!({ "message": "Not Found" }));
    assert_eq!(call(&server, "ghu_z").await.code(), "inactive");
    endpoint.says(401, JSON, json!({ "message": "Bad credentials" }));
    assert_eq!(call(&server, "gho_z").await.code(), "unavailable");
    endpoint.says(422, JSON, json!({ "message": "Validation Failed, or spammed" }));
    assert_eq!(call(&server, "gho_w").await.code(), "unavailable", "it may be good");
    let asked = endpoint.count();
    for other in ["ghp_personal", "anything"] {
        assert_eq!(call(&server, other).await.code(), "malformed");
    }
    assert_eq!(endpoint.count(), asked, "tokens of other kinds are not sent there");
}

#[tokio::test]
async fn userinfo_lets_in_who_can_read_it_and_says_so_at_start_up() {
    Log::start();
    let issuer = DevIssuer::start().await.unwrap();
    let server = Harness::around(issuer, |mut config| {
        let method = json!({ "method": "dangerous_userinfo" });
        config.resources[0].authorization_servers[0].introspection =
            Some(serde_json::from_value(method).unwrap());
        config
    });
    assert!(Log::take().contains("`dangerous_userinfo` is set"));
    // For another server, and accepted all the same: that is what is weak about it.
    let foreign = server.mint().audience("https://other.example").scope("openid email").opaque();
    let answer = server.call(&foreign).await;
    assert_eq!(answer.code(), "ok");
    assert_eq!(answer.json()["subject"], "alice");
    assert_eq!(answer.json()["scopes"], json!([]), "nobody says which scopes it has");
    assert_eq!(server.call("no-such-token").await.code(), "inactive");
    let without_openid = server.mint().opaque();
    assert_eq!(server.call(&without_openid).await.code(), "inactive");
    server.issuer.set_mode(Mode::Status(502));
    assert_eq!(server.call("another").await.code(), "unavailable");
    let endpoint = Scripted::start(json!({ "name": "no sub" })).await;
    let mut server = AuthorizationServer::new("https://as.example");
    let introspection = json!({ "method": "dangerous_userinfo", "endpoint": endpoint.url });
    server.introspection = Some(serde_json::from_value(introspection).unwrap());
    assert_eq!(call(&server, "x").await.code(), "unavailable");
    endpoint.says(403, JSON, "");
    assert_eq!(call(&server, "w").await.code(), "unavailable", "a firewall's");
    endpoint.says(200, JSON, json!({ "sub": "a", "aud": "x", "scope": "admin" }));
    let answer = call(&server, "y").await;
    assert_eq!((answer.code(), &answer.json()["scopes"]), ("ok", &json!([])));
}
