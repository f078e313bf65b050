//! node-oidc-provider, as `xtask/providers/oidc-provider/main.mjs` starts it.

use std::time::Duration;

use mcp_auth::Introspection;
use reqwest::StatusCode;
use serde_json::json;

use super::flow::{ACCESS_TOKEN, Http, Issuer, claims, header, text};
use super::{Server, provider_url};
use crate::support::RESOURCE;

const ALICE: &[(&str, &str)] = &[("login", "alice"), ("password", "any")];
const FOR_US: &[(&str, &str)] = &[("scope", "mcp"), ("resource", RESOURCE)];

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-oidc-provider"]
async fn tokens_of_every_algorithm_are_accepted_for_the_resource_alone() {
    let issuer = issuer().await;
    let server = Server::trusting(&issuer.issuer);
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"] {
        let client = format!("machine-{}", algorithm.to_lowercase());
        let token = issuer.client_credentials(&client, FOR_US).await;
        assert_eq!(header(&token)["alg"], algorithm);
        let answer = server.call(&token).await;
        assert_eq!(answer.code(), "ok", "{algorithm}: {:?}", answer.error);
        assert_eq!(answer.json()["client_id"], client);
        assert_eq!(answer.json()["audience"], json!([RESOURCE]));
    }
    let elsewhere = [("scope", "mcp"), ("resource", "https://other.example.com/mcp")];
    let elsewhere = issuer.client_credentials("machine-es256", &elsewhere).await;
    assert_eq!(server.code(&elsewhere).await, "wrong_audience");
    let without_scope = [("resource", RESOURCE)];
    let without_scope = issuer.client_credentials("machine-es256", &without_scope).await;
    assert_eq!(server.code(&without_scope).await, "insufficient_scope");
    let short = issuer.client_credentials("machine-short", FOR_US).await;
    assert_eq!(server.code(&short).await, "ok", "within the tolerance");
    server.clock.advance(62);
    assert_eq!(server.code(&short).await, "expired");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-oidc-provider"]
async fn a_client_registers_and_a_person_signs_in() {
    let issuer = issuer().await;
    let server = Server::trusting(&issuer.issuer);
    let client = issuer.register(None, "openid offline_access mcp").await;
    let request =
        [("scope", "openid offline_access mcp"), ("prompt", "consent"), ("resource", RESOURCE)];
    let tokens = issuer.sign_in(&client, &request, &[("resource", RESOURCE)], ALICE).await;
    let answer = server.call(&text(&tokens["access_token"])).await;
    assert_eq!(answer.code(), "ok", "{:?}", answer.error);
    let seen = answer.json();
    assert_eq!((&seen["subject"], &seen["client_id"]), (&json!("alice"), &json!(client)));
    assert_eq!(server.code(&text(&tokens["id_token"])).await, "wrong_audience");
    let refresh_token = text(&tokens["refresh_token"]);
    assert_eq!(server.code(&refresh_token).await, "malformed", "it is opaque");

    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", &client),
        ("refresh_token", &refresh_token),
    ];
    let tokens = issuer.token(&refresh).await;
    assert_eq!(server.code(&text(&tokens["access_token"])).await, "ok");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-oidc-provider"]
