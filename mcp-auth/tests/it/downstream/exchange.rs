//! What is asked of the authorization server, and what is made of its answer.

use dev_issuer::{DevClient, DevIssuer, Mode, TokenMode};
use mcp_auth::downstream::DownstreamError;
use mcp_auth::{McpAuth, Scopes};
use serde_json::json;

use super::{Calling, claims, config, issuer, reports};
use crate::support::RESOURCE;

#[tokio::test]
async fn a_caller_s_token_is_exchanged_for_one_for_the_api() {
    let calling = Calling::start().await;
    let alice = calling.caller("alice").await;
    let token = calling.token_for(&alice).await.unwrap();
    let said = claims(&token);
    assert_eq!((&said["sub"], &said["client_id"]), (&json!("alice"), &json!("tools")));
    assert_eq!(said["aud"], json!("reports"));
    assert!(said.get("act").is_none());
    assert_eq!(*token.scopes(), Scopes::parse("reports:read reports:write"));
    assert!(token.expires_at() > Some(0));
    assert_ne!(token.expose(), alice.dangerous_raw_token());
    let header = token.header_value();
    assert!(header.is_sensitive());
    assert_eq!(header.to_str().unwrap(), format!("Bearer {}", token.expose()));
    assert!(
        !format!("{token:?} {:?}", calling.auth.downstream("reports")).contains(token.expose())
    );
}

#[tokio::test]
async fn fewer_scopes_can_be_asked_for_and_never_more() {
    let calling = Calling::start().await;
    let alice = calling.caller("alice").await;
    let api = calling.auth.downstream("reports");
    let token = api.clone().with_scopes(["reports:read"]).token_for(&alice).await.unwrap();
    assert_eq!(claims(&token)["scope"], "reports:read");
    let asked = calling.asked();
    for wider in [vec!["reports:admin"], vec!["reports:read", "reports:admin"], vec![]] {
        let error = api.clone().with_scopes(&wider).token_for(&alice).await.unwrap_err();
        assert_eq!(error.code(), "downstream_wider_scopes", "{wider:?}");
    }
    assert_eq!(calling.asked(), asked);
    // The one with more is another one.
    let whole = api.token_for(&alice).await.unwrap();
    assert_ne!(whole.expose(), token.expose());
}

#[tokio::test]
async fn the_client_is_named_as_the_one_who_acts() {
    let calling = Calling::with(|api| api["actor_token"] = json!("client_credentials")).await;
    let alice = calling.caller("alice").await;
    let token = calling.token_for(&alice).await.unwrap();
    let said = claims(&token);
    assert_eq!((&said["sub"], &said["act"]["sub"]), (&json!("alice"), &json!("tools")));
    // A server that leaves out who acts gives a token that looks like the caller's own doing.
    let bob = calling.caller("bob").await;
    calling.answer_wrongly(TokenMode::SameToken);
    assert!(calling.token_for(&bob).await.is_err());
}

#[tokio::test]
async fn an_actor_s_token_is_read_from_its_file_each_time() {
    let file = std::env::temp_dir().join(format!("mcp-auth-actor-{}", std::process::id()));
    let calling = Calling::with(|api| api["actor_token"] = json!({ "file": file })).await;
    let alice = calling.caller("alice").await;
    let error = calling.token_for(&alice).await.unwrap_err();
    assert_eq!(error.code(), "downstream_refused");
    // What is no token is sent nowhere.
    for written in ["", "two tokens", "a\u{0}b", &"x".repeat(64 * 1024 + 1)] {
        std::fs::write(&file, written).unwrap();
        calling.clock.advance(1);
        let error = calling.token_for(&alice).await.unwrap_err();
        assert_eq!((error.code(), calling.asked()), ("downstream_refused", 0));
    }
    let actor = calling.mint("the-actor").audience("tools").sign();
    std::fs::write(&file, format!("{actor}\n")).unwrap();
    calling.clock.advance(1);
    let token = calling.token_for(&alice).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(claims(&token)["act"]["sub"], "the-actor");
}

#[tokio::test]
async fn a_tool_acts_as_itself() {
    let calling = Calling::with(|api| {
        api["grant"] = json!("client_credentials");
        api["resource"] = json!(["https://reports.example.com"]);
    })
    .await;
    let api = calling.auth.downstream("reports");
    let own = api.token().await.unwrap();
    let said = claims(&own);
    assert_eq!(
        (&said["sub"], &said["aud"]),
        (&json!("tools"), &json!("https://reports.example.com"))
    );
    let alice = calling.caller("alice").await;
    assert_eq!(api.token_for(&alice).await.unwrap().expose(), own.expose());
    assert_eq!(calling.asked(), 1);
    // One that the API does not accept is not used again.
    api.forget_own(&own);
    assert_ne!(api.token().await.unwrap().expose(), own.expose());
    let exchange = Calling::start().await;
    let error = exchange.auth.downstream("reports").token().await.unwrap_err();
    assert_eq!(error, DownstreamError::NeedsCaller);
}

