//! A server with a policy that does whatever it is told, and says what that was.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use axum::routing::any_service;
use dev_issuer::{DevIssuer, Mint};
use mcp_auth::{AuthInfo, Config, McpAuth, McpAuthBuilder, ScopePolicy};
use serde_json::{Value, json};
use tower::service_fn;

use crate::support::{Answer, Harness, RESOURCE, send};

/// The revisions of MCP; the first has no `MCP-Protocol-Version` header.
pub(crate) const REVISIONS: [&str; 5] =
    ["", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

/// A server with a policy that does whatever it is told, and remembers what that was.
pub(crate) struct PolicyServer {
    pub(crate) harness: Harness,
    ran: Arc<Mutex<Vec<String>>>,
}

impl PolicyServer {
    pub(crate) async fn start(policy: ScopePolicy) -> Self {
        Self::with(policy, |config| config, |builder| builder).await
    }

    pub(crate) async fn with(
        policy: ScopePolicy,
        configure: impl FnOnce(Config) -> Config,
        build: impl FnOnce(McpAuthBuilder) -> McpAuthBuilder,
    ) -> Self {
        Self::answering(policy, configure, build, |message| json!({ "ok": message["method"] }))
            .await
    }

    /// The same, with this `result` for every message.
    pub(crate) async fn answering(
        policy: ScopePolicy,
        configure: impl FnOnce(Config) -> Config,
        build: impl FnOnce(McpAuthBuilder) -> McpAuthBuilder,
        result: impl Fn(&Value) -> Value + Clone + Send + Sync + 'static,
    ) -> Self {
        let ran = Arc::new(Mutex::new(Vec::new()));
        let log = ran.clone();
        let obedient = any_service(service_fn(move |request: Request<Body>| {
            let (log, result) = (log.clone(), result.clone());
            async move { Ok::<_, Infallible>(obey(request, &log, result).await) }
        }));
        let issuer = DevIssuer::start().await.unwrap();
        let mut config = configure(Config::new(RESOURCE, issuer.issuer()).unwrap());
        config.resources[0].policy = Some(policy);
        let auth = build(McpAuth::builder(config)).build().unwrap();
        let app = auth.protect(obedient);
        let clock = crate::support::TestClock::new();
        Self { harness: Harness { issuer, clock, app }, ran }
    }

    pub(crate) fn mint(&self, scope: &str) -> Mint {
        self.harness.mint().scope(scope)
    }

    /// What was done since this was asked for.
    pub(crate) fn ran(&self) -> Vec<String> {
        std::mem::take(&mut *self.ran.lock().unwrap())
    }

    /// Sends a body with these headers besides the token's; what came back, and what was done.
    pub(crate) async fn post(
        &self,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> (Answer, Vec<String>) {
        let mut request = Request::post("/mcp").header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body.into())).unwrap();
        let answer = send(self.harness.app.clone(), request).await;
        (answer, self.ran())
    }
}

/// Carries out every message, as carelessly as a server may: of two members of one name the last
/// counts, methods are compared without case and white space, batches are taken in any revision.
async fn obey(
    request: Request<Body>,
    log: &Mutex<Vec<String>>,
    result: impl Fn(&Value) -> Value,
) -> Response<Body> {
    assert!(!request.headers().contains_key("authorization"));
    let streams =
        request.headers().get("accept").is_some_and(|accept| accept == "text/event-stream");
    let caller = request.extensions().get::<AuthInfo>().cloned();
    let mut body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    if body.is_empty() {
        body = r#"{"method":"no body"}"#.into();
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        log.lock().unwrap().push("not JSON".to_owned());
        return Response::new(Body::empty());
    };
    let messages = body.as_array().cloned().unwrap_or_else(|| vec![body]);
    let mut answers = Vec::new();
    for message in messages {
        let params = &message["params"];
        let name = [&params["name"], &params["uri"], &params["ref"]["name"], &params["ref"]["uri"]];
        let name = name.into_iter().find_map(Value::as_str).unwrap_or_default();
        let method = message["method"].as_str().unwrap_or("answer").trim().to_lowercase();
        let caller =
            caller.as_ref().map_or("nobody", |caller| caller.subject().unwrap_or("machine"));
        log.lock().unwrap().push(format!("{method} {name} for {caller}"));
        answers.push(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result(&message) }));
    }
    let answer = if answers.len() == 1 { answers.remove(0) } else { Value::from(answers) };
    let (media_type, body) = match streams {
        true => (
            "text/event-stream",
            format!("id: 0\nretry: 3000\n\nevent: message\ndata: {answer}\n\n"),
        ),
        false => ("application/json", answer.to_string()),
    };
    Response::builder().header("content-type", media_type).body(Body::from(body)).unwrap()
}

/// A request for this method.
pub(crate) fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

/// `tools/call` of this tool.
pub(crate) fn tool_call(name: &str) -> Value {
    message("tools/call", json!({ "name": name, "arguments": {} }))
}
