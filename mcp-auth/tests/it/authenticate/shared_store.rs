//! Several instances with one Redis: what is revoked on one is refused on all, whatever becomes of Redis.

mod absence;
mod limits;
mod nginx;
mod notices;
mod reached;
mod store;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use axum::routing::any_service;
use dev_issuer::{DevIssuer, Mint};
use futures_util::stream::{self, StreamExt as _};
use mcp_auth::revocation::Revocation;
use mcp_auth::settings::{RedisConfig, SharedStoreConfig};
use mcp_auth::{Config, McpAuth};
use tokio::net::TcpListener;
use tower::service_fn;

use crate::support::redis::{Redis, wait_until};
use crate::support::{RESOURCE, TestClock};

const EVENT: &str = "data: {}\n\n";
const RETRY: &str = "retry: 1000\n\n";

/// One instance of a server: a GET is a stream of one event that goes on.
struct Instance {
    auth: McpAuth,
    clock: TestClock,
    url: String,
    client: reqwest::Client,
}

impl Instance {
    async fn start(issuer: &DevIssuer, redis: &Redis) -> Self {
        Self::with(issuer, redis_store(redis.url())).await
    }

    async fn with(issuer: &DevIssuer, store: SharedStoreConfig) -> Self {
        let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
        config.shared_store = Some(store);
        Self::of(config).await
    }

    async fn of(config: Config) -> Self {
        let clock = TestClock::new();
        let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
        let server = any_service(service_fn(|_: Request<Body>| async {
            let sent = Ok::<_, Infallible>(Bytes::from_static(EVENT.as_bytes()));
            let body = stream::once(async { sent }).chain(stream::pending());
            let response = Response::builder().header("content-type", "text/event-stream");
            Ok::<_, Infallible>(response.body(Body::from_stream(body)).unwrap())
        }));
        let app = auth.protect(server).into_make_service_with_connect_info::<SocketAddr>();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { auth, clock, url, client }
    }

    async fn get(&self, token: &str) -> reqwest::Response {
        let request = self.client.get(&self.url).bearer_auth(token);
        request.header("accept", "text/event-stream").send().await.unwrap()
    }

    async fn status(&self, token: &str) -> u16 {
        self.get(token).await.status().as_u16()
    }

    /// Asks until the answer is this one.
    async fn wait_for(&self, token: &str, status: u16) {
        wait_until(async || self.status(token).await == status).await;
    }
}

/// Redis as the store, with time to answer also on a busy machine.
fn redis_store(url: impl Into<String>) -> SharedStoreConfig {
    let mut store = SharedStoreConfig::redis(RedisConfig::new(url));
    store.timeout = Duration::from_secs(2);
    store
}

/// A token that was issued before anything was revoked, whatever is revoked until now.
fn mint(issuer: &DevIssuer, subject: &str) -> Mint {
    let before = mcp_auth::clock::Clock::unix_seconds(&TestClock::new()) - 600;
    let token = issuer.mint().subject(subject).client_id("app").audience(RESOURCE);
    token.issued_at(before).expires_in(7200)
}

#[tokio::test]
async fn what_is_revoked_on_one_instance_is_refused_on_all_also_where_it_was_accepted_before() {
    let Some(redis) = Redis::start().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let (a, b) = (Instance::start(&issuer, &redis).await, Instance::start(&issuer, &redis).await);
    let name = issuer.issuer();
    let rows = [
        (mint(&issuer, "alice"), Revocation::of_subject(name, "alice")),
        (mint(&issuer, "").client_id("robot"), Revocation::of_client(name, "robot")),
        (mint(&issuer, "carol").claim("sid", "s 1"), Revocation::of_session(name, "s 1")),
        (mint(&issuer, "dave").claim("jti", "é\n"), Revocation::of_token(name, "é\n")),
    ];
    let bob = mint(&issuer, "bob").sign();
    for (minted, revocation) in rows {
        let token = minted.sign();
        for instance in [&a, &b] {
            assert_eq!([instance.status(&token).await, instance.status(&token).await], [200, 200]);
        }
        a.auth.revoke(revocation);
        assert_eq!(a.status(&token).await, 401);
        b.wait_for(&token, 401).await;
        assert_eq!([a.status(&bob).await, b.status(&bob).await], [200, 200]);
    }
}

