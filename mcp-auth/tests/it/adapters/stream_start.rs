//! How a stream begins in which a handler may still ask for more scopes.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::http::{Request, Response};
use bytes::Bytes;
use dev_issuer::DevIssuer;
use futures_util::{FutureExt as _, stream};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full, StreamBody};
use mcp_auth::layer::ProtectedBody;
use mcp_auth::{Config, McpAuth, ScopePolicy};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::RESOURCE;

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}"#;
const PRIMING: &str = "id: 0\ndata:\n\n";
const EVENT: &str = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\n";

type FrameResult = Result<Frame<Bytes>, io::Error>;
type Answering = Pin<Box<dyn Future<Output = Response<ProtectedBody<BoxedStream>>> + Send>>;
type BoxedStream = Pin<Box<dyn Body<Data = Bytes, Error = io::Error> + Send>>;

fn body_of(frames: UnboundedReceiver<FrameResult>) -> BoxedStream {
    let all = stream::unfold(frames, |mut rest| async move {
        let frame = rest.recv().await?;
        Some((frame, rest))
    });
    Box::pin(StreamBody::new(all))
}

fn data(text: &'static str) -> FrameResult {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

/// A call to a service that answers with a stream, of which nothing has come yet; with a policy and without one.
async fn calls() -> Vec<(UnboundedSender<FrameResult>, Answering)> {
    let issuer = DevIssuer::start().await.unwrap();
    let mut calls = Vec::new();
    for policy in [None, Some(ScopePolicy::new().require_for_tool("whoami", ["notes:read"]))] {
        let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
        config.resources[0].policy = policy;
        let auth = McpAuth::new(config).unwrap();
        let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
        auth.authenticate(&token).await.unwrap();
        let (frames, receiver) = unbounded_channel();
        let answer = Arc::new(Mutex::new(Some(receiver)));
        let service = auth.layer().layer(service_fn(move |_: Request<Full<Bytes>>| {
            let stream = body_of(answer.lock().unwrap().take().unwrap());
            let response = Response::builder().header("content-type", "text/event-stream");
            ready(Ok::<_, Infallible>(response.body(stream).unwrap()))
        }));
        let request = Request::post("/mcp")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::from(CALL))
            .unwrap();
        let answering = service.oneshot(request).map(Result::unwrap);
        calls.push((frames, Box::pin(answering) as Answering));
    }
    calls
}

#[tokio::test]
async fn a_response_waits_for_the_first_event_which_goes_on_as_it_is() {
    for (frames, mut answering) in calls().await {
        assert!(answering.as_mut().now_or_never().is_none());
        frames.send(data(EVENT)).unwrap();
        let mut body = answering.await.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.as_ptr(), EVENT.as_ptr(), "it was copied");
        assert_eq!(first, EVENT);
        frames.send(data(EVENT)).unwrap();
        let next = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((next.as_ptr(), next.len()), (EVENT.as_ptr(), EVENT.len()));
        drop(frames);
        assert!(body.frame().await.is_none());
        assert!(body.is_end_stream());
    }
}

#[tokio::test]
async fn an_event_that_only_primes_is_no_beginning_and_is_not_lost() {
    for (frames, mut answering) in calls().await {
        frames.send(data(PRIMING)).unwrap();
        assert!(answering.as_mut().now_or_never().is_none());
        frames.send(data(EVENT)).unwrap();
        drop(frames);
        let whole = answering.await.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(whole, [PRIMING, EVENT].concat());
    }
}

#[tokio::test]
async fn trailers_come_after_what_was_held() {
    for (frames, mut answering) in calls().await {
        frames.send(data(PRIMING)).unwrap();
        assert!(answering.as_mut().now_or_never().is_none());
        let trailers = axum::http::HeaderMap::from_iter([(
            axum::http::header::ETAG,
            axum::http::HeaderValue::from_static("x"),
        )]);
        frames.send(Ok(Frame::trailers(trailers.clone()))).unwrap();
        drop(frames);
        let collected = answering.await.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), PRIMING);
    }
}

#[tokio::test]
async fn a_body_that_fails_before_its_first_event_fails_as_it_would_alone() {
    for (frames, answering) in calls().await {
        frames.send(Err(io::Error::other("gone"))).unwrap();
        let response = answering.await;
        assert_eq!(response.status(), 200);
        let error = response.into_body().frame().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "gone");
    }
}
