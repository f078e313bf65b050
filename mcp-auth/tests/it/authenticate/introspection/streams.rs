//! The issuer is asked again about a token whose stream is open, though its caller sends no request.

use std::future::poll_fn;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use dev_issuer::{DevIssuer, Mint, Mode};
use mcp_auth::decision::{Decision, StreamEnd};
use mcp_auth::{Introspection, McpAuth};
use serde_json::{Value, json};

use super::with;
use crate::support::scripted::{JSON, Scripted};
use crate::support::{RESOURCE, TestClock, request};

struct Server {
    issuer: DevIssuer,
    clock: TestClock,
    auth: McpAuth,
}

impl Server {
    async fn start(change: impl FnOnce(&mut Introspection)) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let mut introspection = Introspection::new("dev", "dev");
        change(&mut introspection);
        let config = with(mcp_auth::Config::new(RESOURCE, issuer.issuer()).unwrap(), introspection);
        let clock = TestClock::new();
        let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
        Self { issuer, clock, auth }
    }

    fn mint(&self) -> Mint {
        let token = self.issuer.mint().subject("alice").audience(RESOURCE).expires_in(36_000);
        token.issued_at(self.clock.started_at())
    }

    /// A stream of events to a caller with this token.
    async fn stream(&self, token: &str) -> StreamEnd {
        let bearer = format!("Bearer {token}");
        let (head, _) = request("GET", "/mcp", &[("authorization", &bearer)]).into_parts();
        let Decision::Forward(forward) = self.auth.decide(&head).await else { panic!() };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
        forward.stream_end(&mut headers).unwrap()
    }

    fn asked(&self) -> u64 {
        self.issuer.requests().introspect
    }
}

/// Waits until a stream that has asked knows the answer, which is good: it asks again after so many seconds.
async fn answered(stream: &StreamEnd, seconds: u64) {
    while stream.time_left() != Some(Duration::from_secs(seconds)) {
        tokio::task::yield_now().await;
    }
}

/// Waits until it is told that its token is good no more, and is then over.
async fn ended(stream: &mut StreamEnd) {
    while stream.step().is_none() {
        poll_fn(|context| stream.poll_revoked(context)).await;
    }
}

#[tokio::test]
async fn an_open_stream_of_an_opaque_token_ends_when_the_issuer_says_so() {
    let server = Server::start(|_| {}).await;
    let token = server.mint().opaque();
    let mut open = server.stream(&token).await;
    assert_eq!((open.step(), open.time_left()), (None, Some(Duration::from_secs(60))));
    server.clock.advance(60);
    assert_eq!(open.step(), None, "it goes on by the last answer, and asks");
    answered(&open, 60).await;
    assert_eq!(server.asked(), 2);
    server.issuer.revoke(&token);
    server.clock.advance(59);
    assert_eq!((open.step(), server.asked()), (None, 2));
    server.clock.advance(1);
    ended(&mut open).await;
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn an_open_stream_of_a_jwt_ends_when_the_issuer_says_so() {
    let server = Server::start(|introspection| introspection.also_jwts = true).await;
    let (of_alice, of_bob) = (server.mint().sign(), server.mint().subject("bob").sign());
    let mut open = server.stream(&of_alice).await;
    let mut of_other = server.stream(&of_bob).await;
    server.issuer.revoke(&of_alice);
    server.clock.advance(60);
    assert_eq!(of_other.step(), None);
    ended(&mut open).await;
    answered(&of_other, 60).await;
    assert_eq!((of_other.step(), server.asked()), (None, 4));
}

#[tokio::test]
async fn a_stream_whose_token_nobody_else_tells_about_asks_nobody() {
    let server = Server::start(|_| {}).await;
    let mut open = server.stream(&server.mint().sign()).await;
    server.clock.advance(3600);
    assert_eq!((open.step(), server.asked()), (None, 0));
}

/// Two streams of one caller ask once, and with `cache_max_age = 0` every five seconds.
#[tokio::test]
async fn streams_ask_no_more_often_than_every_five_seconds() {
    let server = Server::start(|introspection| introspection.cache_max_age = Duration::ZERO).await;
    let token = server.mint().opaque();
    let mut open = server.stream(&token).await;
    assert_eq!((open.step(), open.time_left()), (None, Some(Duration::from_secs(5))));
    server.clock.advance(4);
    assert_eq!((open.step(), server.asked()), (None, 1));
    server.issuer.revoke(&token);
    server.clock.advance(1);
    ended(&mut open).await;
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_stream_ends_where_the_issuer_gives_no_answer_for_twice_the_time() {
    for mode in [Mode::Offline, Mode::Garbage, Mode::Status(500)] {
        let server = Server::start(|_| {}).await;
        let mut open = server.stream(&server.mint().opaque()).await;
        server.issuer.set_mode(mode);
        for left in [60, 30, 15, 8, 4, 2, 1] {
            assert_eq!((open.step(), open.time_left()), (None, Some(Duration::from_secs(left))));
            server.clock.advance(left);
        }
        assert!(open.step().is_some(), "{mode:?}");
    }
}

/// What the issuer says of an opaque token, with one member that is another.
fn answer(name: &str, value: Value) -> Value {
    let mut said = json!({ "active": true, "sub": "alice", "client_id": "c", "aud": RESOURCE,
        "scope": "a b", "roles": ["admin"], "exp": 4_000_000_000_u64, "used": 1 });
    said[name] = value;
    said
}

#[tokio::test]
async fn a_stream_ends_when_the_issuer_says_something_else_of_its_caller() {
    let same = answer("used", json!(1));
    let rows = [
        ("sub", json!("bob"), true),
        ("client_id", json!("d"), true),
        ("scope", json!("a"), true),
        ("roles", json!([]), true),
        ("aud", json!("https://other.example"), true),
        ("exp", json!(3_000_000_000_u64), true),
        ("exp", json!(4_000_000_001_u64), false),
        ("used", json!(2), false),
    ];
    for (name, value, ends) in rows {
        let endpoint = Scripted::start(&same).await;
        let url = endpoint.url.clone();
        let server = Server::start(|introspection| introspection.endpoint = Some(url)).await;
        let mut open = server.stream("opaque").await;
        endpoint.says(200, JSON, answer(name, value));
        server.clock.advance(60);
        match ends {
            true => ended(&mut open).await,
            false => {
                assert_eq!(open.step(), None);
                answered(&open, 60).await;
                assert_eq!(open.step(), None, "{name}");
            }
        }
    }
}
