//! Refusals as answers, and the `WWW-Authenticate` challenge in them (RFC 6750 §3, RFC 9728 §5.1): built in
//! this one place.
//!
//! | refused because of | status | challenge |
//! |---|---|---|
//! | no token | 401 | without `error` (RFC 6750 §3.1), with `scope` and `resource_metadata` |
//! | a token that is not good | 401 | `error="invalid_token"`, and the same |
//! | too few scopes | 403 | `error="insufficient_scope"`, with the scopes that would do |
//! | a request in which credentials are given wrongly | 400 | `error="invalid_request"` |
//! | another API that a tool calls, which needs more of the caller | 401, 403 | `error="invalid_token"`, `"insufficient_claims"` with `claims`, or `"insufficient_scope"` |
//! | a rule that no scope satisfies, an origin, a body | 403, 4xx | none: signing in again would not help |
//! | too many refusals of one sender, with limits | 429 | none, but `Retry-After` |
//! | an issuer that cannot be asked | 503 | none, but `Retry-After`: a sign-in loop would hide the outage |
//!
//! Tested in `serve::challenge` and `authenticate::bearer`.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::{Reply, Resource};
use crate::downstream_refusal::DownstreamRefusal;
use crate::error::{AuthError, MessageFault};
use crate::scope::Scopes;

/// Bytes of the scopes in a challenge. With more, clients and proxies would refuse the whole answer: then it names
/// none.
const MAX_SCOPE: usize = 8 * 1024;

impl Resource {
    /// A refusal that depends on no message, and its event.
    pub(super) fn refuse(&self, error: AuthError) -> Reply {
        if let AuthError::InvalidMessage(fault) = error {
            return self.refuse_message(fault, None);
        }
        self.log_refused(&error, &[]);
        refuse(self, error, &self.required_scopes)
    }

    /// A body that cannot be judged, answered in the way of JSON-RPC.
    pub(super) fn refuse_message(&self, fault: MessageFault, id: Option<&str>) -> Reply {
        let error = AuthError::InvalidMessage(fault);
        self.log_refused(&error, &[]);
        let id_or_null = id.unwrap_or("null");
        let wrong = json!({ "code": fault.json_rpc_code(), "message": fault.description() });
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id_or_null},"error":{wrong}}}"#);
        // MCP, Streamable HTTP: what has no answer of its own, and cannot be accepted, is an error of HTTP.
        let status = match id {
            None if error.status() == StatusCode::OK => StatusCode::BAD_REQUEST,
            _ => error.status(),
        };
        let mut reply = Reply::json(status, Bytes::from(body));
        reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply.error = Some(error);
        reply
    }
}

/// The refusal as an HTTP answer; `needed` is what to sign in for.
pub(super) fn refuse(resource: &Resource, error: AuthError, needed: &Scopes) -> Reply {
    let wire = error.wire();
    let mut reply = Reply::error(wire.status, wire.error, wire.description);
    if let Some(challenge) = challenge(resource, &error, needed) {
        reply.headers.insert(WWW_AUTHENTICATE, challenge);
    }
    let retry_after = match &error {
        AuthError::TooManyFailures(reason) => Some(reason.retry_after),
        AuthError::Unavailable(reason) => Some(reason.retry_after),
        _ => None,
    };
    if let Some(seconds) = retry_after {
        reply.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply.error = Some(error);
    reply
}

/// What a client must do to be let in; `None` when nothing it can do would help.
///
/// Clients act on it: they sign in again, ask their user for the scopes that it names, and look for the
/// authorization server in the document whose URL it has. So it names all scopes of the request at once (a
/// client that comes back for the next one asks its user twice), and no URL that a client chose.
pub(super) fn challenge(
    resource: &Resource,
    error: &AuthError,
    needed: &Scopes,
) -> Option<HeaderValue> {
    let wire = error.wire();
    let asked = match error {
        AuthError::Forbidden(_)
        | AuthError::InvalidMessage(_)
        | AuthError::TooManyFailures(_)
        | AuthError::Unavailable(_) => return None,
        AuthError::InvalidRequest(_) => None,
        AuthError::Downstream(_) => Some(needed),
        AuthError::InsufficientScope { required, .. } => Some(required),
        AuthError::InvalidToken(_) | AuthError::MissingToken => Some(needed),
    };
    let mut text = String::from("Bearer ");
    if wire.in_challenge {
        push(&mut text, "error", wire.error);
        push(&mut text, "error_description", wire.description);
    }
    let scope = asked
        .map(|scopes| resource.advertised(&scopes.well_formed()).to_string())
        .filter(|scope| !scope.is_empty() && scope.len() <= MAX_SCOPE);
    if let Some(scope) = scope {
        push(&mut text, "scope", &scope);
    }
    if let AuthError::Downstream(DownstreamRefusal::StepUp { claims }) = error {
        push(&mut text, "claims", claims);
    }
    if let Some(url) = &resource.metadata_url {
        push(&mut text, "resource_metadata", url);
    }
    // A scheme alone has nothing behind it.
    let trimmed = text.trim_end();
    // Only checked scopes, a checked URL, base64 and our own text are in it.
    let value = HeaderValue::from_str(trimmed);
    debug_assert!(value.is_ok() && wire.status != StatusCode::OK, "{text}");
    value.ok()
}

/// Appends `name="value"`; no value can contain a quote or a backslash.
fn push(text: &mut String, name: &str, value: &str) {
    let separator = if text.ends_with(' ') { "" } else { ", " };
    let _ = write!(text, "{separator}{name}=\"{value}\"");
}
