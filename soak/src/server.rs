//! The server that is protected: two tools, sessions that it believes to be its caller's, and streams without an end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use mcp_auth::AuthInfo;
use serde_json::{Value, json};

pub(crate) const SESSION: &str = "mcp-session-id";

/// How often a stream has an event.
const PAUSE: Duration = Duration::from_millis(100);

/// What both instances of the server know.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    /// The sessions, and who began each.
    sessions: Arc<Mutex<HashMap<String, String>>>,
    pub(crate) open_streams: Arc<AtomicUsize>,
    pub(crate) begun_streams: Arc<AtomicUsize>,
}

/// The routes of the server.
pub(crate) fn routes(shared: Shared) -> Router {
    Router::new().route("/mcp", post(message).get(listen).delete(end)).with_state(shared)
}

async fn message(
    State(shared): State<Shared>,
    Extension(caller): Extension<AuthInfo>,
    headers: HeaderMap,
    Json(message): Json<Value>,
) -> Response {
    let subject = caller.subject().unwrap_or_default();
    if message["method"] == "initialize" {
        let session = format!("{:032x}", fastrand::u128(..));
        shared.sessions.lock().unwrap().insert(session.clone(), subject.to_owned());
        return ([(SESSION, session)], answer(&message, subject)).into_response();
    }
    match shared.owner(&headers, subject) {
        Ok(()) => answer(&message, subject).into_response(),
        Err(status) => status.into_response(),
    }
}

/// A stream of events that ends when somebody ends it.
async fn listen(State(shared): State<Shared>, Extension(caller): Extension<AuthInfo>) -> Response {
    let subject = caller.subject().unwrap_or_default().to_owned();
    let open = Open::new(&shared);
    let events = stream::unfold((open, 0_u64), move |(open, number)| {
        let event = Bytes::from(format!("id: {number}\ndata: {}\n\n", json!({ "sub": subject })));
        async move {
            if number > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            Some((Ok::<_, std::convert::Infallible>(event), (open, number + 1)))
        }
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}

async fn end(
    State(shared): State<Shared>,
    Extension(caller): Extension<AuthInfo>,
    headers: HeaderMap,
) -> StatusCode {
    if let Err(status) = shared.owner(&headers, caller.subject().unwrap_or_default()) {
        return status;
    }
    if let Some(session) = headers.get(SESSION).and_then(|value| value.to_str().ok()) {
        shared.sessions.lock().unwrap().remove(session);
    }
    StatusCode::OK
}

fn answer(message: &Value, subject: &str) -> Json<Value> {
    Json(json!({ "jsonrpc": "2.0", "id": message["id"], "result": { "sub": subject } }))
}

impl Shared {
    /// Whether the request names no session, or one that its caller began. Nobody else's may get here.
    fn owner(&self, headers: &HeaderMap, subject: &str) -> Result<(), StatusCode> {
        let Some(named) = headers.get(SESSION) else { return Ok(()) };
        let sessions = self.sessions.lock().unwrap();
        match named.to_str().ok().and_then(|session| sessions.get(session)) {
            Some(owner) if owner == subject => Ok(()),
            Some(_) => Err(StatusCode::IM_A_TEAPOT),
            None => Err(StatusCode::NOT_FOUND),
        }
    }
}

/// An open stream, counted as long as it lives.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(shared: &Shared) -> Self {
        shared.open_streams.fetch_add(1, Ordering::SeqCst);
        shared.begun_streams.fetch_add(1, Ordering::SeqCst);
        Self(shared.open_streams.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
