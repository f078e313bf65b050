//! Whose tasks, states and events are, to a server that knows nothing of it.

mod events;
mod states;
mod tasks;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::any_service;
use dev_issuer::DevIssuer;
use mcp_auth::{Config, McpAuth};
use serde_json::{Value, json};
use tower::service_fn;

use crate::support::{Answer, RESOURCE, TestClock, send};

/// A request as the server saw it.
struct Seen {
    headers: axum::http::HeaderMap,
    body: Value,
}

/// A server that answers each message as it is told, and remembers what it saw.
struct HandleServer {
    issuer: DevIssuer,
    clock: TestClock,
    config: Config,
    seen: Arc<Mutex<Vec<Seen>>>,
    app: Router,
}

impl HandleServer {
    /// One that seals everything, and answers with this `result`.
    async fn start(result: fn(&Value) -> Value) -> Self {
        Self::with(|_| {}, result).await
    }

    async fn with(change: impl FnOnce(&mut Config), result: fn(&Value) -> Value) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
        config.handle_keys = vec!["a-key-of-thirty-two-characters-1".into()];
        let resource = &mut config.resources[0];
        resource.seal_task_ids = true;
        resource.seal_request_state = true;
        resource.seal_event_ids = true;
        change(&mut config);
        let (clock, seen) = (TestClock::new(), Arc::default());
        let app = protected(&config, &clock, &seen, result);
        Self { issuer, clock, config, seen, app }
    }

    /// Another instance of the same server, with this change of its configuration.
    fn instance(&self, change: impl FnOnce(&mut Config), result: fn(&Value) -> Value) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        let app = protected(&config, &self.clock, &self.seen, result);
        let (issuer, clock) = (self.issuer.clone(), self.clock.clone());
        Self { issuer, clock, config, seen: self.seen.clone(), app }
    }

    fn token(&self, user: &str, client: &str) -> String {
        self.issuer.mint().subject(user).client_id(client).audience(RESOURCE).sign()
    }

    fn alice(&self) -> String {
        self.token("alice", "app")
    }

    /// The answer to this body with these headers.
    async fn post(&self, token: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut request = Request::post("/mcp")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let text = body.to_string();
        let request = request.header("content-length", text.len());
        send(self.app.clone(), request.body(Body::from(text)).unwrap()).await
    }

    /// The same of one message.
    async fn call(&self, token: &str, method: &str, params: Value) -> Answer {
        self.post(token, &[], &message(method, params)).await
    }

    /// What the server saw since this was asked for.
    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn protected(
    config: &Config,
    clock: &TestClock,
    seen: &Arc<Mutex<Vec<Seen>>>,
    result: fn(&Value) -> Value,
) -> Router {
    let auth = McpAuth::builder(config.clone()).clock(clock.clone()).build().unwrap();
    let remembered = seen.clone();
    auth.protect(any_service(service_fn(move |request: Request<Body>| {
        let remembered = remembered.clone();
        async move { Ok::<_, Infallible>(answer(request, &remembered, result).await) }
    })))
}

async fn answer(
    request: Request<Body>,
    remembered: &Mutex<Vec<Seen>>,
    result: fn(&Value) -> Value,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let announced = parts.headers.get("content-length");
    if let Some(length) = announced.filter(|_| !bytes.is_empty()) {
        assert_eq!(length.to_str().unwrap(), bytes.len().to_string());
    }
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let streams = parts.headers.get("accept").is_some_and(|accept| accept == "text/event-stream");
    let answered = match &body {
        Value::Array(batch) => batch.iter().map(|one| answer_to(one, result)).collect(),
        one => answer_to(one, result),
    };
    let begun = body["params"]["session"].clone();
    remembered.lock().unwrap().push(Seen { headers: parts.headers, body });
    let (media_type, text) = match streams {
        true => ("text/event-stream", format!("id: e1\ndata:\n\nid: e2\ndata: {answered}\n\n")),
        false => ("application/json", answered.to_string()),
    };
    let mut response = Response::builder().header("content-type", media_type);
    // It begins the session that it is told to.
    if let Some(session) = begun.as_str() {
        response = response.header("mcp-session-id", session);
    }
    response.body(Body::from(text)).unwrap()
}

/// The result as an answer, unless it is a message of its own.
fn answer_to(request: &Value, result: fn(&Value) -> Value) -> Value {
    let result = result(request);
    match result.get("jsonrpc") {
        Some(_) => result,
        None => json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }),
    }
}

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

/// Refused as servers refuse what they do not know.
fn assert_unknown(answer: &Answer, code: &str, text: &str) {
    assert_eq!((answer.status, answer.code()), (StatusCode::OK, code), "{answer:?}");
    let error = json!({ "code": -32602, "message": text });
    assert_eq!(answer.json(), json!({ "jsonrpc": "2.0", "id": 7, "error": error }));
    assert!(answer.challenge().is_none());
}
