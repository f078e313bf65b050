//! An issuer that cannot be asked: 503 and never a sign-in loop, until keys are there.

use std::time::Duration;

use dev_issuer::{DevIssuer, Mode};
use mcp_auth::{Config, McpAuth};

use crate::support::{Answer, Harness, RESOURCE};

const OUTAGES: [Mode; 5] =
    [Mode::Offline, Mode::Hang, Mode::Garbage, Mode::Status(500), Mode::Status(404)];

/// Long enough for an answer on loopback, short enough to wait for one that never comes.
fn impatient(mut config: Config) -> Config {
    config.fetch_timeout = Duration::from_secs(2);
    config
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "unavailable"));
    assert_eq!(answer.challenge(), None, "a challenge would send the client to sign in again");
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn down_at_start_is_503_until_keys_are_there() {
    for mode in OUTAGES {
        let issuer = DevIssuer::start().await.unwrap();
        issuer.set_mode(mode);
        let server = Harness::around(issuer, impatient);
        let token = server.mint().sign();
        let refused = server.call(&token).await;
        assert_unavailable(&refused);
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!(wait > 0, "{mode:?}");

        server.issuer.set_mode(Mode::Online);
        server.clock.advance(wait);
        assert_eq!(server.call(&token).await.code(), "ok", "{mode:?}");
    }
}

#[tokio::test]
async fn waiting_as_told_is_enough_however_often_it_was_asked() {
    let issuer = DevIssuer::start().await.unwrap();
    issuer.set_mode(Mode::Offline);
    let server = Harness::around(issuer, impatient);
    let token = server.mint().sign();
    for _ in 0..50 {
        assert_unavailable(&server.call(&token).await);
    }
    assert!(server.issuer.requests().metadata < 20, "an outage is not made worse");
    let refused = server.call(&token).await;
    let why = refused.error.as_ref().unwrap().to_string();
    assert!(why.contains("asked too often") && why.contains("/.well-known/"), "{why}");
    let wait = refused.header("retry-after").unwrap().parse().unwrap();
    server.issuer.set_mode(Mode::Online);
    server.clock.advance(wait);
    assert_eq!(server.call(&token).await.code(), "ok");
}

#[tokio::test]
async fn known_keys_keep_working_until_they_are_too_old() {
    for mode in OUTAGES {
        let server = Harness::with(impatient).await;
        let long_lived = server.mint().expires_in(7 * 24 * 3600).sign();
        assert_eq!(server.call(&long_lived).await.code(), "ok");
        server.issuer.set_mode(mode);
        server.clock.advance(23 * 3600);
        assert_eq!(server.call(&long_lived).await.code(), "ok", "{mode:?}");
        server.clock.advance(2 * 3600);
        assert_unavailable(&server.call(&long_lived).await);

        server.issuer.set_mode(Mode::Online);
        server.clock.advance(60);
        assert_eq!(server.call(&long_lived).await.code(), "ok", "{mode:?}");
    }
}

#[tokio::test]
async fn an_unknown_key_during_an_outage_is_not_called_a_bad_token() {
    let server = Harness::with(impatient).await;
    assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
    server.issuer.rotate_keys();
    server.issuer.set_mode(Mode::Offline);
    let token = server.mint().sign();
    // However often: also when the budget of fetches is spent.
    let mut wait = 0;
    for _ in 0..20 {
        let refused = server.call(&token).await;
        assert_unavailable(&refused);
        wait = refused.header("retry-after").unwrap().parse().unwrap();
    }
    server.issuer.set_mode(Mode::Online);
    server.clock.advance(wait);
    assert_eq!(server.call(&token).await.code(), "ok");
}

#[tokio::test]
async fn bad_tokens_stay_bad_tokens_during_an_outage() {
    let issuer = DevIssuer::start().await.unwrap();
    issuer.set_mode(Mode::Offline);
    let server = Harness::around(issuer, impatient);
    let stranger = server.mint().issuer("https://other.example").sign();
    assert_eq!(server.call(&stranger).await.code(), "unknown_issuer");
    assert_eq!(server.call("garbage").await.code(), "malformed");
    assert_eq!(server.issuer.requests().metadata, 0, "nothing had to be fetched");
}

#[tokio::test]
async fn ready_fails_fast_and_then_succeeds() {
    let issuer = DevIssuer::start().await.unwrap();
    issuer.set_mode(Mode::Offline);
    let auth = McpAuth::new(impatient(Config::new(RESOURCE, issuer.issuer()).unwrap())).unwrap();
    let error = auth.ready().await.unwrap_err();
    assert_eq!(error.issuer, issuer.issuer());
    assert!(error.to_string().contains("/.well-known/oauth-authorization-server"), "{error}");
    issuer.set_mode(Mode::Online);
    auth.ready().await.unwrap();
}

#[test]
fn a_refresh_that_ends_with_its_runtime_does_not_block_the_next() {
    let issuer_runtime = runtime();
    let issuer = issuer_runtime.block_on(DevIssuer::start()).unwrap();
    issuer.set_mode(Mode::Hang);
    let auth = McpAuth::new(Config::new(RESOURCE, issuer.issuer()).unwrap()).unwrap();
    let short_lived = runtime();
    let waiting = short_lived.spawn({
        let auth = auth.clone();
        async move { auth.ready().await }
    });
    issuer_runtime.block_on(async {
        while issuer.requests().metadata == 0 {
            tokio::task::yield_now().await;
        }
    });
    drop((waiting, short_lived));
    issuer.set_mode(Mode::Online);
    runtime().block_on(auth.ready()).unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
