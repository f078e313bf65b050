//! Refusals as Python exceptions: code, status and fields cross as data.

use mcp_auth::errors::{Forbidden, InsufficientScope, TokenError};
use mcp_auth::{AuthError, ConfigError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use serde_json::{Value, json};

use crate::{gate, json};

/// The exception for a refusal.
pub(crate) fn auth_error(py: Python<'_>, error: &AuthError) -> PyErr {
    let fields = match error {
        AuthError::InvalidToken(error) => token_fields(error),
        AuthError::InsufficientScope { required, granted } => {
            json!({ "required": required, "granted": granted })
        }
        AuthError::Forbidden(Forbidden::Origin(origin)) => json!({ "origin": origin }),
        AuthError::Forbidden(Forbidden::Policy(reason)) => json!({ "reason": reason }),
        // Of the others nothing is compared.
        _ => json!({}),
    };
    raise(py, error.code(), error.status().as_u16(), &error.to_string(), &fields)
}

/// The exception for scopes that a handler asked for.
pub(crate) fn insufficient_scope(py: Python<'_>, error: &InsufficientScope) -> PyErr {
    let fields = json!({
        "required": error.required,
        "granted": error.granted,
        "challenge": error.challenge,
    });
    raise(py, "insufficient_scope", 403, &error.to_string(), &fields)
}

/// The exception for a configuration, with every fault.
pub(crate) fn config_error(py: Python<'_>, error: &ConfigError) -> PyErr {
    raise(py, "invalid_configuration", 500, &error.to_string(), &json!({}))
}

/// What was compared.
fn token_fields(error: &TokenError) -> Value {
    match error {
        TokenError::AlgorithmNotAllowed { algorithm } => json!({ "algorithm": algorithm }),
        TokenError::ClaimNotAccepted { claim } => json!({ "claim": claim }),
        TokenError::Expired { exp, now } => json!({ "exp": exp, "now": now }),
        TokenError::Malformed { reason } | TokenError::WrongType { reason } => {
            json!({ "reason": reason })
        }
        TokenError::MissingClaim { claim } => json!({ "claim": claim }),
        TokenError::NotYetValid { valid_from, now } => {
            json!({ "valid_from": valid_from, "now": now })
        }
        TokenError::UnknownIssuer { actual, expected } => {
            json!({ "actual": actual, "expected": expected })
        }
        TokenError::UnknownKey { key_id } => json!({ "key_id": key_id }),
        TokenError::WrongAudience { actual, expected } => {
            json!({ "actual": actual, "expected": expected })
        }
        // Of the others nothing is compared.
        _ => json!({}),
    }
}

/// `mcp_auth.errors` knows which class a code belongs to.
fn raise(py: Python<'_>, code: &str, status: u16, message: &str, fields: &Value) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || {
        let fields = match fields.as_object() {
            Some(fields) => json::object(py, fields)?,
            None => PyDict::new(py),
        };
        let make = MAKE.import(py, "mcp_auth.errors", "error_of")?;
        make.call1((code, status, message, fields))
    };
    match gate::attach(|_| make()) {
        Some(Ok(error)) => PyErr::from_value(error),
        Some(Err(error)) => error,
        None => PyRuntimeError::new_err("the interpreter ends"),
    }
}
