//! Requests with which issuers tell something: shape and size first, since anybody may send them.
//!
//! They come from servers and not from pages: no CORS headers are sent, and no preflight is answered.
//!
//! Tested in `serve::notices`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode;
use serde_json::json;

use super::pending_decision::{allows_utf8, announced_length};
use super::response::is_encoded;
use super::{Decision, PendingDecision, Reply};
use crate::notices::{NoticeFault, NoticeKind, Notices};
use crate::text::{Quoted, in_one_line};

/// Longer bodies are refused unread.
const MAX_BYTES: usize = 16 * 1024;

/// A notice whose head was looked at.
pub(super) struct PendingNotice {
    notices: Arc<Notices>,
    kind: NoticeKind,
    body_timeout: Duration,
}

/// Decides about a request to where notices are received, up to its body.
pub(crate) fn decide_notice(
    notices: &Arc<Notices>,
    kind: NoticeKind,
    body_timeout: Duration,
    request: &Parts,
) -> Decision {
    PendingNotice::begin(notices.clone(), kind, body_timeout, request)
}

/// Says once that something came that looks like a notice, where none is received: its sender is answered as anybody else
/// is, which would tell nobody why a logout does not count.
pub(crate) fn warn_of_closed_path(notices: &Notices, path: &str, request: &Parts) {
    if request.method != Method::POST {
        return;
    }
    let Some(kind) = notices.kind_closed_at(path) else { return };
    if check_label(kind, &request.headers).is_ok() && notices.is_first_closed(kind) {
        let (name, setting) = (kind.name(), kind.setting());
        tracing::warn!(kind = name, path = %Quoted(path), "a {name} was posted, but none is received: no issuer has `{setting}` in the configuration");
    }
}

impl PendingNotice {
    /// Asks for the body, unless the head is none that a notice has.
    fn begin(
        notices: Arc<Notices>,
        kind: NoticeKind,
        body_timeout: Duration,
        request: &Parts,
    ) -> Decision {
        let pending = Self { notices, kind, body_timeout };
        if request.method != Method::POST {
            return Decision::Reply(Reply::method_not_allowed("POST"));
        }
        if announced_length(&request.headers).is_some_and(|length| length > MAX_BYTES) {
            return Decision::Reply(pending.too_large());
        }
        let checked = check_label(kind, &request.headers)
            .and_then(|()| pending.notices.check_sender(kind, request));
        match checked {
            Ok(()) => Decision::ReadBody(PendingDecision::of_notice(pending)),
            Err(fault) => Decision::Reply(pending.refuse(&fault)),
        }
    }

    pub(super) fn max_bytes(&self) -> usize {
        MAX_BYTES
    }

    pub(super) fn timeout(&self) -> Duration {
        self.body_timeout
    }

    pub(super) fn too_large(&self) -> Reply {
        let fault = NoticeFault::Malformed("it is longer than 16 KiB".to_owned());
        self.refuse_with(StatusCode::PAYLOAD_TOO_LARGE, &fault)
    }

    pub(super) fn timed_out(&self) -> Reply {
        let fault = NoticeFault::Malformed("the body did not come in time".to_owned());
        self.refuse_with(StatusCode::REQUEST_TIMEOUT, &fault)
    }

    pub(super) fn already_read(&self) -> Reply {
        tracing::warn!(
            "something before mcp-auth has read the body of a notice: let mcp-auth come before it"
        );
        self.refuse(&NoticeFault::Malformed("its body was read before".to_owned()))
    }

    /// Verifies what came, and carries it out.
    pub(super) async fn decide(self, request: &Parts, body: &[u8]) -> Decision {
        let received = match token_in(self.kind, body) {
            Ok(token) => self.notices.receive(self.kind, &token, request).await,
            Err(fault) => Err(fault),
        };
        let reply = match received {
            Ok(received) => {
                tracing::info!(
                    target: "mcp_auth::decision",
                    code = "notice_accepted",
                    kind = self.kind.name(),
                    issuer = received.issuer,
                    revocations = received.revocations,
                    "notice accepted"
                );
                self.accepted()
            }
            // RFC 8935 §2: a transmitter that saw no answer sends again; once is enough.
            Err(NoticeFault::SeenBefore) if self.kind == NoticeKind::SecurityEvent => {
                tracing::debug!(target: "mcp_auth::decision", code = "notice_seen_before", kind = self.kind.name(), "notice received before");
                self.accepted()
            }
            Err(fault) => self.refuse(&fault),
        };
        Decision::Reply(reply)
    }

