//! The language-neutral cases of `vectors/`, which every SDK runs.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::http::{Request, Response, StatusCode};
use futures_util::future::{BoxFuture, ready};
use mcp_auth::{Clock, Config, HttpClient, HttpError, McpAuth};
use serde::Deserialize;
use serde_json::Value;

use crate::support::{echo, request, send};

#[derive(Deserialize)]
struct Vectors {
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
struct CaseRequest {
    method: String,
    target: String,
    authorization: Vec<String>,
}

#[derive(Deserialize)]
struct Expectation {
    status: u16,
    code: String,
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

#[tokio::test]
async fn every_case_is_decided_as_expected() {
    let file = include_str!("../../../vectors/decisions.json");
    let vectors: Vectors = serde_json::from_str(file).unwrap();
    let auth = McpAuth::builder(vectors.config)
        .clock(FixedClock(vectors.now))
        .http_client(Documents(vectors.documents))
        .build()
        .unwrap();
    let app = auth.protect(echo());
    assert!(vectors.cases.len() > 60);
    for case in vectors.cases {
        let sent = case.request;
        let headers: Vec<_> =
            sent.authorization.iter().map(|value| ("authorization", &**value)).collect();
        let answer = send(app.clone(), request(&sent.method, &sent.target, &headers)).await;
        let actual = (answer.status.as_u16(), answer.code());
        assert_eq!(actual, (case.expect.status, &*case.expect.code), "{}", case.name);
        // A 401 that does not say where to sign in is of no use to a client.
        assert_eq!(answer.challenge().is_some(), actual.0 != 200, "{}", case.name);
    }
}