#[tokio::test]
async fn it_is_asked_on_behalf_of_a_user_as_entra_id_has_it() {
    let calling = Calling::with(|api| {
        api["grant"] = json!("on_behalf_of");
        api["audience"] = json!([]);
        api["scopes"] = json!(["api://reports/.default"]);
    })
    .await;
    let alice = calling.caller("alice").await;
    let token = calling.token_for(&alice).await.unwrap();
    assert_eq!(calling.issuer.requests().on_behalf_of, 1);
    let said = claims(&token);
    assert_eq!((&said["sub"], &said["aud"]), (&json!("alice"), &json!("api://reports")));
}

/// An enterprise's issuer, and the authorization server of an API that takes its assertions.
async fn with_identity_assertions(target_client: &str) -> (Calling, DevIssuer) {
    let issuer = issuer().await;
    let of_api = DevIssuer::builder()
        .clients(["tools", "other"].map(|name| DevClient::new(name).secret("another secret")))
        .id_jag_issuers([issuer.issuer()])
        .start()
        .await
        .unwrap();
    let mut api = reports(issuer.issuer());
    api["grant"] = json!("id_jag");
    api["audience"] = json!([of_api.issuer()]);
    api["resource"] = json!(["https://reports.example.com"]);
    api["scopes"] = json!(["reports:read"]);
    api["target"] = json!({ "token_endpoint": format!("{}/token", of_api.issuer()),
        "client_id": target_client, "client_secret": "another secret" });
    let clock = crate::support::TestClock::new();
    let auth = McpAuth::builder(config(issuer.issuer(), api)).clock(clock.clone());
    (Calling { auth: auth.build().unwrap(), issuer, clock }, of_api)
}

#[tokio::test]
async fn an_identity_assertion_is_exchanged_at_the_api_s_own_server() {
    let (calling, of_api) = with_identity_assertions("tools").await;
    let alice = calling.caller("alice").await;
    let token = calling.token_for(&alice).await.unwrap();
    let said = claims(&token);
    assert_eq!((&said["sub"], &said["iss"]), (&json!("alice"), &json!(of_api.issuer())));
    assert_eq!(
        (&said["aud"], &said["scope"]),
        (&json!("https://reports.example.com"), &json!("reports:read"))
    );
    assert_eq!((calling.issuer.requests().id_jag, of_api.requests().jwt_bearer), (1, 1));
    assert_eq!(calling.token_for(&alice).await.unwrap().expose(), token.expose());
    // What the API's server refuses, a new sign-in would not change.
    let bob = calling.caller("bob").await;
    of_api.set_mode(Mode::Token(TokenMode::Error("invalid_grant")));
    assert_eq!(calling.token_for(&bob).await.unwrap_err().code(), "downstream_refused");
    let (other, of_other) = with_identity_assertions("other").await;
    let caller = other.caller("alice").await;
    // The assertion is for `tools`, and would be sent on as `other`: it is not.
    let error = other.token_for(&caller).await.unwrap_err();
    assert_eq!((error.code(), of_other.requests().token), ("downstream_unusable_answer", 0));
}

#[tokio::test]
async fn what_is_given_for_another_api_than_asked_is_not_used() {
    for (mode, code) in [
        (TokenMode::Html, "downstream_unusable_answer"),
        (TokenMode::OtherTokenType, "downstream_unusable_answer"),
        (TokenMode::OtherIssuedTokenType, "downstream_unusable_answer"),
        (TokenMode::WithoutIssuedTokenType, "downstream_unusable_answer"),
        (TokenMode::MoreScopes, "downstream_unusable_answer"),
        (TokenMode::SameToken, "downstream_unusable_answer"),
        (TokenMode::RepeatedMember, "downstream_unusable_answer"),
        (TokenMode::Status(204), "downstream_unusable_answer"),
        (TokenMode::Status(404), "downstream_unusable_answer"),
        (TokenMode::Redirect, "downstream_unavailable"),
        (TokenMode::Status(500), "downstream_unavailable"),
        (TokenMode::Status(503), "downstream_unavailable"),
        (TokenMode::Error("temporarily_unavailable"), "downstream_unavailable"),
        (TokenMode::Error("invalid_client"), "downstream_refused"),
        (TokenMode::Error("invalid_target"), "downstream_refused"),
        (TokenMode::Error("invalid_scope"), "downstream_refused"),
        (TokenMode::Error("invalid_grant"), "downstream_sign_in_again"),
        (TokenMode::InteractionRequired, "downstream_step_up"),
        (TokenMode::ConsentRequired, "downstream_consent_required"),
    ] {
        let calling = Calling::start().await;
        let alice = calling.caller("alice").await;
        calling.answer_wrongly(mode);
        let error = calling.token_for(&alice).await.unwrap_err();
        assert_eq!(error.code(), code, "{mode:?}");
        let shown = format!("{error} {error:?} {}", error.json());
        assert!(!shown.contains(alice.dangerous_raw_token()), "{mode:?}");
        let json = error.json();
        assert_eq!((&json["code"], &json["kind"]), (&json!(code), &json!("downstream")));
        assert_eq!(json["status"], error.status().as_u16());
    }
}

#[tokio::test]
async fn the_resource_of_the_server_is_not_the_audience_of_the_api() {
    // What the caller's token is for, nobody gets by accident.
    let calling = Calling::start().await;
    let alice = calling.caller("alice").await;
    let token = calling.token_for(&alice).await.unwrap();
    assert_ne!(claims(&token)["aud"], json!(RESOURCE));
    assert!(calling.auth.authenticate(token.expose()).await.is_err());
}
