//! A provider made with Go's zitadel/oidc: `xtask/providers/zitadel-oidc/`.

use std::time::Duration;

use mcp_auth::Introspection;
use mcp_auth::settings::ClientAuthMethod;
use rcgen::KeyPair;
use serde_json::json;

use super::flow::{ACCESS_TOKEN, Http, Issuer, claims, header, text};
use super::{Server, provider_url};
use crate::support::RESOURCE;

const REPORTS: &str = "https://reports.example.com";
const ALICE: &[(&str, &str)] = &[("username", "alice")];
const MCP: &[(&str, &str)] = &[("scope", "mcp")];
const OPENID_MCP: &[(&str, &str)] = &[("scope", "openid mcp")];

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-zitadel-oidc"]
async fn a_token_is_accepted_for_the_resource_alone() {
    let issuer = issuer().await;
    let server = Server::trusting(&issuer.issuer);
    let token = issuer.client_credentials("machine", MCP).await;
    let answer = server.call(&token).await;
    assert_eq!(answer.code(), "ok", "{:?}", answer.error);
    assert_eq!(answer.json()["client_id"], "machine");
    assert_eq!(answer.json()["audience"], json!(["machine", RESOURCE]));
    let elsewhere = issuer.client_credentials("machine", &[]).await;
    assert_eq!(server.code(&elsewhere).await, "wrong_audience");
    server.clock.advance(600 + 60);
    assert_eq!(server.code(&token).await, "expired");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-zitadel-oidc"]
async fn a_person_signs_in_and_the_id_token_for_the_same_audience_is_refused() {
    let issuer = issuer().await;
    let server = Server::trusting(&issuer.issuer);
    let tokens = issuer.sign_in("app", OPENID_MCP, &[], ALICE).await;
    let answer = server.call(&text(&tokens["access_token"])).await;
    assert_eq!(answer.code(), "ok", "{:?}", answer.error);
    assert_eq!(answer.json()["subject"], "alice");
    let id_token = text(&tokens["id_token"]);
    assert_eq!(claims(&id_token)["aud"], json!(["app", RESOURCE]));
    // Its `client_id` looks like that of an access token.
    assert_eq!(server.code(&id_token).await, "wrong_type");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-zitadel-oidc"]
async fn an_opaque_token_is_introspected_until_it_is_revoked() {
    let issuer = issuer().await;
    let server = Server::asking(&issuer.issuer, introspection());
    let machine = issuer.client_credentials("machine-opaque", MCP).await;
    assert_eq!(machine.split('.').count(), 5, "a JWE, that its issuer alone can read");
    assert_eq!(server.call(&machine).await.json()["client_id"], "machine-opaque");
    let elsewhere = issuer.client_credentials("machine-opaque", &[]).await;
    assert_eq!(server.code(&elsewhere).await, "wrong_audience");

    let tokens = issuer.sign_in("app-opaque", MCP, &[], ALICE).await;
    let token = text(&tokens["access_token"]);
    assert_eq!(server.call(&token).await.json()["subject"], "alice");
    let revocation = [("client_id", "app-opaque"), ("token", &token)];
    Http::new().post_form(issuer.endpoint("revocation_endpoint"), &revocation).await;
    assert_eq!(server.code(&token).await, "inactive");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-zitadel-oidc"]
async fn a_callers_token_is_exchanged_for_another_api_with_and_without_an_actor() {
    let issuer = issuer().await;
    let token = text(&issuer.sign_in("app", MCP, &[], ALICE).await["access_token"]);
    let actor = issuer.client_credentials("tools", &[]).await;
    let more = [("audience", REPORTS), ("scope", "reports")];
    let answer = issuer.exchange("tools", &token, &more).await.json();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    assert_eq!((&answer["scope"], &answer["expires_in"]), (&json!("reports"), &json!(599)));
    let exchanged = claims(&text(&answer["access_token"]));
    assert_eq!((&exchanged["sub"], &exchanged["aud"]), (&json!("alice"), &json!([REPORTS])));
    assert!(exchanged.get("act").is_none());

    let with_actor = [("actor_token", &*actor), ("actor_token_type", ACCESS_TOKEN)];
    let answer = issuer.exchange("tools", &token, &[&more, &with_actor[..]].concat()).await.json();
    let delegated = claims(&text(&answer["access_token"]));
    assert_eq!(
        (&delegated["sub"], &delegated["act"]),
        (&json!("alice"), &json!({ "sub": "tools" }))
    );

    let fields = json!({
        "audience": [REPORTS], "client_id": "tools", "client_secret": "tools-secret", "actor_token": "client_credentials",
    });
    let auth = Server::before_reports(&issuer.issuer, fields);
    let caller = auth.authenticate(&token).await.unwrap();
    let given = auth.downstream("reports").token_for(&caller).await.unwrap();
    assert_eq!(claims(given.expose())["act"], json!({ "sub": "tools" }));

    let forged = format!("{actor}x");
    for (client, token, more, expected) in [
        ("tools", &token, vec![("audience", REPORTS), ("scope", "mcp")], "invalid_scope"),
        ("tools", &token, vec![("audience", "https://else.example")], "invalid_target"),
        ("tools", &token, vec![("resource", "https://else.example")], "invalid_target"),
        ("tools", &forged, more.to_vec(), "invalid_request"),
        ("tools", &actor, more.to_vec(), "invalid_request"),
        ("machine", &token, more.to_vec(), "unauthorized_client"),
    ] {
        let (error, description) = issuer.exchange(client, token, &more).await.oauth_error();
        assert_eq!(error, expected, "{client} {more:?}: {description}");
    }
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-zitadel-oidc"]
async fn a_key_proves_who_asks_about_tokens() {
    let issuer = issuer().await;
    let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let url = format!("{}/test/key", issuer.issuer);
    assert!(Http::new().post_text(&url, key.public_key_pem()).await.status.is_success());
    let file = std::env::temp_dir().join(format!("mcp-auth-{}.pem", std::process::id()));
    std::fs::write(&file, key.serialize_pem()).unwrap();
    let mut introspection = introspection();
    introspection.client_id = "resource-server-key".to_owned();
    introspection.client_secret = None;
    introspection.auth_method = ClientAuthMethod::PrivateKeyJwt;
    introspection.private_key_file = Some(file.clone());
    introspection.private_key_id = Some("key-1".to_owned());
    let server = Server::asking(&issuer.issuer, introspection);
    std::fs::remove_file(file).unwrap();
    let token = issuer.client_credentials("machine-opaque", MCP).await;
    assert_eq!(server.code(&token).await, "ok");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-zitadel-oidc"]
async fn a_rotation_is_followed_at_once() {
    let issuer = issuer().await;
    let server = Server::trusting(&issuer.issuer);
    let before = issuer.client_credentials("machine", MCP).await;
    assert_eq!(server.code(&before).await, "ok");
    let url = format!("{}/test/rotate", issuer.issuer);
    assert!(Http::new().post_form(&url, &[]).await.status.is_success());
    let after = issuer.client_credentials("machine", MCP).await;
    assert_ne!(header(&before)["kid"], header(&after)["kid"]);
    assert_eq!(server.code(&after).await, "ok");
    assert_eq!(server.code(&before).await, "ok");
}

fn introspection() -> Introspection {
    let mut introspection = Introspection::new("resource-server", "resource-server-secret");
    introspection.cache_max_age = Duration::ZERO;
    introspection
}

async fn issuer() -> Issuer {
    Issuer::discover(provider_url()).await
}
