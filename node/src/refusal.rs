//! Refusals as JSON.

use mcp_auth::AuthError;
use mcp_auth::errors::{Forbidden, TokenError};
use serde_json::{Value, json};

/// A refusal: its code, status and text, and what was compared, field by field.
pub(crate) fn in_json(error: &AuthError) -> String {
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
