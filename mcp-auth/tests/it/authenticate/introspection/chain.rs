//! The first verifier that a token is for decides, and nobody after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, Request};
use dev_issuer::DevIssuer;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mcp_auth::errors::{TokenError, Unavailable};
use mcp_auth::{
    AuthError, AuthInfo, AuthorizationServer, Config, Introspection, McpAuth, ProtectedResource,
    TokenVerifier,
};
use serde_json::{Value, json};

use crate::support::{Answer, RESOURCE, TestClock, echo, request, send};

fn trusting(servers: impl IntoIterator<Item = AuthorizationServer>) -> Config {
    Config::default().protect_resource(ProtectedResource::new(RESOURCE, servers))
}

async fn call(app: &Router, headers: &[(&str, &str)]) -> Answer {
    send(app.clone(), request("POST", "/mcp", headers)).await
}

async fn call_with(app: &Router, token: &str) -> Answer {
    call(app, &[("authorization", &format!("Bearer {token}"))]).await
}

fn mint(issuer: &DevIssuer) -> dev_issuer::Mint {
    issuer.mint().audience(RESOURCE).scope("mcp")
}

#[tokio::test]
async fn opaque_tokens_go_where_their_prefix_says() {
    let [one, two] = [DevIssuer::start().await.unwrap(), DevIssuer::start().await.unwrap()];
    let server = |issuer: &DevIssuer, prefixes: &[&str]| {
        let mut server = AuthorizationServer::new(issuer.issuer());
        let mut introspection = Introspection::new("dev", "dev");
        introspection.token_prefixes = prefixes.iter().map(|one| (*one).to_owned()).collect();
        server.introspection = Some(introspection);
        server
    };
    let both = |last: &[&str]| trusting([server(&one, &["one_", "eins_"]), server(&two, last)]);
    let app = McpAuth::new(both(&["opaque_"])).unwrap().protect(echo());
    let asked = || (one.requests().introspect, two.requests().introspect);

    assert_eq!(call_with(&app, &mint(&two).opaque()).await.code(), "ok");
    assert_eq!(call_with(&app, "eins_x").await.code(), "inactive");
    assert_eq!(asked(), (1, 1));
    // A token of the first, with the prefix of the second: nobody else is asked.
    assert_eq!(call_with(&app, &mint(&one).opaque()).await.code(), "inactive");
    assert_eq!(asked(), (1, 2));
    for nobodys in ["drei_x", "One_x", "a.b.c", "ey"] {
        assert_eq!(call_with(&app, nobodys).await.code(), "malformed", "{nobodys}");
    }
    assert_eq!(call_with(&app, "drei x").await.code(), "invalid_request");
    assert_eq!(call_with(&app, &"opaque_".repeat(4000)).await.code(), "malformed");
    // JWTs, also bad ones, are never asked about.
    for jwt in [mint(&two).sign(), mint(&one).sign()] {
        assert_eq!(call_with(&app, &jwt).await.code(), "ok");
    }
    let foreign = mint(&one).issuer("https://other.example").sign();
    assert_eq!(call_with(&app, &foreign).await.code(), "unknown_issuer");
    let encrypted = call_with(&app, "eyJhbGciOiJkaXIifQ.a.b.c.d").await;
    assert_eq!(encrypted.code(), "malformed");
    assert!(encrypted.error.unwrap().to_string().contains("encrypted (JWE)"));
    assert_eq!(asked(), (1, 2));

    // Nor is one with white space, a byte order mark or NUL before its header's object.
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let any_prefix = McpAuth::new(trusting([server(&two, &[])])).unwrap().protect(echo());
    for before in [" ", "\n", "\r\n\t  ", "\u{feff}", "\0"] {
        let header = URL_SAFE_NO_PAD.encode(format!("{before}{{\"alg\":\"RS256\"}}"));
        let payload = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://elsewhere.example"}"#);
        let code = call_with(&any_prefix, &format!("{header}.{payload}.AAAA")).await.code();
        assert!(["unknown_issuer", "malformed"].contains(&code), "{before:?}: {code}");
    }
    assert_eq!(asked(), (1, 2));

    let fault = McpAuth::new(trusting([server(&one, &[]), server(&two, &["a"])])).unwrap_err();
    assert!(fault.to_string().contains("token_prefixes: must not be empty"), "{fault}");
    assert!(McpAuth::new(both(&[])).is_ok());
}

