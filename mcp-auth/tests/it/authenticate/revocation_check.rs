//! Code of the user's that says what was revoked.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use dev_issuer::DevIssuer;
use futures_util::future::BoxFuture;
use mcp_auth::decision::{Decision, StreamEnd};
use mcp_auth::revocation::{RevocationCheck, RevocationCheckError};
use mcp_auth::{AuthInfo, Config, McpAuth};

use crate::support::{Answer, RESOURCE, TestClock, echo, request, send};

/// What the check does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Good,
    Revoked,
    Error,
    Panic,
    PanicAtOnce,
    Nothing,
}

#[derive(Clone)]
struct Check {
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicUsize>,
}

impl RevocationCheck for Check {
    fn is_revoked<'c>(
        &'c self,
        caller: &'c AuthInfo,
    ) -> BoxFuture<'c, Result<bool, RevocationCheckError>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert_eq!(caller.subject(), Some("alice"));
        let says = *self.says.lock().unwrap();
        assert_ne!(says, Says::PanicAtOnce, "on purpose");
        Box::pin(async move {
            match says {
                Says::Good => Ok(false),
                Says::Revoked => Ok(true),
                Says::Error => Err(RevocationCheckError::new("the database is away")),
                Says::Panic | Says::PanicAtOnce => panic!("on purpose"),
                Says::Nothing => pending().await,
            }
        })
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(1)
    }
}

struct Server {
    check: Check,
    clock: TestClock,
    auth: McpAuth,
    token: String,
}

impl Server {
    async fn start(cache_bytes: usize) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
        config.token_cache_bytes = cache_bytes;
        let check = Check { says: Arc::new(Mutex::new(Says::Good)), asked: Arc::default() };
        let clock = TestClock::new();
        let builder = McpAuth::builder(config).clock(clock.clone());
        let auth = builder.revocation_check(check.clone()).build().unwrap();
        auth.ready().await.unwrap();
        let token = issuer.mint().subject("alice").audience(RESOURCE).sign();
        Self { check, clock, auth, token }
    }

    fn let_it_say(&self, says: Says) {
        *self.check.says.lock().unwrap() = says;
    }

    fn asked(&self) -> usize {
        self.check.asked.load(Ordering::SeqCst)
    }

    async fn call(&self) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        send(self.auth.protect(echo()), request("POST", "/mcp", &[("authorization", &bearer)]))
            .await
    }
}

#[tokio::test]
async fn it_is_asked_first_and_again_when_its_answer_is_old() {
    let server = Server::start(1 << 20).await;
    for _ in 0..3 {
        assert_eq!(server.call().await.code(), "ok");
    }
    assert_eq!(server.asked(), 1);
    server.clock.advance(59);
    assert_eq!((server.call().await.code(), server.asked()), ("ok", 1));
    server.clock.advance(1);
    server.let_it_say(Says::Revoked);
    // Whoever comes first goes on by the last answer, and asks.
    assert_eq!((server.call().await.code(), server.asked()), ("ok", 2));
    assert_eq!(server.call().await.code(), "revoked");
}

#[tokio::test]
async fn what_is_revoked_at_first_is_refused() {
    for cache_bytes in [0, 1 << 20] {
        let server = Server::start(cache_bytes).await;
        server.let_it_say(Says::Revoked);
        for _ in 0..2 {
            assert_eq!(server.call().await.code(), "revoked");
        }
    }
}

#[tokio::test]
async fn where_it_fails_nobody_goes_on_but_by_an_answer_that_is_not_too_old() {
    for says in [Says::Error, Says::Panic, Says::PanicAtOnce, Says::Nothing] {
        let server = Server::start(1 << 20).await;
        server.let_it_say(says);
        let refused = server.call().await;
        assert_eq!((refused.code(), refused.status.as_u16()), ("unavailable", 503), "{says:?}");
        server.let_it_say(Says::Good);
        assert_eq!(server.call().await.code(), "ok", "{says:?}: it has recovered");
        server.let_it_say(says);
        server.clock.advance(119);
        assert_eq!(server.call().await.code(), "ok", "{says:?}");
        server.clock.advance(1);
        assert_eq!(server.call().await.code(), "unavailable", "{says:?}");
        // A clock that is set back makes no answer good for longer than it was; and before it was given, it is none.
        server.clock.set_back(150);
        assert_eq!(server.call().await.code(), "unavailable", "{says:?}");
    }
}

#[tokio::test]
async fn tokens_that_are_not_kept_are_asked_about_each_time() {
    let server = Server::start(0).await;
    for expected in 1..=3 {
        assert_eq!((server.call().await.code(), server.asked()), ("ok", expected));
    }
    server.let_it_say(Says::Revoked);
    assert_eq!(server.call().await.code(), "revoked");
}

#[tokio::test]
async fn a_frequent_caller_asks_once_in_a_second() {
    let server = Server::start(1 << 20).await;
    assert_eq!(server.call().await.code(), "ok");
    server.let_it_say(Says::Error);
    server.clock.advance(70);
    for _ in 0..5 {
        assert_eq!(server.call().await.code(), "ok");
    }
    assert_eq!(server.asked(), 2);
    server.clock.advance(1);
    assert_eq!((server.call().await.code(), server.asked()), ("ok", 3));
}

/// A stream of events, of a request that the caller of this server has sent.
async fn stream(server: &Server) -> StreamEnd {
    let bearer = format!("Bearer {}", server.token);
    let (head, _) = request("GET", "/mcp", &[("authorization", &bearer)]).into_parts();
    let Decision::Forward(forward) = server.auth.decide(&head).await else { panic!() };
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
    forward.stream_end(&mut headers).unwrap()
}

#[tokio::test]
async fn an_open_stream_asks_as_requests_do_though_its_caller_sends_none() {
    for cache_bytes in [0, 1 << 20] {
        let server = Server::start(cache_bytes).await;
        let mut open = stream(&server).await;
        assert_eq!((open.step(), open.time_left()), (None, Some(Duration::from_secs(60))));
        server.clock.advance(60);
        assert_eq!((open.step(), server.asked()), (None, 2), "it asks");
        assert_eq!((open.step(), open.time_left()), (None, Some(Duration::from_secs(60))));
        server.let_it_say(Says::Revoked);
        server.clock.advance(60);
        assert!(open.step().is_some(), "it was told at once");
        assert_eq!(server.asked(), 3);
    }
}

#[tokio::test]
async fn an_open_stream_ends_where_no_answer_comes_for_twice_the_interval() {
    for says in [Says::Error, Says::Panic, Says::PanicAtOnce, Says::Nothing] {
        let server = Server::start(1 << 20).await;
        let mut open = stream(&server).await;
        server.let_it_say(says);
        for left in [60, 30, 15, 8, 4, 2, 1] {
            assert_eq!((open.step(), open.time_left()), (None, Some(Duration::from_secs(left))));
            server.clock.advance(left);
        }
        assert!(open.step().is_some(), "{says:?}");
    }
}

/// The token is verified anew after five minutes, and the answer about it is then kept elsewhere.
#[tokio::test]
async fn a_stream_that_is_older_than_what_is_kept_of_its_token_ends_too() {
    let server = Server::start(1 << 20).await;
    let mut open = stream(&server).await;
    for _ in 0..6 {
        server.clock.advance(59);
        assert_eq!((server.call().await.code(), open.step()), ("ok", None));
    }
    server.let_it_say(Says::Revoked);
    server.clock.advance(60);
    server.call().await;
    assert_eq!(server.call().await.code(), "revoked");
    assert!(open.step().is_some());
}
