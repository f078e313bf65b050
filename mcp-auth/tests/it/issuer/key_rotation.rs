//! Keys come and go: healed on the first request, and never fetched without bound.

use dev_issuer::Broken;
use futures_util::future::join_all;

use crate::support::Harness;

#[tokio::test]
async fn a_rotation_right_after_a_fetch_heals_on_the_first_request() {
    let server = Harness::start().await;
    for _ in 0..3 {
        assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
        server.issuer.rotate_keys();
    }
}

#[tokio::test]
async fn a_dropped_key_is_no_longer_accepted_once_keys_are_fetched_again() {
    let server = Harness::start().await;
    let old = server.mint().sign();
    assert_eq!(server.call(&old).await.code(), "ok");
    server.issuer.rotate_keys_and_drop_old();
    assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
    assert_eq!(server.call(&old).await.code(), "unknown_key");
}

#[tokio::test]
async fn random_key_ids_cause_a_handful_of_fetches() {
    let server = Harness::start().await;
    assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
    for index in 0..200 {
        let token = server.mint().header("kid", format!("random-{index}")).sign();
        assert_eq!(server.call(&token).await.code(), "unknown_key");
    }
    assert!(server.issuer.requests().jwks <= 4, "{:?}", server.issuer.requests());
    // The budget fills again: a rotation heals although strangers have spent it.
    server.issuer.rotate_keys();
    server.clock.advance(15);
    assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
}

#[tokio::test]
async fn concurrent_first_requests_share_one_fetch() {
    let server = Harness::start().await;
    let token = server.mint().sign();
    let answers = join_all((0..100).map(|_| server.call(&token))).await;
    assert!(answers.iter().all(|answer| answer.code() == "ok"));
    let requests = server.issuer.requests();
    assert_eq!((requests.metadata, requests.jwks), (1, 1));
}

#[tokio::test]
async fn tokens_without_a_key_id_are_verified_too() {
    let server = Harness::start().await;
    let token = server.mint().without_header("kid").sign();
    assert_eq!(server.call(&token).await.code(), "ok");
    let forged = server.mint().without_header("kid").broken(Broken::ForeignKey).sign();
    assert_eq!(server.call(&forged).await.code(), "bad_signature");
    server.issuer.rotate_keys_and_drop_old();
    let rotated = server.mint().without_header("kid").sign();
    assert_eq!(server.call(&rotated).await.code(), "ok", "a rotation heals without key ids too");
}

#[tokio::test]
async fn old_keys_are_refreshed_in_the_background() {
    let server = Harness::start().await;
    let token = server.mint().expires_in(24 * 3600).sign();
    assert_eq!(server.call(&token).await.code(), "ok");
    server.clock.advance(601);
    // The request that notices does not wait; the refresh is done when its count is seen.
    assert_eq!(server.call(&token).await.code(), "ok");
    while server.issuer.requests().jwks < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.call(&token).await.code(), "ok");
}