#[tokio::test]
async fn tokens_in_a_header_of_their_own_are_accepted_there_alone() {
    let [edge, direct] = [DevIssuer::start().await.unwrap(), DevIssuer::start().await.unwrap()];
    let mut server = AuthorizationServer::new(edge.issuer());
    server.token_header = Some("Cf-Access-Jwt-Assertion".to_owned());
    let config = trusting([server, AuthorizationServer::new(direct.issuer())]);
    let auth = McpAuth::builder(config).clock(TestClock::new()).build().unwrap();
    let seen = |parts: Request<axum::body::Body>| async move {
        let names = ["authorization", "cf-access-jwt-assertion"];
        let held = names.iter().any(|name| parts.headers().contains_key(*name));
        axum::Json(json!({ "handed on": held }))
    };
    let app = auth.protect(axum::routing::post(seen));
    let (assertion, bearer) = (mint(&edge).sign(), mint(&direct).sign());
    let in_header = |token: &str| ("cf-access-jwt-assertion", token.to_owned());
    let as_bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let rows = [
        (vec![in_header(&assertion)], "ok"),
        (vec![as_bearer(&bearer)], "ok"),
        // What the edge puts beside it is not for us.
        (vec![in_header(&assertion), as_bearer("whatever the client sent")], "ok"),
        (vec![as_bearer(&assertion)], "unknown_issuer"),
        (vec![in_header(&bearer)], "unknown_issuer"),
        // No way around a bad one.
        (vec![in_header("garbage"), as_bearer(&bearer)], "malformed"),
        (vec![in_header(""), as_bearer(&bearer)], "missing_token"),
        (vec![in_header("  "), as_bearer(&bearer)], "missing_token"),
        (vec![in_header("")], "missing_token"),
        (vec![as_bearer("")], "missing_token"),
        (vec![in_header(&assertion), in_header(&assertion)], "invalid_request"),
        (vec![], "missing_token"),
    ];
    // Twice: a token that was seen is not accepted elsewhere either.
    for (headers, expected) in rows.iter().chain(&rows) {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
        let answer = call(&app, &headers).await;
        assert_eq!(answer.code(), *expected, "{headers:?}");
        if answer.code() == "ok" {
            assert_eq!(answer.json()["handed on"], false);
        }
    }
}

/// API keys: `key_<subject>`.
struct ApiKeys {
    asked: Arc<AtomicUsize>,
    header: Option<HeaderName>,
}

impl TokenVerifier for ApiKeys {
    fn is_for(&self, token: &str) -> bool {
        token.starts_with("key_")
    }

    fn verify<'t>(&'t self, token: &'t str) -> BoxFuture<'t, Result<AuthInfo, AuthError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(token != "key_panics_at_once", "in a verifier of the user's");
        async move {
            match token.trim_start_matches("key_") {
                "unknown" => Err(TokenError::Inactive.into()),
                "panics" => panic!("in a verifier of the user's"),
                "hangs" => std::future::pending().await,
                "down" => Err(AuthError::Unavailable(Unavailable::new("our keys", "down", 7))),
                subject => {
                    let claims = json!({ "iss": "keys", "sub": subject, "scope": "mcp" });
                    let Value::Object(claims) = claims else { unreachable!() };
                    Ok(AuthInfo::from_verified_claims(claims)?)
                }
            }
        }
        .boxed()
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn token_header(&self) -> Option<HeaderName> {
        self.header.clone()
    }
}

#[tokio::test]
async fn a_verifier_of_ones_own_decides_about_its_tokens() {
    let issuer = DevIssuer::start().await.unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let protect = |header: Option<HeaderName>| {
        let mut server = AuthorizationServer::new(issuer.issuer());
        server.introspection = Some(Introspection::new("dev", "dev"));
        let config = trusting([server]).with_required_scopes(["mcp"]);
        let keys = ApiKeys { asked: asked.clone(), header };
        McpAuth::builder(config).token_verifier(keys).build().unwrap().protect(echo())
    };
    let app = protect(None);
    let answer = call_with(&app, "key_robot").await;
    assert_eq!(answer.code(), "ok");
    assert_eq!(answer.json()["subject"], "robot");
    assert_eq!(call_with(&app, "key_unknown").await.code(), "inactive");
    let down = call_with(&app, "key_down").await;
    assert_eq!((down.status.as_u16(), down.header("retry-after")), (503, Some("7")));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!(issuer.requests().introspect, 0, "nobody after it is asked");
    assert_eq!(call_with(&app, &mint(&issuer).opaque()).await.code(), "ok");
    assert_eq!(call_with(&app, &mint(&issuer).sign()).await.code(), "ok");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    for token in ["key_panics", "key_panics_at_once", "key_hangs"] {
        assert_eq!(call_with(&app, token).await.status.as_u16(), 503, "{token}");
    }

    let app = protect(Some(HeaderName::from_static("x-api-key")));
    assert_eq!(call(&app, &[("x-api-key", "key_robot")]).await.code(), "ok");
    assert_eq!(call_with(&app, "key_robot").await.code(), "inactive", "its issuer was asked");
}
