//! A store of one's own in place of Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dev_issuer::DevIssuer;
use futures_util::FutureExt as _;
use mcp_auth::decision::{Decision, PeerAddress};
use mcp_auth::settings::{BackChannelLogout, FailureLimit, SharedSignals};
use mcp_auth::shared_store::{
    Followed, Loaded, SharedCutoff, SharedStore, StoreFault, StoreFuture,
};
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::json;

use super::{mint, redis_store};
use crate::support::log::Log;
use crate::support::redis::wait_until;
use crate::support::{RESOURCE, echo, request, send};

/// Counts what it is asked. It holds nothing, and answers nothing new for ever; or nothing at all.
#[derive(Clone, Default)]
struct Counting {
    questions: Arc<AtomicUsize>,
    hangs: bool,
}

impl SharedStore for Counting {
    fn put<'s>(&'s self, _: &'s [SharedCutoff]) -> StoreFuture<'s, ()> {
        std::future::pending().boxed()
    }

    fn load(&self) -> StoreFuture<'_, Loaded> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        let hangs = self.hangs;
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(Loaded::new(Vec::new(), "0", "memory"))
        }
        .boxed()
    }

    fn follow<'s>(&'s self, position: &'s str, wait: Duration) -> StoreFuture<'s, Followed> {
        async move {
            tokio::time::sleep(wait).await;
            Ok(Followed::New { cutoffs: Vec::new(), position: position.to_owned() })
        }
        .boxed()
    }

    fn first_time<'s>(&'s self, _: &'s str, _: Duration) -> StoreFuture<'s, bool> {
        std::future::pending().boxed()
    }
}

async fn codes(store: Counting, requests: usize) -> Vec<&'static str> {
    let issuer = DevIssuer::start().await.unwrap();
    let config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    let auth = McpAuth::builder(config).shared_store(store).build().unwrap();
    let bearer = format!("Bearer {}", mint(&issuer, "alice").sign());
    let app = auth.protect(echo());
    let mut codes = Vec::new();
    for _ in 0..requests {
        let asked = request("POST", "/mcp", &[("authorization", &bearer)]);
        codes.push(send(app.clone(), asked).await.code());
    }
    codes
}

