//! A protected resource, its issuer, and a clock that tests may turn.

pub(crate) mod hostile;
pub(crate) mod kept_connections;
pub(crate) mod log;
pub(crate) mod policy_server;
#[cfg(all(unix, feature = "redis"))]
pub(crate) mod redis;
pub(crate) mod scripted;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, Request, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::any_service;
use dev_issuer::{DevIssuer, Mint};
use mcp_auth::clock::Clock;
use mcp_auth::{AuthError, AuthInfo, Config, McpAuth};
use serde_json::{Value, json};
use tower::{ServiceExt as _, service_fn};

pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const METADATA_URL: &str =
    "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

/// A clock that starts now and moves only when told to.
#[derive(Clone)]
pub(crate) struct TestClock {
    started_at: u64,
    now: Arc<AtomicU64>,
}

impl TestClock {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Self { started_at: now, now: Arc::new(AtomicU64::new(now)) }
    }

    /// When it was made. Tokens are issued then: by the clock of the system it may be a second later meanwhile.
    pub(crate) fn started_at(&self) -> u64 {
        self.started_at
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn set_back(&self, seconds: u64) {
        self.now.fetch_sub(seconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn unix_seconds(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }
}

/// A protected echo server and its issuer.
pub(crate) struct Harness {
    pub(crate) issuer: DevIssuer,
    pub(crate) clock: TestClock,
    pub(crate) app: Router,
}

impl Harness {
    /// Protects [`RESOURCE`], which needs the scope `mcp`.
    pub(crate) async fn start() -> Self {
        Self::with(|config| config.with_required_scopes(["mcp"])).await
    }

    /// The same with a changed configuration.
    pub(crate) async fn with(change: impl FnOnce(Config) -> Config) -> Self {
        Self::around(DevIssuer::start().await.unwrap(), change)
    }

    /// The same around an issuer that is already there.
    pub(crate) fn around(issuer: DevIssuer, change: impl FnOnce(Config) -> Config) -> Self {
        let config = change(Config::new(RESOURCE, issuer.issuer()).unwrap());
        let clock = TestClock::new();
        let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
        Self { issuer, clock, app: auth.protect(echo()) }
    }

    /// A token that is good unless it is changed.
    pub(crate) fn mint(&self) -> Mint {
        let token = self.issuer.mint().subject("alice").audience(RESOURCE).scope("mcp");
        token.client_id("test-client").issued_at(self.clock.started_at())
    }

    /// Sends a POST to the resource with this token.
    pub(crate) async fn call(&self, token: &str) -> Answer {
        self.send(request("POST", "/mcp", &[("authorization", &format!("Bearer {token}"))])).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(self.app.clone(), request).await
    }
}

/// Answers with what a handler sees of the request.
pub(crate) fn echo() -> axum::routing::MethodRouter {
    any_service(service_fn(|request: Request<Body>| async move {
        let auth = request.extensions().get::<AuthInfo>().expect("only allowed requests get here");
        let body = json!({
            "authorization": request.headers().contains_key(header::AUTHORIZATION),
            "subject": auth.subject(),
            "client_id": auth.client_id(),
            "issuer": auth.issuer(),
            "audience": auth.audience(),
            "scopes": auth.scopes(),
            "claims": auth.claims(),
        });
        Ok::<_, std::convert::Infallible>(axum::Json(body).into_response())
    }))
}

/// A request with these headers.
pub(crate) fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

pub(crate) async fn send(app: Router, request: Request<Body>) -> Answer {
    let response = app.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let error = parts.extensions.get::<AuthError>().cloned();
    Answer { status: parts.status, headers: parts.headers, body, error }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) error: Option<AuthError>,
}

impl Answer {
    /// The stable code of the refusal, `ok` when there is none.
    pub(crate) fn code(&self) -> &'static str {
        self.error.as_ref().map_or("ok", AuthError::code)
    }

    pub(crate) fn header(&self, name: impl TryInto<HeaderName>) -> Option<&str> {
        let name = name.try_into().ok()?;
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn challenge(&self) -> Option<&str> {
        self.header("www-authenticate")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}