    fn accepted(&self) -> Reply {
        let status = match self.kind {
            NoticeKind::Logout => StatusCode::OK,
            NoticeKind::SecurityEvent => StatusCode::ACCEPTED,
        };
        let mut reply = Reply::empty(status);
        // Back-Channel Logout §2.8.
        reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply
    }

    fn refuse(&self, fault: &NoticeFault) -> Reply {
        let status = match fault {
            NoticeFault::TooMany => StatusCode::TOO_MANY_REQUESTS,
            NoticeFault::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            // Back-Channel Logout §2.8, RFC 8935 §2.3.
            _ => StatusCode::BAD_REQUEST,
        };
        self.refuse_with(status, fault)
    }

    fn refuse_with(&self, status: StatusCode, fault: &NoticeFault) -> Reply {
        /// Seconds after which there is room for more.
        const SOON: u64 = 5;
        tracing::warn!(
            target: "mcp_auth::decision",
            code = fault.code(),
            status = status.as_u16(),
            kind = self.kind.name(),
            reason = %in_one_line(&fault.to_string()),
            "notice refused"
        );
        let mut reply = match self.kind {
            NoticeKind::Logout => Reply::error(status, "invalid_request", fault.description()),
            NoticeKind::SecurityEvent => secevent_error(status, fault),
        };
        let retry_after = match fault {
            NoticeFault::TooMany => Some(SOON),
            NoticeFault::Unavailable(reason) => Some(reason.retry_after),
            _ => None,
        };
        reply.headers.extend(retry_after.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
        reply
    }
}

/// RFC 8935 §2.3.
fn secevent_error(status: StatusCode, fault: &NoticeFault) -> Reply {
    let body = json!({ "err": fault.secevent_code(), "description": fault.description() });
    let mut reply = Reply::json(status, Bytes::from(body.to_string()));
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static("en"));
    reply
}

/// The body must be what its kind says, in UTF-8 and not compressed.
fn check_label(kind: NoticeKind, headers: &HeaderMap) -> Result<(), NoticeFault> {
    let expected = match kind {
        NoticeKind::Logout => "application/x-www-form-urlencoded",
        NoticeKind::SecurityEvent => "application/secevent+jwt",
    };
    let mut labels = headers.get_all(CONTENT_TYPE).iter();
    let only = labels.next().filter(|_| labels.next().is_none());
    let label = only.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = label.split(';').map(str::trim);
    let is_expected = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(expected));
    if is_expected && parts.all(allows_utf8) && !is_encoded(headers) {
        return Ok(());
    }
    let reason = format!("its content type is {}, {expected} is needed", Quoted(label));
    Err(NoticeFault::Malformed(reason))
}

/// The token in a body.
fn token_in(kind: NoticeKind, body: &[u8]) -> Result<String, NoticeFault> {
    crate::steps::take(body.len());
    if kind == NoticeKind::SecurityEvent {
        let text = std::str::from_utf8(body)
            .map_err(|_| NoticeFault::Malformed("it is no text".to_owned()))?;
        // Some transmitters end it with a line.
        return Ok(text.trim_ascii().to_owned());
    }
    let mut found = None;
    for field in body.split(|byte| *byte == b'&') {
        let equals = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
        let (name, rest) = field.split_at(equals);
        if *form_decoded(name)? != *"logout_token" {
            continue;
        }
        let value = form_decoded(rest.strip_prefix(b"=").unwrap_or(rest))?;
        if found.replace(value).is_some() {
            return Err(NoticeFault::Malformed("it has two `logout_token`s".to_owned()));
        }
    }
    found.ok_or_else(|| NoticeFault::Malformed("it has no `logout_token`".to_owned()))
}

/// A name or a value of a form (`application/x-www-form-urlencoded`). A token has no space in it, so that `+` needs no
/// meaning.
fn form_decoded(written: &[u8]) -> Result<String, NoticeFault> {
    let decoded = percent_decode(written).decode_utf8();
    decoded
        .map(Cow::into_owned)
        .map_err(|_| NoticeFault::Malformed("the form is not in UTF-8".to_owned()))
}
