//! One JSON document from an authorization server.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use super::cache_control::{delta_seconds, fresh_for};
use super::{Destination, HttpClient};
use crate::json::read_value;

/// A document, and how long it is fresh if its headers say so.
pub(crate) struct Fetched {
    pub(crate) document: Value,
    pub(super) fresh_for: Option<Duration>,
}

/// What is the matter with a place where a document should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The server answered with a status other than 200.
    NoDocument,
    /// What it answered with is not JSON.
    NotJson,
    /// The document belongs to another issuer.
    OtherIssuer,
    /// There was no answer, or one that is too large, too slow, or redirects elsewhere.
    #[default]
    Unreachable,
    /// The document lacks what is needed, or names what may not be fetched.
    Unusable,
}

/// Why a document cannot be had.
#[derive(Debug, Default)]
pub(crate) struct FetchFault {
    pub(crate) kind: FaultKind,
    /// For operators.
    pub(crate) reason: String,
    /// Seconds that the server asks us to leave it alone.
    pub(super) retry_after: Option<u64>,
}

impl FetchFault {
    pub(super) fn new(kind: FaultKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), retry_after: None }
    }

    /// Puts the URL where it happened before the reason.
    pub(super) fn at(self, url: &str) -> Self {
        Self { reason: format!("{url}: {}", self.reason), ..self }
    }

    /// One fault with the reasons of both, the kind of the first, and the longer of the pauses that were asked for.
    pub(super) fn joined_with(self, other: Self) -> Self {
        Self {
            kind: self.kind,
            reason: format!("{}; {}", self.reason, other.reason),
            retry_after: self.retry_after.max(other.retry_after),
        }
    }
}

impl From<String> for FetchFault {
    fn from(reason: String) -> Self {
        Self::new(FaultKind::Unusable, reason)
    }
}

/// Fetches one document. Its media type is not judged: key sets are served under many.
pub(crate) async fn fetch_json(
    from: &Destination,
    http: &dyn HttpClient,
) -> Result<Fetched, FetchFault> {
    let request = Request::get(&from.url)
        .header(header::ACCEPT, "application/json")
        .extension(from.addresses)
        .body(Bytes::new())
        .map_err(|_| "not a valid URL".to_owned())?;
    let response = http
        .send(request)
        .await
        .map_err(|error| FetchFault::new(FaultKind::Unreachable, error.to_string()))?;
    if response.status() != StatusCode::OK {
        let reason = format!("status {}", response.status().as_u16());
        let retry_after = retry_after(&response);
        return Err(FetchFault { kind: FaultKind::NoDocument, reason, retry_after });
    }
    let document = read_value(response.body())
        .map_err(|error| FetchFault::new(FaultKind::NotJson, format!("not JSON: {error}")))?;
    Ok(Fetched { document, fresh_for: fresh_for(response.headers()) })
}

/// RFC 9110 §10.2.3, as seconds. A date is not read: it would depend on both clocks.
pub(super) fn retry_after(response: &Response<Bytes>) -> Option<u64> {
    let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    delta_seconds(value).filter(|_| busy.contains(&response.status()))
}
