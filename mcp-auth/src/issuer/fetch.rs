//! One JSON document from an authorization server.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use super::cache_control::fresh_for;
use super::http_date::retry_after;
use super::{Destination, FetchContext, HttpError};
use crate::json::{JsonError, read_value};
use crate::text::without_byte_order_mark;

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
    /// There is no document: the server answered with a status such as 404, or with too much.
    NoDocument,
    /// What it answered with is not JSON.
    NotJson,
    /// The document belongs to another issuer.
    OtherIssuer,
    /// The server redirects elsewhere, where it is not followed: nothing is known about the document.
    Redirected,
    /// The server, or a firewall or proxy before it, refuses the request (a status such as 401, 403, 406 or 415):
    /// nothing is known about the document.
    RequestRefused,
    /// The server answers, and is in trouble or asked too often (429, 5xx): nothing is known about the document.
    ServerTrouble,
    /// There was no answer, or one that is too slow.
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

    /// No answer within this time.
    pub(super) fn no_answer_within(limit: Duration) -> Self {
        let seconds = (limit.as_secs_f32() * 10.0).round() / 10.0;
        Self::new(FaultKind::Unreachable, format!("no answer within {seconds} s"))
    }

    /// Puts the URL where it happened before the reason.
    pub(super) fn at(self, url: &str) -> Self {
        Self { reason: format!("{url}: {}", self.reason), ..self }
    }

    /// Puts behind the reason what can be done.
    pub(super) fn with_hint(self, hint: &str) -> Self {
        Self { reason: format!("{}; {hint}", self.reason), ..self }
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

/// What is fetched, which decides the media types that are asked for.
#[derive(Clone, Copy)]
pub(crate) enum DocumentKind {
    Keys,
    Metadata,
}

impl DocumentKind {
    /// All that it may have, and for servers that write another one, everything: what they send is not judged by it.
    fn media_types(self) -> &'static str {
        match self {
            // RFC 7517 §8.5.2.
            Self::Keys => "application/jwk-set+json, application/json;q=0.9, */*;q=0.1",
            // RFC 8414 §3.2; OpenID Connect Discovery 1.0 §4.2.
            Self::Metadata => "application/json, application/*+json;q=0.9, */*;q=0.1",
        }
    }
}

/// Fetches one document. Its media type is not judged: key sets are served under many.
pub(crate) async fn fetch_json(
    kind: DocumentKind,
    from: &Destination,
    context: &FetchContext,
) -> Result<Fetched, FetchFault> {
    let limit = share_of(context.timeout);
    match tokio::time::timeout(limit, fetch_without_limit(kind, from, context)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(FetchFault::no_answer_within(limit)),
    }
}

/// How much of [`FetchContext::timeout`] there is for all metadata documents together, and how much for the keys: four
/// fifths. So a request that waits for what does not answer gets its 503 before `timeout` is over.
pub(super) fn share_of(timeout: Duration) -> Duration {
    timeout / 5 * 4
}

async fn fetch_without_limit(
    kind: DocumentKind,
    from: &Destination,
    context: &FetchContext,
) -> Result<Fetched, FetchFault> {
    let request = Request::get(&from.url)
        .header(header::ACCEPT, kind.media_types())
        .extension(from.addresses)
        .body(Bytes::new())
        .map_err(|_| "not a valid URL".to_owned())?;
    let response = context.http.send(request).await.map_err(fault_of)?;
    let now = context.clock.unix_seconds();
    if response.status() != StatusCode::OK {
        let retry_after = retry_after(response.status(), response.headers(), now);
        return Err(FetchFault { retry_after, ..status_fault(&response) });
    }
    let document = read_value(without_byte_order_mark(response.body()))
        .map_err(|error| FetchFault::new(FaultKind::NotJson, why_no_json(error, &response)))?;
    Ok(Fetched { document, fresh_for: fresh_for(response.headers(), now) })
}

/// The fault of a request that failed.
fn fault_of(error: HttpError) -> FetchFault {
    FetchFault::new(error.kind(), error.to_string())
}

const FROM_BETWEEN: &str = "; an HTML page came with it, as of a firewall or proxy in between";

/// The fault of an answer that is no document.
fn status_fault(response: &Response<Bytes>) -> FetchFault {
    let status = response.status();
    let mut reason = format!("status {}", status.as_u16());
    // What is not there is one thing; that we may not have it, or not in this way, is another.
    let is_absent = matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        if status == StatusCode::TOO_MANY_REQUESTS {
            reason += ": it is asked too often";
        }
        if is_html(response) {
            reason += FROM_BETWEEN;
        }
        return FetchFault::new(FaultKind::ServerTrouble, reason);
    }
    if status.is_redirection() {
        return FetchFault::new(FaultKind::Redirected, reason);
    }
    if is_absent || !status.is_client_error() {
        return FetchFault::new(FaultKind::NoDocument, reason);
    }
    reason += match status {
        StatusCode::NOT_ACCEPTABLE => {
            ": it has the document in no media type, although all are asked for"
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ": it wants a body of some media type with a GET",
        StatusCode::UNAUTHORIZED => ": it asks us to sign in",
        _ => ": it refuses the request, and says nothing about the document",
    };
    if is_html(response) {
        reason += FROM_BETWEEN;
    }
    FetchFault::new(FaultKind::RequestRefused, reason)
}

/// Why what came is no JSON.
fn why_no_json(error: JsonError, response: &Response<Bytes>) -> String {
    if is_html(response) {
        return "not JSON, but an HTML page".to_owned();
    }
    match response.headers().get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => {
            return format!("not JSON: its `Content-Encoding` {encoding:?} was not decoded");
        }
        _ => {}
    }
    match error {
        JsonError::Syntax(at) => format!("not JSON at byte {at}"),
        other => format!("not JSON: {other}"),
    }
}

/// Whether a body is HTML: by what it is, as the label is often another.
fn is_html(response: &Response<Bytes>) -> bool {
    let body = without_byte_order_mark(response.body()).trim_ascii_start();
    ["<!doctype html", "<html"].iter().any(|tag| {
        body.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
    })
}