#[tokio::test]
async fn a_store_is_asked_once_for_any_number_of_requests() {
    let store = Counting::default();
    assert_eq!(codes(store.clone(), 100).await, ["ok"; 100]);
    assert_eq!(store.questions.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_store_that_hangs_holds_no_request_for_longer_than_the_bound() {
    let store = Counting { hangs: true, ..Counting::default() };
    assert_eq!(codes(store, 3).await, ["unavailable"; 3]);
}

/// It would hear the next time that the notice came before.
#[tokio::test]
async fn a_notice_counts_although_its_sender_hangs_up_while_the_store_is_asked() {
    let issuer = DevIssuer::start().await.unwrap();
    let mut trusted = AuthorizationServer::new(issuer.issuer());
    trusted.back_channel_logout = Some(BackChannelLogout::new(["our-client"]));
    let config = Config::default().protect_resource(ProtectedResource::new(RESOURCE, [trusted]));
    let auth = McpAuth::builder(config).shared_store(Counting::default()).build().unwrap();
    auth.ready().await.unwrap();
    let bearer = format!("Bearer {}", mint(&issuer, "alice").sign());
    let code = async || {
        let asked = request("POST", "/mcp", &[("authorization", &bearer)]);
        send(auth.protect(echo()), asked).await.code()
    };
    assert_eq!(code().await, "ok");
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let token = issuer.mint().header("typ", "logout+jwt").audience("our-client").subject("alice");
    let logout =
        token.without("client_id").expires_in(100).claim("jti", "1").claim("events", events);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let (head, _) = request("POST", "/backchannel-logout", &form).into_parts();
    let Decision::ReadBody(pending) = auth.decide(&head).await else { panic!() };
    let body = format!("logout_token={}", logout.sign());
    assert!(pending.decide(&head, body.as_bytes()).now_or_never().is_none(), "it waits");
    assert_eq!(code().await, "revoked");
}

/// Remembers messages, and takes no cutoffs until it is told to.
#[derive(Clone, Default)]
struct Full {
    has_room: Arc<AtomicBool>,
}

impl SharedStore for Full {
    fn put<'s>(&'s self, _: &'s [SharedCutoff]) -> StoreFuture<'s, ()> {
        let has_room = self.has_room.load(Ordering::Relaxed);
        async move { if has_room { Ok(()) } else { Err(StoreFault::new("it is full")) } }.boxed()
    }

    fn load(&self) -> StoreFuture<'_, Loaded> {
        async { Ok(Loaded::new(Vec::new(), "0", "memory")) }.boxed()
    }

    fn follow<'s>(&'s self, _: &'s str, _: Duration) -> StoreFuture<'s, Followed> {
        std::future::pending().boxed()
    }

    fn first_time<'s>(&'s self, _: &'s str, _: Duration) -> StoreFuture<'s, bool> {
        async { Ok(true) }.boxed()
    }
}

/// Whoever sent it would not send it again, and this instance may end.
#[tokio::test]
async fn a_notice_is_acknowledged_when_the_store_has_it_and_not_before() {
    let issuer = DevIssuer::start().await.unwrap();
    let mut trusted = AuthorizationServer::new(issuer.issuer());
    trusted.back_channel_logout = Some(BackChannelLogout::new(["our-client"]));
    trusted.shared_signals = Some(SharedSignals::new(["our-stream"]));
    let config = Config::default().protect_resource(ProtectedResource::new(RESOURCE, [trusted]));
    let store = Full::default();
    let auth = McpAuth::builder(config).shared_store(store.clone()).build().unwrap();
    let (app, revoked) = (
        auth.protect(echo()),
        "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    );
    let logout = issuer.mint().header("typ", "logout+jwt").audience("our-client").subject("alice");
    let logout =
        logout.claim("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
    let subject = json!({ "format": "iss_sub", "iss": issuer.issuer(), "sub": "bob" });
    let event = issuer.mint().header("typ", "secevent+jwt").audience("our-stream").without("sub");
    let event = event.claim("events", json!({ revoked: {} })).claim("sub_id", subject);
    let form = "application/x-www-form-urlencoded";
    let logout = logout.expires_in(100).claim("jti", "l-1").sign();
    let rows = [
        ("/backchannel-logout", form, format!("logout_token={logout}"), 200, "alice"),
        (
            "/shared-signals",
            "application/secevent+jwt",
            event.claim("jti", "e-1").sign(),
            202,
            "bob",
        ),
    ];
    for (path, kind, body, accepted, subject) in rows {
        let status = async || {
            let mut posted = request("POST", path, &[("content-type", kind)]);
            *posted.body_mut() = body.clone().into();
            send(app.clone(), posted).await.status.as_u16()
        };
        store.has_room.store(false, Ordering::Relaxed);
        assert_eq!([status().await, status().await], [503, 503], "{path}");
        let bearer = format!("Bearer {}", mint(&issuer, subject).sign());
        let asked = request("POST", "/mcp", &[("authorization", &bearer)]);
        assert_eq!(send(app.clone(), asked).await.code(), "revoked", "it counts here all the same");
        store.has_room.store(true, Ordering::Relaxed);
        assert_eq!(status().await, accepted, "{path}");
    }
}

#[tokio::test]
async fn where_a_store_counts_no_refusals_each_instance_counts_for_itself_and_says_so() {
    Log::start();
    let mut config = Config::new(RESOURCE, "https://as.example").unwrap();
    let limit = FailureLimit::new(2, Duration::from_secs(60));
    config.limits.failures_per_address = Some(limit);
    let auth = McpAuth::builder(config).shared_store(Counting::default()).build().unwrap();
    let mut codes = Vec::new();
    for _ in 0..4 {
        let mut asked = request("POST", "/mcp", &[("authorization", "Bearer no-token")]);
        asked.extensions_mut().insert(PeerAddress::parse("203.0.113.1").unwrap());
        codes.push(send(auth.protect(echo()), asked).await.code());
    }
    assert_eq!(codes, ["malformed", "malformed", "too_many_failures", "too_many_failures"]);
    wait_until(async || Log::peek().contains("each instance counts for its limits alone")).await;
    assert!(Log::take().contains("it counts no refusals"));
}

#[tokio::test]
async fn another_store_takes_a_restart() {
    let mut config = Config::new(RESOURCE, "https://as.example").unwrap();
    let url = "redis://127.0.0.1:1";
    config.shared_store = Some(redis_store(url));
    let auth = McpAuth::new(config.clone()).unwrap();
    auth.reload(config.clone()).unwrap();
    config.shared_store = None;
    let error = auth.reload(config).unwrap_err();
    assert_eq!(error.faults, ["shared_store: this takes a restart"]);
}

/// A store that remembers what it is asked about, and never answers.
#[tokio::test]
async fn a_notice_is_carried_out_though_its_sender_goes_while_the_store_is_asked() {
    let issuer = DevIssuer::start().await.unwrap();
    let mut trusted = AuthorizationServer::new(issuer.issuer());
    trusted.back_channel_logout = Some(BackChannelLogout::new(["our-client"]));
    let resource = ProtectedResource::new(RESOURCE, [trusted]);
    let config = Config::default().protect_resource(resource);
    let auth = McpAuth::builder(config).shared_store(Counting::default()).build().unwrap();
    let bearer = format!("Bearer {}", mint(&issuer, "alice").sign());
    let app = auth.protect(echo());
    let asked = request("POST", "/mcp", &[("authorization", &bearer)]);
    assert_eq!(send(app.clone(), asked).await.code(), "ok");
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let token = issuer.mint().header("typ", "logout+jwt").audience("our-client").subject("alice");
    let notice = token.expires_in(100).claim("jti", "l-1").claim("events", events).sign();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let mut posted = request("POST", "/backchannel-logout", &form);
    *posted.body_mut() = format!("logout_token={notice}").into();
    assert_eq!(send(app.clone(), posted).now_or_never().map(|_| ()), None, "it waits");
    let asked = request("POST", "/mcp", &[("authorization", &bearer)]);
    assert_eq!(send(app, asked).await.code(), "revoked");
}
