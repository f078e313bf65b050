//! The headers that repeat what the body says (MCP 2026-07-28, Streamable HTTP).
//!
//! Proxies and gateways route by them. Where they contradict the body, the proxy has seen another call than the one that
//! would be carried out: such a request is refused, in every revision. From 2026-07-28 on they must be there as well. What
//! they say decides nothing else.
//!
//! Tested in `authorize::policy::bypasses`, `authorize::policy::matrix` and `vectors`.

use std::borrow::Cow;

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::annotations::MirroredArgument;
use super::mirrored_arguments::MirroredArguments;
use crate::authorize::{Messages, Operation};
use crate::claim_path::value_at_path;
use crate::error::MessageFault;
use crate::json::read_value;
use crate::number::is_same_number;

static METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(super) static MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");
static REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The revisions in which a body may hold several messages; a client without the header follows the
/// last of them.
const WITH_BATCHES: [&str; 3] = ["2024-10-07", "2024-11-05", "2025-03-26"];
/// The first revision in which the headers must be there, and whose results say who may keep them. Revisions are
/// compared as texts, so that a name that is no date counts as a later one.
const FIRST_STATELESS: &str = "2026-07-28";

/// Refuses headers that contradict the body, whatever revision is claimed: whoever routes by them
/// would see another call than the one that is carried out. Where either of the two says 2026-07-28 or later, it also
/// refuses a request without them.
pub(crate) fn check(headers: &HeaderMap, messages: &Messages<'_>) -> Result<(), MessageFault> {
    if messages.is_batch && !allows_batches(headers, messages) {
        return Err(MessageFault::Batch);
    }
    let call = messages.operations.last().filter(|one| !messages.is_batch && !one.is_nothing());
    // The last name is what a message itself is about, after what it also reaches.
    let named = messages.operations.iter().rev().find_map(Operation::name);
    let must_repeat = must_repeat(headers, messages);
    let needs_name = must_repeat && call.is_some_and(has_name_header);
    let agrees = agrees(headers, &METHOD, call.map(Operation::method), must_repeat)
        && agrees(headers, &MCP_NAME, call.and(named), needs_name)
        && revision_agrees(headers, messages);
    if agrees { Ok(()) } else { Err(MessageFault::HeaderMismatch) }
}

/// Refuses `Mcp-Param-*` headers that differ from the arguments that they repeat; from 2026-07-28 on also a call without
/// them. Headers that no annotation names mean nothing.
pub(crate) fn check_arguments(
    headers: &HeaderMap,
    messages: &Messages<'_>,
    known: &MirroredArguments,
) -> Result<(), MessageFault> {
    for call in messages.sent() {
        let Some(mirrored) = call.tool_name().and_then(|tool| known.of_tool(tool)) else {
            continue;
        };
        if mirrored.is_empty() {
            continue;
        }
        // Few tools have any.
        let must_be_there = must_repeat(headers, messages);
        let arguments = call.arguments();
        if call.has_unreadable_arguments() {
            return Err(MessageFault::Invalid);
        }
        for one in &*mirrored {
            let value = arguments.and_then(|members| value_at_path(members, &one.argument));
            let said = value.filter(|found| !found.is_null());
            if !argument_agrees(headers, one, said, must_be_there) {
                return Err(MessageFault::HeaderMismatch);
            }
        }
    }
    Ok(())
}

/// Whether the header of an argument is there once and says the same, or both are absent.
fn argument_agrees(
    headers: &HeaderMap,
    mirrored: &MirroredArgument,
    argument: Option<&Value>,
    must_be_there: bool,
) -> bool {
    let mut values = headers.get_all(&mirrored.header).iter();
    match (values.next(), values.next(), argument) {
        (None, _, None) => true,
        (None, _, Some(_)) => !must_be_there,
        (Some(header), None, Some(value)) => {
            decoded(header).is_some_and(|text| is_written_as(value, &text))
        }
        (Some(_), _, _) => false,
    }
}

