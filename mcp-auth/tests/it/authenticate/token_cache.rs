//! A token that was accepted before: believed for as long as it would be accepted anew.

use dev_issuer::{Broken, DevIssuer};
use mcp_auth::{Config, McpAuth, ProtectedResource};

use crate::support::{Harness, RESOURCE, TestClock, echo, request, send};

#[tokio::test]
async fn a_seen_token_expires_on_time() {
    let server = Harness::start().await;
    let token = server.mint().expires_in(100).sign();
    for _ in 0..2 {
        assert_eq!(server.call(&token).await.code(), "ok");
    }
    server.clock.advance(100 + 59);
    assert_eq!(server.call(&token).await.code(), "ok", "within the tolerance");
    server.clock.advance(1);
    assert_eq!(server.call(&token).await.code(), "expired");
}

/// Whoever sets the clock back makes nothing good for longer without looking again.
#[tokio::test]
async fn a_clock_that_is_set_back_makes_keys_and_tokens_no_younger() {
    let server = Harness::start().await;
    let token = server.mint().claim("iat", 0).expires_in(1_000_000).sign();
    for _ in 0..2 {
        assert_eq!(server.call(&token).await.code(), "ok");
    }
    server.issuer.rotate_keys_and_drop_old();
    server.clock.set_back(30 * 24 * 3600);
    assert_ne!(server.call(&token).await.code(), "ok", "keys of another time are none");
}

#[tokio::test]
async fn a_seen_token_ends_with_its_key() {
    let server = Harness::start().await;
    let token = server.mint().sign();
    for _ in 0..2 {
        assert_eq!(server.call(&token).await.code(), "ok");
    }
    server.issuer.rotate_keys_and_drop_old();
    assert_eq!(server.call(&server.mint().sign()).await.code(), "ok", "which fetches the new keys");
    assert_eq!(server.call(&token).await.code(), "unknown_key");
}

/// What a header says is remembered by its text, and nothing is taken from it that is not checked for each token.
#[tokio::test]
async fn a_header_that_was_accepted_before_opens_nothing() {
    let server = Harness::start().await;
    let accepted = server.mint().sign();
    assert_eq!(server.call(&accepted).await.code(), "ok");
    let (header, _) = accepted.split_once('.').unwrap();
    for broken in [Broken::Signature, Broken::Payload, Broken::ForeignKey] {
        let token = server.mint().broken(broken).sign();
        assert!(token.starts_with(&format!("{header}.")), "it has the same header");
        assert_ne!(server.call(&token).await.code(), "ok");
    }
    let rows = [("kid", "other"), ("typ", "id+jwt"), ("alg", "none")];
    for (name, value) in rows {
        assert_ne!(server.call(&server.mint().header(name, value).sign()).await.code(), "ok");
    }
    server.issuer.rotate_keys_and_drop_old();
    assert_eq!(server.call(&server.mint().sign()).await.code(), "ok", "which fetches the new keys");
    let new_token = server.mint().sign();
    let (_, claims_and_signature) = new_token.split_once('.').unwrap();
    let with_old_header = format!("{header}.{claims_and_signature}");
    assert_eq!(server.call(&with_old_header).await.code(), "unknown_key");
}

#[tokio::test]
async fn a_token_that_differs_in_one_byte_was_not_seen() {
    let server = Harness::start().await;
    let token = server.mint().sign();
    assert_eq!(server.call(&token).await.code(), "ok");
    for at in [0, token.find('.').unwrap() + 1, token.rfind('.').unwrap() + 1] {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_ne!(server.call(&changed).await.code(), "ok", "{at}");
    }
    let forged = server.mint().broken(Broken::Signature).sign();
    for _ in 0..2 {
        assert_eq!(server.call(&forged).await.code(), "bad_signature", "refusals are not kept");
    }
}

#[tokio::test]
async fn a_token_seen_by_one_resource_is_not_believed_by_another() {
    let issuer = DevIssuer::start().await.unwrap();
    let other = ProtectedResource::new("https://mcp.example.com/other", [issuer.issuer()]);
    let config = Config::new(RESOURCE, issuer.issuer()).unwrap().protect_resource(other);
    let app = McpAuth::builder(config).clock(TestClock::new()).build().unwrap().protect(echo());
    let authorization = format!("Bearer {}", issuer.mint().audience(RESOURCE).sign());
    let headers = [("authorization", &*authorization)];
    for _ in 0..2 {
        assert_eq!(send(app.clone(), request("POST", "/mcp", &headers)).await.code(), "ok");
        let there = send(app.clone(), request("POST", "/other", &headers)).await;
        assert_eq!(there.code(), "wrong_audience");
    }
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let server = Harness::with(|mut config| {
        config.token_cache_bytes = 0;
        config
    })
    .await;
    let token = server.mint().sign();
    for _ in 0..2 {
        assert_eq!(server.call(&token).await.code(), "ok");
    }
}
