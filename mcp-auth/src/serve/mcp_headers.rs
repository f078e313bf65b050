//! The headers that repeat what the body says (MCP 2026-07-28, Streamable HTTP).
//!
//! Proxies and gateways route by them. Where they contradict the body, the proxy has seen another call than the one that
//! would be carried out: such a request is refused, in every revision.
//!
//! Tested in `authorize::policy::bypasses`, `authorize::policy::matrix` and `vectors`.

use std::borrow::Cow;

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::authorize::{Messages, Operation};
use crate::error::MessageFault;

static METHOD: HeaderName = HeaderName::from_static("mcp-method");
static NAME: HeaderName = HeaderName::from_static("mcp-name");
static REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The revisions in which a body may hold several messages; a client without the header follows the
/// last of them.
const WITH_BATCHES: [&str; 3] = ["2024-10-07", "2024-11-05", "2025-03-26"];
/// The first revision whose results say who may keep them.
const FIRST_WITH_CACHE_SCOPE: &str = "2026-07-28";

/// Refuses headers that contradict the body, whatever revision is claimed: whoever routes by them
/// would see another call than the one that is carried out.
pub(crate) fn check(headers: &HeaderMap, messages: &Messages<'_>) -> Result<(), MessageFault> {
    if messages.is_batch && !allows_batches(headers) {
        return Err(MessageFault::Batch);
    }
    let call = messages.operations.last().filter(|one| !messages.is_batch && !one.is_nothing());
    // The last name is what a message itself is about, after what it also reaches.
    let named = messages.operations.iter().rev().find_map(Operation::name);
    let agrees = agrees(headers, &METHOD, call.map(Operation::method))
        && agrees(headers, &NAME, call.and(named))
        && messages.revision.as_deref().is_none_or(|said| agrees(headers, &REVISION, Some(said)))
        && headers.get_all(&REVISION).iter().count() <= 1;
    if agrees { Ok(()) } else { Err(MessageFault::HeaderMismatch) }
}

/// Whether results must say that nobody else may keep them.
pub(super) fn has_cache_scope(headers: &HeaderMap) -> bool {
    revision(headers).is_some_and(|revision| revision >= FIRST_WITH_CACHE_SCOPE)
}

/// Whether this asks for a stream of events that may all be a long time coming. Only a hint.
pub(super) fn is_subscription(headers: &HeaderMap) -> bool {
    headers.get(&METHOD).is_some_and(|method| method == "subscriptions/listen")
}

fn allows_batches(headers: &HeaderMap) -> bool {
    match headers.contains_key(&REVISION) {
        true => revision(headers).is_some_and(|revision| WITH_BATCHES.contains(&revision)),
        false => true,
    }
}

fn revision(headers: &HeaderMap) -> Option<&str> {
    headers.get(&REVISION)?.to_str().ok()
}

/// Whether the header is absent, or there once and as expected.
fn agrees(headers: &HeaderMap, name: &HeaderName, expected: Option<&str>) -> bool {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => true,
        (Some(value), None) => expected.is_some() && decoded(value).as_deref() == expected,
        (Some(_), Some(_)) => false,
    }
}

/// The text of a value, which is base64 where it would not fit into a header.
fn decoded(value: &HeaderValue) -> Option<Cow<'_, str>> {
    crate::steps::take(value.len());
    let text = value.to_str().ok()?;
    let encoded = text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        Some(encoded) => {
            let plain = String::from_utf8(STANDARD.decode_to_vec(encoded).ok()?).ok()?;
            Some(Cow::Owned(plain))
        }
        None => Some(Cow::Borrowed(text)),
    }
}