/// Whether this text is how a header says this value. A list or an object cannot be said.
fn is_written_as(value: &Value, text: &str) -> bool {
    match value {
        Value::String(expected) => expected == text,
        Value::Bool(expected) => text == if *expected { "true" } else { "false" },
        // "Server Validation": by their value, `42.0` for 42.
        Value::Number(expected) => {
            matches!(read_value(text), Ok(Value::Number(number)) if is_same_number(expected, &number))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether results must say that nobody else may keep them.
pub(super) fn has_cache_scope(headers: &HeaderMap) -> bool {
    revision(headers).is_some_and(is_stateless)
}

/// Whether the headers of this message must be there: those of everything but notifications and answers, for which the
/// specification defines none.
fn must_repeat(headers: &HeaderMap, messages: &Messages<'_>) -> bool {
    let Some(call) = messages.sent().last() else { return false };
    let is_notification = messages.id.is_none() && call.method().starts_with("notifications/");
    let revisions = [revision(headers), messages.revision.as_deref()];
    !call.is_nothing() && !is_notification && revisions.into_iter().flatten().any(is_stateless)
}

/// Whether `Mcp-Name` is defined for this call: by MCP 2026-07-28, or by its extension for tasks.
fn has_name_header(call: &Operation<'_>) -> bool {
    let method = call.method();
    let names_task = method.starts_with("tasks/") && call.name().is_some();
    names_task || matches!(method, "tools/call" | "prompts/get" | "resources/read")
}

/// Whether there is one `MCP-Protocol-Version` at most, in readable letters, and what the body says as well. A body that
/// says nothing is left to the server.
fn revision_agrees(headers: &HeaderMap, messages: &Messages<'_>) -> bool {
    let mut values = headers.get_all(&REVISION).iter();
    let is_readable = values.next().is_none_or(|value| value.to_str().is_ok());
    let is_only = values.next().is_none();
    let said = messages.revision.as_deref().filter(|_| !messages.is_batch);
    is_readable
        && is_only
        && said.is_none_or(|one| agrees(headers, &REVISION, Some(one), is_stateless(one)))
}

fn is_stateless(revision: &str) -> bool {
    revision >= FIRST_STATELESS
}

/// Whether this asks for a stream of events that may all be a long time coming. Only a hint.
pub(super) fn is_subscription(headers: &HeaderMap) -> bool {
    headers.get(&METHOD).is_some_and(|method| method == "subscriptions/listen")
}

/// Whether both the header and the messages of a batch are of a revision that has batches; neither need say so.
fn allows_batches(headers: &HeaderMap, messages: &Messages<'_>) -> bool {
    let in_header = match headers.contains_key(&REVISION) {
        true => revision(headers).is_some_and(|revision| WITH_BATCHES.contains(&revision)),
        false => true,
    };
    in_header && messages.revision.as_deref().is_none_or(|said| WITH_BATCHES.contains(&said))
}

fn revision(headers: &HeaderMap) -> Option<&str> {
    headers.get(&REVISION)?.to_str().ok()
}

/// Whether the header is there once and as expected, or is absent where it may be.
fn agrees(
    headers: &HeaderMap,
    name: &HeaderName,
    expected: Option<&str>,
    must_be_there: bool,
) -> bool {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => !(must_be_there && expected.is_some()),
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

/// A text as the value of such a header: in base64 where it would not fit into one, or would be read as base64.
pub(super) fn encoded(text: &str) -> HeaderValue {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let is_trimmed = text.trim() == text && !text.is_empty();
    let plain = HeaderValue::from_str(text).ok().filter(|_| is_plain && is_trimmed);
    match plain.filter(|_| !text.starts_with("=?base64?")) {
        Some(value) => value,
        None => {
            let encoded = format!("=?base64?{}?=", STANDARD.encode_to_string(text));
            // Base64 has visible ASCII alone.
            HeaderValue::try_from(encoded).unwrap_or(HeaderValue::from_static(""))
        }
    }
}
