//! The language-neutral cases of `vectors/`, which every SDK runs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::routing::{MethodRouter, any_service};
use futures_util::future::{BoxFuture, ready};
use mcp_auth::clock::Clock;
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::{Config, McpAuth};
use serde::Deserialize;
use serde_json::Value;

use tower::service_fn;

use crate::support::{request, send};

#[derive(Deserialize)]
pub(crate) struct Vectors {
    now: u64,
    config: Config,
    documents: HashMap<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    request: CaseRequest,
    expect: Expectation,
}

#[derive(Deserialize)]
pub(crate) struct CaseRequest {
    method: String,
    target: String,
    authorization: Vec<String>,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
struct Expectation {
    status: u16,
    code: String,
    scope: Option<String>,
}

struct FixedClock(u64);

impl Clock for FixedClock {
    fn unix_seconds(&self) -> u64 {
        self.0
    }
}

/// Answers from the file; any other URL is a 404.
struct Documents(HashMap<String, Value>);

impl HttpClient for Documents {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let document = self.0.get(&request.uri().to_string()).map(Value::to_string);
        let status = if document.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let mut response = Response::new(Bytes::from(document.unwrap_or_default()));
        *response.status_mut() = status;
        Box::pin(ready(Ok(response)))
    }
}

impl Vectors {
    pub(crate) fn read(file: &str) -> Self {
        serde_json::from_str(file).unwrap()
    }

    pub(crate) fn protect(&self) -> McpAuth {
        protect_with(self.config.clone(), self.now, self.documents.clone())
    }

    /// The token of the case of this name.
    pub(crate) fn token_of(&self, name: &str) -> &str {
        let case = self.cases.iter().find(|case| case.name == name).unwrap();
        case.request.authorization[0].strip_prefix("Bearer ").unwrap()
    }
}

/// With a clock that stands still, and these documents in place of the network.
pub(crate) fn protect_with(config: Config, now: u64, documents: HashMap<String, Value>) -> McpAuth {
    let builder = McpAuth::builder(config).clock(FixedClock(now));
    builder.http_client(Documents(documents)).build().unwrap()
}

impl CaseRequest {
    pub(crate) fn to_request(&self) -> Request<Body> {
        let authorization = self.authorization.iter().map(|value| ("authorization", &**value));
        let headers = self.headers.iter().map(|(name, value)| (&**name, &**value));
        let headers: Vec<_> = authorization.chain(headers).collect();
        let mut request = request(&self.method, &self.target, &headers);
        *request.body_mut() = Body::from(self.body.clone());
        request
    }
}

#[tokio::test]
async fn every_case_is_decided_as_expected() {
    for file in [
        include_str!("../../../vectors/decisions.json"),
        include_str!("../../../vectors/introspection.json"),
        include_str!("../../../vectors/operations.json"),
        include_str!("../../../vectors/rules.json"),
    ] {
        let vectors = Vectors::read(file);
        let auth = vectors.protect();
        let app =
            auth.protect(any_service(service_fn(|_| async { Ok(Response::new(Body::empty())) })));
        assert!(vectors.cases.len() > 40);
        for case in vectors.cases {
            check(app.clone(), case).await;
        }
    }
}

/// A case of `handles.json`.
#[derive(Deserialize)]
struct HandleCase {
    name: String,
    request: CaseRequest,
    /// What the server answers.
    answer: String,
    /// JSON, unless they say otherwise.
    #[serde(default)]
    answer_headers: HashMap<String, String>,
    expect: Passage,
}

#[derive(Deserialize)]
struct Passage {
    status: u16,
    code: String,
    /// The body that the server sees; none: it sees nothing.
    seen: Option<String>,
    /// Some headers that the server sees.
    #[serde(default)]
    seen_headers: HashMap<String, String>,
    /// What the client gets, where the server was asked.
    told: Option<String>,
}

#[tokio::test]
async fn every_handle_is_sealed_and_opened_as_expected() {
    let file: Value = serde_json::from_str(include_str!("../../../vectors/handles.json")).unwrap();
    let cases: Vec<HandleCase> = serde_json::from_value(file["cases"].clone()).unwrap();
    let mut vectors = file;
    vectors["cases"] = Value::Array(Vec::new());
    let auth = serde_json::from_value::<Vectors>(vectors).unwrap().protect();
    assert!(cases.len() > 40);
    for case in cases {
        let seen = Arc::new(Mutex::new(None));
        let answer = send(auth.protect(answering(&case, &seen)), case.request.to_request()).await;
        let actual = (answer.status.as_u16(), answer.code());
        assert_eq!(actual, (case.expect.status, &*case.expect.code), "{}", case.name);
        let request = seen.lock().unwrap().take();
        for (name, value) in &case.expect.seen_headers {
            let given = request.as_ref().and_then(|(headers, _)| headers.get(name));
            assert_eq!(given.and_then(|text| text.to_str().ok()), Some(&**value), "{}", case.name);
        }
        assert_eq!(request.map(|(_, body)| body), case.expect.seen, "{}", case.name);
        if let Some(told) = case.expect.told {
            assert_eq!(String::from_utf8(answer.body.to_vec()).unwrap(), told, "{}", case.name);
        }
    }
}

/// The headers and the body of a request, as the server saw it.
type Seen = Arc<Mutex<Option<(HeaderMap, String)>>>;

/// A server that gives the answer of this case, and remembers what it saw.
fn answering(case: &HandleCase, seen: &Seen) -> MethodRouter {
    let (noted, answer) = (seen.clone(), case.answer.clone());
    let mut response = Response::builder();
    if case.answer_headers.is_empty() {
        response = response.header("content-type", "application/json");
    }
    for (name, value) in &case.answer_headers {
        response = response.header(name, value);
    }
    let headers = response.body(()).unwrap().headers().clone();
    any_service(service_fn(move |request: Request<Body>| {
        let (noted, answer, headers) = (noted.clone(), answer.clone(), headers.clone());
        async move {
            let (parts, body) = request.into_parts();
            let bytes = to_bytes(body, usize::MAX).await.unwrap();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            *noted.lock().unwrap() = Some((parts.headers, text));
            let mut response = Response::new(Body::from(answer));
            *response.headers_mut() = headers;
            Ok::<_, Infallible>(response)
        }
    }))
}

async fn check(app: Router, case: Case) {
    let answer = send(app, case.request.to_request()).await;
    let actual = (answer.status.as_u16(), answer.code());
    assert_eq!(actual, (case.expect.status, &*case.expect.code), "{}", case.name);
    // A 401 that does not say where to sign in is of no use to a client.
    let challenge = answer.challenge();
    assert!(challenge.is_some() || !matches!(actual.0, 401), "{}", case.name);
    if let Some(scope) = case.expect.scope {
        let expected = format!("scope=\"{scope}\"");
        assert!(
            challenge.is_some_and(|text| text.contains(&expected)),
            "{}: {challenge:?}",
            case.name
        );
    }
}