async fn an_opaque_token_is_introspected_until_it_is_revoked() {
    let issuer = issuer().await;
    for signed_response in [false, true] {
        let server = Server::asking(&issuer.issuer, introspection(signed_response));
        let machine = issuer.client_credentials("machine-opaque", FOR_US).await;
        let answer = server.call(&machine).await;
        assert_eq!(answer.code(), "ok", "{:?}", answer.error);
        assert_eq!(answer.json()["client_id"], "machine-opaque");
        let elsewhere = [("scope", "mcp"), ("resource", "https://other.example.com/mcp")];
        let elsewhere = issuer.client_credentials("machine-opaque", &elsewhere).await;
        assert_eq!(server.code(&elsewhere).await, "wrong_audience");

        let tokens = issuer.sign_in("app-opaque", FOR_US, &[], ALICE).await;
        let token = text(&tokens["access_token"]);
        assert_eq!(server.call(&token).await.json()["subject"], "alice");
        let revocation = [("client_id", "app-opaque"), ("token", &token)];
        let url = issuer.endpoint("revocation_endpoint");
        assert_eq!(Http::new().post_form(url, &revocation).await.status, StatusCode::OK);
        assert_eq!(server.code(&token).await, "inactive");
        assert_eq!(server.code("nobody-knows-this-token").await, "inactive");
    }
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-oidc-provider"]
async fn an_opaque_token_of_a_caller_is_exchanged_for_another_api() {
    let issuer = issuer().await;
    let token = text(&issuer.sign_in("app-opaque", FOR_US, &[], ALICE).await["access_token"]);
    let more = [("audience", "https://reports.example.com"), ("scope", "reports")];
    let answer = issuer.exchange("tools", &token, &more).await.json();
    assert_eq!((&answer["token_type"], &answer["scope"]), (&json!("Bearer"), &json!("reports")));
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    let exchanged = claims(&text(&answer["access_token"]));
    assert_eq!(exchanged["sub"], "alice");
    assert_eq!(exchanged["aud"], "https://reports.example.com");
    assert_eq!(exchanged["client_id"], "tools");

    for (token, more, expected) in [
        (&*token, vec![("audience", "https://else.example"), more[1]], "invalid_target"),
        (&*token, vec![more[0], ("scope", "mcp")], "invalid_scope"),
        ("nobody-knows-this-token", more.to_vec(), "invalid_request"),
    ] {
        let (error, description) = issuer.exchange("tools", token, &more).await.oauth_error();
        assert_eq!(error, expected, "{more:?}: {description}");
    }
    let revocation = [("client_id", "app-opaque"), ("token", &*token)];
    let url = issuer.endpoint("revocation_endpoint");
    assert_eq!(Http::new().post_form(url, &revocation).await.status, StatusCode::OK);
    let (error, _) = issuer.exchange("tools", &token, &more).await.oauth_error();
    assert_eq!(error, "invalid_request", "it is revoked");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-oidc-provider"]
async fn a_resource_server_that_is_not_known_there_cannot_tell() {
    let issuer = issuer().await;
    let token = issuer.client_credentials("machine-opaque", FOR_US).await;
    let mut wrong = introspection(false);
    wrong.client_secret = Some("another".into());
    let server = Server::asking(&issuer.issuer, wrong);
    assert_eq!(server.code(&token).await, "unavailable");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-oidc-provider"]
async fn a_rotation_is_followed_at_once() {
    let issuer = another_issuer().await;
    let mint = || issuer.client_credentials("machine-es256", FOR_US);
    let rotate = async |query| {
        let url = format!("{}/test/rotate{query}", issuer.issuer);
        assert_eq!(Http::new().post_form(&url, &[]).await.status, StatusCode::NO_CONTENT);
    };
    let server = Server::trusting(&issuer.issuer);
    let first = mint().await;
    assert_eq!(server.code(&first).await, "ok");
    rotate("").await;
    let second = mint().await;
    assert_ne!(header(&first)["kid"], header(&second)["kid"]);
    assert_eq!(server.code(&second).await, "ok", "the new key is fetched");
    assert_eq!(server.code(&first).await, "ok", "the old key is still published");
    rotate("?forget").await;
    assert_eq!(server.code(&mint().await).await, "ok");
    assert_eq!(server.code(&first).await, "unknown_key", "the old keys are gone");
    let elsewhere = Server::trusting(&self::issuer().await.issuer);
    assert_eq!(elsewhere.code(&second).await, "unknown_issuer");
}

fn introspection(signed_response: bool) -> Introspection {
    let mut introspection = Introspection::new("resource-server", "resource-server-secret");
    introspection.auth_method = mcp_auth::settings::ClientAuthMethod::ClientSecretPost;
    introspection.signed_response = signed_response;
    introspection.cache_max_age = Duration::ZERO;
    introspection
}

async fn issuer() -> Issuer {
    Issuer::discover(provider_url()).await
}

/// One that no other test uses.
async fn another_issuer() -> Issuer {
    let answer = Http::new().post_form(&format!("{}/test/issuer", provider_url()), &[]).await;
    Issuer::discover(text(&answer.json()["issuer"])).await
}
