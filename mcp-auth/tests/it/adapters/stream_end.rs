//! Streams end when the token of their caller is good no more.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderMap, Request, Response};
use axum::routing::any_service;
use dev_issuer::DevIssuer;
use futures_util::stream::{self, StreamExt as _};
use mcp_auth::decision::{Decision, Forward};
use mcp_auth::policy::Requirement;
use mcp_auth::revocation::Revocation;
use mcp_auth::{Config, McpAuth, ScopePolicy};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::{RESOURCE, TestClock};

const EVENT: &str = "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
const COMMENT: &str = ": hello\n\n";
const RETRY: &str = "retry: 1000\n\n";

/// A server of streams of events.
struct Streams {
    issuer: DevIssuer,
    auth: McpAuth,
    url: String,
    /// Told of each body that is made.
    begun: Arc<Notify>,
}

impl Streams {
    /// Its streams send these pieces, and then nothing for ever.
    async fn sending(pieces: &'static [&'static str], change: impl FnOnce(&mut Config)) -> Self {
        Self::with_bodies(change, move || {
            let sent = pieces
                .iter()
                .map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes())));
            Body::from_stream(stream::iter(sent).chain(stream::pending()))
        })
        .await
    }

    /// Its streams are these.
    async fn with_bodies(
        change: impl FnOnce(&mut Config),
        make_body: impl Fn() -> Body + Clone + Send + Sync + 'static,
    ) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
        config.clock_tolerance = Duration::ZERO;
        change(&mut config);
        let auth = McpAuth::new(config).unwrap();
        let begun = Arc::new(Notify::new());
        let made = begun.clone();
        let server = any_service(service_fn(move |_: Request<Body>| {
            let response = Response::builder().header("content-type", "text/event-stream");
            let answer = response.body(make_body()).unwrap();
            made.notify_one();
            async move { Ok::<_, Infallible>(answer) }
        }));
        let app: Router = auth.protect(server);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, auth, url, begun }
    }

    fn token(&self, subject: &str, expires_in: i64) -> String {
        self.issuer.mint().subject(subject).audience(RESOURCE).expires_in(expires_in).sign()
    }

    async fn get(&self, token: &str) -> reqwest::Response {
        let request = reqwest::Client::new().get(&self.url).bearer_auth(token);
        request.header("accept", "text/event-stream").send().await.unwrap()
    }

    async fn listen(&self, token: &str) -> reqwest::Response {
        self.post("subscriptions/listen", token).await
    }

    /// Waits until the handler has answered.
    async fn has_begun(&self) {
        self.begun.notified().await;
    }

    async fn post(&self, method: &str, token: &str) -> reqwest::Response {
        let params = if method == "tools/call" { r#"{"name":"other"}"# } else { "{}" };
        let message =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let request = reqwest::Client::new().post(&self.url).bearer_auth(token).body(message);
        let request = request.header("content-type", "application/json");
        request.header("accept", "application/json, text/event-stream").send().await.unwrap()
    }
}

fn with_policy(config: &mut Config) {
    config.resources[0].policy = Some(ScopePolicy::new().require_for_tool("t", ["s"]));
}

