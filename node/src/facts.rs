//! Callers and refusals as JSON.

use std::fmt::Write as _;

use mcp_auth::{AuthError, AuthInfo, Forbidden, Principal, TokenError};
use serde_json::{Value, json};

/// A caller, claims included and the token not: what JavaScript reads when a handler first asks.
///
/// Written by hand, since it is most of what a token costs that was seen before.
pub(crate) fn of_caller(caller: &AuthInfo) -> String {
    let claims = caller.claims_json();
    let mut text = String::with_capacity(claims.len() + 512);
    text.push_str(r#"{"issuer":"#);
    push_text(&mut text, caller.issuer());
    push_optional(&mut text, r#","subject":"#, caller.subject());
    push_optional(&mut text, r#","clientId":"#, caller.client_id());
    push_list(&mut text, r#","scopes":["#, caller.scopes().iter());
    push_list(&mut text, r#","audience":["#, caller.audience().iter().map(String::as_str));
    if let Some(expires_at) = caller.expires_at() {
        // Writing to a string does not fail.
        let _ = write!(text, r#","expiresAt":{expires_at}"#);
    }
    text.push_str(match caller.principal() {
        Principal::Client => r#","principal":"client","claims":"#,
        _ => r#","principal":"user","claims":"#,
    });
    text.push_str(&claims);
    text.push('}');
    text
}

fn push_optional(text: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        text.push_str(name);
        push_text(text, value);
    }
}

fn push_list<'v>(text: &mut String, name: &str, values: impl Iterator<Item = &'v str>) {
    text.push_str(name);
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_text(text, value);
    }
    text.push(']');
}

/// A JSON string; nearly none has anything in it to escape (RFC 8259 §7).
fn push_text(text: &mut String, value: &str) {
    if value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        text.extend(["\"", value, "\""]);
    } else {
        text.push_str(&Value::from(value).to_string());
    }
}

/// A refusal: its code, status and text, and what was compared, field by field.
pub(crate) fn of_refusal(error: &AuthError) -> String {
    let mut fields = compared(error);
    let common = json!({
        "code": error.code(),
        "status": error.status().as_u16(),
        "message": error.to_string(),
        "kind": kind(error),
    });
    if let (Some(fields), Value::Object(common)) = (fields.as_object_mut(), common) {
        fields.extend(common);
    }
    fields.to_string()
}

/// The class in JavaScript.
fn kind(error: &AuthError) -> &'static str {
    match error {
        AuthError::Forbidden(_) => "forbidden",
        AuthError::InsufficientScope { .. } => "scope",
        AuthError::InvalidToken(_) => "token",
        AuthError::Unavailable(_) => "unavailable",
        _ => "request",
    }
}

fn compared(error: &AuthError) -> Value {
    match error {
        AuthError::Forbidden(Forbidden::Origin(origin)) => json!({ "origin": origin }),
        AuthError::Forbidden(Forbidden::Policy(reason)) => json!({ "reason": reason }),
        AuthError::InsufficientScope { required, granted } => json!({
            "required": required.iter().collect::<Vec<_>>(),
            "granted": granted.iter().collect::<Vec<_>>(),
        }),
        AuthError::InvalidToken(error) => of_token(error),
        AuthError::Unavailable(reason) => json!({
            "issuer": reason.issuer, "reason": reason.reason, "retryAfter": reason.retry_after,
        }),
        _ => json!({}),
    }
}

fn of_token(error: &TokenError) -> Value {
    match error {
        TokenError::AlgorithmNotAllowed { algorithm } => json!({ "algorithm": algorithm }),
        TokenError::ClaimNotAccepted { claim } => json!({ "claim": claim }),
        TokenError::Expired { exp, now } => json!({ "exp": exp, "now": now }),
        TokenError::Malformed { reason } | TokenError::WrongType { reason } => {
            json!({ "reason": reason })
        }
        TokenError::MissingClaim { claim } => json!({ "claim": claim }),
        TokenError::NotYetValid { valid_from, now } => {
            json!({ "validFrom": valid_from, "now": now })
        }
        TokenError::UnknownIssuer { actual, expected } => {
            json!({ "actual": actual, "expected": expected })
        }
        TokenError::UnknownKey { key_id } => json!({ "keyId": key_id }),
        TokenError::WrongAudience { actual, expected } => {
            json!({ "actual": actual, "expected": expected })
        }
        _ => json!({}),
    }
}
