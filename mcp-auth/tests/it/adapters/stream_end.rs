//! Streams end when the token of their caller is good no more.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use axum::routing::any_service;
use dev_issuer::DevIssuer;
use futures_util::stream::{self, StreamExt as _};
use mcp_auth::revocation::Revocation;
use mcp_auth::{Config, McpAuth, ScopePolicy};
use tokio::net::TcpListener;
use tower::service_fn;

use crate::support::RESOURCE;

const EVENT: &str = "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
const RETRY: &str = "retry: 1000\n\n";

/// A server whose streams send these pieces and then nothing for ever.
struct Streams {
    issuer: DevIssuer,
    auth: McpAuth,
    url: String,
}

impl Streams {
    async fn sending(pieces: &'static [&'static str], change: impl FnOnce(&mut Config)) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
        config.clock_tolerance = Duration::ZERO;
        change(&mut config);
        let auth = McpAuth::new(config).unwrap();
        let server = any_service(service_fn(move |_: Request<Body>| async move {
            let sent = pieces
                .iter()
                .map(|piece| Ok::<_, Infallible>(Bytes::from_static(piece.as_bytes())));
            let body = Body::from_stream(stream::iter(sent).chain(stream::pending()));
            let response = Response::builder().header("content-type", "text/event-stream");
            Ok::<_, Infallible>(response.body(body).unwrap())
        }));
        let app: Router = auth.protect(server);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, auth, url }
    }

    fn token(&self, subject: &str, expires_in: i64) -> String {
        self.issuer.mint().subject(subject).audience(RESOURCE).expires_in(expires_in).sign()
    }

    async fn get(&self, token: &str) -> reqwest::Response {
        let request = reqwest::Client::new().get(&self.url).bearer_auth(token);
        request.header("accept", "text/event-stream").send().await.unwrap()
    }

    async fn listen(&self, token: &str) -> reqwest::Response {
        let message = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}"#;
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