#[tokio::test]
async fn a_stream_ends_with_the_token_of_its_caller() {
    for change in [|_: &mut Config| {}, with_policy] {
        let server = Streams::sending(&[EVENT], change).await;
        let token = server.token("alice", 2);
        let (got, listening) = tokio::join!(server.get(&token), server.listen(&token));
        assert_eq!(got.text().await.unwrap(), format!("{EVENT}{RETRY}"));
        assert_eq!(listening.text().await.unwrap(), format!("{EVENT}{RETRY}"));
        let refused = server.get(&token).await;
        assert_eq!(refused.status(), 401);
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_caller_is_revoked_and_no_other_does() {
    for change in [|_: &mut Config| {}, with_policy] {
        let server = Streams::sending(&[EVENT], change).await;
        let mut of_alice = server.get(&server.token("alice", 3600)).await;
        let listening = server.listen(&server.token("alice", 3600)).await;
        let mut of_bob = server.get(&server.token("bob", 3600)).await;
        assert_eq!(of_alice.chunk().await.unwrap().unwrap(), EVENT);
        assert_eq!(of_bob.chunk().await.unwrap().unwrap(), EVENT);
        server.auth.revoke(Revocation::of_subject(server.issuer.issuer(), "alice"));
        assert_eq!(of_alice.text().await.unwrap(), RETRY);
        assert_eq!(listening.text().await.unwrap(), format!("{EVENT}{RETRY}"));
        server.auth.revoke(Revocation::of_subject(server.issuer.issuer(), "bob"));
        assert_eq!(of_bob.text().await.unwrap(), RETRY);
    }
}

/// What was sent of an event is all that was begun: the rest of it is not cut off.
#[tokio::test]
async fn a_stream_without_an_event_ends_at_once() {
    let server = Streams::sending(&[], |_| {}).await;
    let answer = server.get(&server.token("alice", 3600)).await;
    server.auth.revoke(Revocation::of_subject(server.issuer.issuer(), "alice"));
    assert_eq!(answer.text().await.unwrap(), RETRY);
}

/// Status and headers wait for the first event, because the handler may ask for more scopes until then.
#[tokio::test]
async fn an_answer_to_a_post_of_which_nothing_was_sent_is_refused_when_its_token_is_good_no_more() {
    for change in [|_: &mut Config| {}, with_policy] {
        let server = Streams::sending(&[], change).await;
        let answer = server.post("tools/call", &server.token("alice", 2)).await;
        assert_eq!(answer.status(), 401);
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("invalid_token"), "{challenge}");
        // By the one before.
        server.has_begun().await;
        let token = server.token("carol", 3600);
        let (answer, ()) = tokio::join!(server.post("tools/call", &token), async {
            server.has_begun().await;
            server.auth.revoke(Revocation::of_subject(server.issuer.issuer(), "carol"));
        });
        assert_eq!(answer.status(), 401);
    }
}

#[tokio::test]
async fn an_answer_to_a_post_that_has_begun_ends_between_its_events() {
    for change in [|_: &mut Config| {}, with_policy] {
        let server = Streams::sending(&[COMMENT, EVENT], change).await;
        let mut answer = server.post("tools/call", &server.token("alice", 3600)).await;
        assert_eq!(answer.status(), 200);
        let mut received = String::new();
        while received.len() < COMMENT.len() + EVENT.len() {
            received.push_str(str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap());
        }
        server.auth.revoke(Revocation::of_subject(server.issuer.issuer(), "alice"));
        assert_eq!(answer.text().await.unwrap(), RETRY);
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request that goes on, as an adapter has it.
async fn admitted(auth: &McpAuth, method: &str, token: Option<&str>) -> Forward {
    let mut request = Request::builder().method(method).uri("/mcp");
    request = request.header("content-type", "application/json");
    if let Some(text) = token {
        request = request.header("authorization", format!("Bearer {text}"));
    }
    let head = request.body(()).unwrap().into_parts().0;
    let mut decision = auth.decide(&head).await;
    if let Decision::ReadBody(pending) = decision {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        decision = pending.decide(&head, body).await;
    }
    match decision {
        Decision::Forward(forward) => forward,
        other => panic!("{other:?}"),
    }
}

fn headers_of(rows: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in rows {
        headers.insert(*name, value.parse().unwrap());
    }
    headers
}

/// A body of the pieces that come, for one response.
fn body_of<P>(receiver: UnboundedReceiver<P>) -> impl Fn() -> Body + Clone + Send + Sync + 'static
where
    P: Into<Bytes> + Send + 'static,
{
    let pieces = Arc::new(Mutex::new(Some(receiver)));
    move || {
        let taken = pieces.lock().unwrap().take().unwrap();
        Body::from_stream(stream::unfold(taken, |mut receiver| async move {
            let piece = receiver.recv().await?.into();
            Some((Ok::<Bytes, Infallible>(piece), receiver))
        }))
    }
}

/// The rest of an event that was begun is sent, and nothing after it.
#[tokio::test]
async fn an_event_that_was_begun_is_sent_whole_before_its_stream_ends() {
    let (half, rest) = EVENT.split_at(20);
    let (sender, receiver) = unbounded_channel::<&'static str>();
    let server = Streams::with_bodies(|_| {}, body_of(receiver)).await;
    sender.send(EVENT).unwrap();
    sender.send(half).unwrap();
    let mut answer = server.get(&server.token("alice", 3600)).await;
    let mut received = String::new();
    while received.len() < EVENT.len() + half.len() {
        let chunk = answer.chunk().await.unwrap().unwrap();
        received.push_str(str::from_utf8(&chunk).unwrap());
    }
    server.auth.revoke(Revocation::of_subject(server.issuer.issuer(), "alice"));
    sender.send(rest).unwrap();
    received.push_str(&answer.text().await.unwrap());
    assert_eq!(received, format!("{EVENT}{EVENT}{RETRY}"));
    // Whoever sends the events is told.
    sender.closed().await;
}

/// As a proxy in front of a busy server makes them: no piece ends where an event does.
#[tokio::test]
async fn a_stream_whose_pieces_all_end_within_an_event_ends_behind_the_first_whole_one() {
    for (line, count) in [("\n", 1), ("\r\n", 3), ("\r", 2)] {
        let (sender, receiver) = unbounded_channel::<String>();
        let server = Streams::with_bodies(|_| {}, body_of(receiver)).await;
        let mut answer = server.get(&server.token("alice", 3600)).await;
        sender.send("data: be".to_owned()).unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: be");
        server.auth.revoke(Revocation::of_subject(server.issuer.issuer(), "alice"));
        let next = format!("fore{line}{line}data: after{line}{line}").repeat(count);
        sender.send(format!("{next}data: be")).unwrap();
        sender.send(format!("{next}data: be")).unwrap();
        let rest = answer.text().await.unwrap();
        // Where a line ends with one character, the next event may begin behind the first of two.
        let whole = format!("fore{line}{line}");
        assert!(whole.starts_with(rest.strip_suffix(RETRY).unwrap()), "{rest:?}");
        assert!(rest.len() >= whole.len() - 1 + RETRY.len(), "{rest:?}");
        sender.closed().await;
    }
}

#[tokio::test]
async fn a_piece_is_cut_where_the_event_ends_in_whose_middle_the_stream_is() {
    let issuer = DevIssuer::start().await.unwrap();
    let auth = McpAuth::new(Config::new(RESOURCE, issuer.issuer()).unwrap()).unwrap();
    let token = issuer.mint().subject("alice").audience(RESOURCE).sign();
    let get = admitted(&auth, "GET", Some(&token)).await;
    let stream = ("content-type", "text/event-stream");
    let begun = |sent: &str, more: &[(&'static str, &'static str)]| {
        let headers = [&[stream], more].concat();
        let mut end = get.stream_end(&mut headers_of(&headers)).unwrap();
        end.see(sent.as_bytes());
        end
    };
    assert_eq!(begun("data: 1", &[]).cut(b"\n\ndata: 2"), None, "the token is good");
    auth.revoke(Revocation::of_subject(issuer.issuer(), "alice"));
    for (sent, piece, length) in [
        ("data: 1", "\n\ndata: 2", Some(2)),
        ("data: 1\n", "\ndata: 2", Some(1)),
        ("data: 1\r\n\r", "\ndata: 2", None),
        ("data: 1\r\n", "\r\ndata: 2", Some(1)),
        ("x\r", "\rdata: 2", Some(1)),
        ("x", "y\nz\n\n", None),
        ("x", "y\nz", None),
        ("x", "", None),
        ("x", "\ny\n\nz\n\n", Some(4)),
    ] {
        assert_eq!(begun(sent, &[]).cut(piece.as_bytes()), length, "{sent:?} {piece:?}");
    }
    assert_eq!(begun("x", &[("content-encoding", "gzip")]).cut(b"\n\ndata"), None);
}

/// What adapters without tower do.
#[tokio::test]
async fn whoever_drives_a_stream_knows_how_long_it_is_good_and_is_woken_by_revocations() {
    const STREAM: (&str, &str) = ("content-type", "text/event-stream; charset=utf-8");
    let issuer = DevIssuer::start().await.unwrap();
    let clock = TestClock::new();
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    config.clock_tolerance = Duration::from_secs(30);
    let policy = ScopePolicy::new().require_for_method("ping", Requirement::public());
    config.resources[0].policy = Some(policy);
    let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
    let token = issuer.mint().subject("alice").audience(RESOURCE).expires_in(100).sign();
    let get = admitted(&auth, "GET", Some(&token)).await;
    let anonymous = admitted(&auth, "POST", None).await;
    assert!(get.stream_end(&mut headers_of(&[("content-type", "application/json")])).is_none());
    assert!(get.stream_end(&mut HeaderMap::new()).is_none());
    let mut of_nobody = anonymous.stream_end(&mut headers_of(&[STREAM])).unwrap();
    assert_eq!((of_nobody.step(), of_nobody.time_left()), (None, None));

    let mut of_known_length = headers_of(&[STREAM, ("content-length", "1000")]);
    let mut plain = get.stream_end(&mut of_known_length).unwrap();
    assert!(!of_known_length.contains_key("content-length"), "it may end before that");
    let mut gzip = headers_of(&[STREAM, ("content-encoding", "gzip")]);
    let mut encoded = get.stream_end(&mut gzip).unwrap();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    for one in [&mut plain, &mut encoded] {
        assert!(one.is_watched());
        assert_eq!(one.step(), None);
        assert_eq!(one.time_left(), Some(Duration::from_secs(130)));
        assert!(one.poll_revoked(&mut context).is_pending());
    }
    auth.revoke(Revocation::of_subject(issuer.issuer(), "bob"));
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    for one in [&mut plain, &mut encoded] {
        assert!(one.poll_revoked(&mut context).is_ready());
        assert!(one.poll_revoked(&mut context).is_pending());
        assert_eq!(one.step(), None, "it was somebody else");
    }
    clock.advance(129);
    assert_eq!(plain.time_left(), Some(Duration::from_secs(1)));
    plain.see(b"data: 1");
    encoded.see(b"\x1f\x8b");
    clock.advance(1);
    assert_eq!((plain.step(), plain.time_left()), (None, None), "in the middle of an event");
    plain.see(b"\r\n\r\n");
    assert_eq!(plain.step(), Some(Bytes::from_static(RETRY.as_bytes())));
    assert_eq!(plain.step(), Some(Bytes::new()));
    assert_eq!(encoded.step(), Some(Bytes::new()), "nothing can be put between its events");
}

/// Most streams are over by the next turn, and those that are not wait for what ends them.
#[tokio::test]
async fn a_stream_is_looked_at_twice_more_before_it_waits_for_its_end() {
    let issuer = DevIssuer::start().await.unwrap();
    let auth = McpAuth::new(Config::new(RESOURCE, issuer.issuer()).unwrap()).unwrap();
    let token = issuer.mint().subject("alice").audience(RESOURCE).sign();
    let service = auth.layer().layer(service_fn(async |_: Request<Body>| {
        let event = Ok::<_, Infallible>(Bytes::from_static(EVENT.as_bytes()));
        let body = Body::from_stream(stream::iter([event]).chain(stream::pending()));
        let response = Response::builder().header("content-type", "text/event-stream");
        Ok::<_, Infallible>(response.body(body).unwrap())
    }));
    let get = Request::get("/mcp").header("authorization", format!("Bearer {token}"));
    let response = service.oneshot(get.body(Body::empty()).unwrap()).await.unwrap();
    let mut body = std::pin::pin!(response.into_body());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    let Poll::Ready(Some(Ok(first))) = body.as_mut().poll_frame(&mut context) else {
        panic!("its event is there");
    };
    assert_eq!(first.into_data().unwrap(), EVENT);
    for woken_so_far in [1, 2, 2, 2] {
        assert!(body.as_mut().poll_frame(&mut context).is_pending());
        assert_eq!(woken.0.load(Ordering::Relaxed), woken_so_far);
    }
    auth.revoke(Revocation::of_subject(issuer.issuer(), "alice"));
    assert_eq!(woken.0.load(Ordering::Relaxed), 3);
    let Poll::Ready(Some(Ok(last))) = body.as_mut().poll_frame(&mut context) else {
        panic!("it ends");
    };
    assert_eq!(last.into_data().unwrap(), RETRY);
}

#[tokio::test]
async fn an_answer_to_a_post_is_watched_before_its_first_event() {
    let issuer = DevIssuer::start().await.unwrap();
    let auth = McpAuth::new(Config::new(RESOURCE, issuer.issuer()).unwrap()).unwrap();
    let token = issuer.mint().audience(RESOURCE).sign();
    let post = admitted(&auth, "POST", Some(&token)).await;
    let mut answer =
        post.stream_end(&mut headers_of(&[("content-type", "text/event-stream")])).unwrap();
    assert!(answer.is_watched());
    auth.revoke(Revocation::of_subject(issuer.issuer(), "alice"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(answer.poll_revoked(&mut context).is_ready(), "it was revoked before anybody waited");
    assert_eq!(answer.step(), Some(Bytes::from_static(RETRY.as_bytes())));
    assert!(!answer.is_watched());
}