#[tokio::test]
async fn a_stream_on_another_instance_ends_and_no_other_does() {
    let Some(redis) = Redis::start().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let (a, b) = (Instance::start(&issuer, &redis).await, Instance::start(&issuer, &redis).await);
    let of_alice = b.get(&mint(&issuer, "alice").sign()).await;
    let mut of_bob = b.get(&mint(&issuer, "bob").sign()).await;
    a.auth.revoke(Revocation::of_subject(issuer.issuer(), "alice"));
    assert_eq!(of_alice.text().await.unwrap(), format!("{EVENT}{RETRY}"));
    assert_eq!(of_bob.chunk().await.unwrap().unwrap(), EVENT);
    a.auth.revoke(Revocation::of_subject(issuer.issuer(), "bob"));
    assert_eq!(of_bob.text().await.unwrap(), RETRY);
}

#[tokio::test]
async fn an_instance_that_starts_later_knows_what_was_revoked_before() {
    let Some(redis) = Redis::start().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let a = Instance::start(&issuer, &redis).await;
    let revocation = Revocation::of_subject(issuer.issuer(), "alice");
    a.auth.revoke_everywhere(revocation).await.unwrap();
    drop(a);
    let b = Instance::start(&issuer, &redis).await;
    assert_eq!(b.status(&mint(&issuer, "alice").sign()).await, 401);
    assert_eq!(b.status(&mint(&issuer, "bob").sign()).await, 200);
}

/// The times are those of the instance that revokes: a clock that is wrong elsewhere changes nothing.
#[tokio::test]
async fn the_clock_of_another_instance_makes_no_difference() {
    let Some(redis) = Redis::start().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let (a, b) = (Instance::start(&issuer, &redis).await, Instance::start(&issuer, &redis).await);
    b.clock.set_back(50);
    let now = mcp_auth::clock::Clock::unix_seconds(&a.clock);
    let revocation = Revocation::of_subject(issuer.issuer(), "alice");
    a.auth.revoke_everywhere(revocation).await.unwrap();
    b.wait_for(&mint(&issuer, "alice").issued_at(now).sign(), 401).await;
    assert_eq!(b.status(&mint(&issuer, "alice").issued_at(now + 1).sign()).await, 200);
    // Set forth beyond what counts without an answer, it takes one more answer and no refusal.
    b.clock.set_back(0);
    let token = mint(&issuer, "bob").sign();
    assert_eq!(b.status(&token).await, 200);
    b.clock.advance(400);
    assert_eq!(b.status(&token).await, 200);
}

#[tokio::test]
async fn a_hundred_thousand_revocations_take_bounded_room_and_refuse_no_less() {
    let Some(redis) = Redis::start_forgetful().await else { return };
    let issuer = DevIssuer::start().await.unwrap();
    let mut store = SharedStoreConfig::redis(RedisConfig::new(redis.url()));
    // This machine may be busy: that is no absence.
    store.timeout = Duration::from_secs(20);
    let a = Instance::with(&issuer, store.clone()).await;
    let now = mcp_auth::clock::Clock::unix_seconds(&a.clock);
    a.auth.ready().await.unwrap();
    for number in 0..100_000_u64 {
        let revocation = Revocation::of_subject(issuer.issuer(), format!("user-{number}"));
        a.auth.revoke(revocation.issued_until(now - 200_000 + number));
    }
    // Behind all others, and too much: the oldest ones become one for everybody.
    for number in 0..10 {
        let revocation = Revocation::of_subject(issuer.issuer(), format!("last-{number}"));
        a.auth.revoke(revocation.issued_until(now));
    }
    let kept = "{mcp-auth:1}:cutoffs";
    let whole = format!("all {} {} ", issuer.issuer().len(), issuer.issuer());
    let score = ["ZSCORE", "{mcp-auth:1}:issuers", &whole];
    wait_until(async || {
        let is_full = redis.ask::<u64>(&["ZCARD", kept]).await.unwrap() == 100_000;
        is_full && redis.ask::<Option<f64>>(&score).await.unwrap().is_some()
    })
    .await;
    assert!(redis.ask::<u64>(&["XLEN", "{mcp-auth:1}:changes"]).await.unwrap() < 11_000);
    let b = Instance::with(&issuer, store).await;
    b.auth.ready().await.unwrap();
    let rows = [
        ("last-9", now, 401),
        ("user-99999", now - 100_001, 401),
        ("user-99999", now - 100_000, 200),
        // The ten oldest are one now.
        ("somebody", now - 200_000 + 9, 401),
        ("somebody", now - 200_000 + 10, 200),
    ];
    for (subject, issued_at, expected) in rows {
        let token = mint(&issuer, subject).issued_at(issued_at).expires_in(400_000).sign();
        assert_eq!(b.status(&token).await, expected, "{subject} at {issued_at}");
    }
}
