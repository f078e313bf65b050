//! Refusals as Python exceptions: code, status and fields cross as data.

use mcp_auth::downstream::DownstreamError;
use mcp_auth::errors::InsufficientScope;
use mcp_auth::sealed_state::StateError;
use mcp_auth::{AuthError, ConfigError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use serde_json::{Value, json};

use crate::{gate, json};

/// The exception for a refusal.
pub(crate) fn auth_error(py: Python<'_>, error: &AuthError) -> PyErr {
    raise(py, &error.json())
}

/// The exception for scopes that a handler asked for.
pub(crate) fn insufficient_scope(py: Python<'_>, error: &InsufficientScope) -> PyErr {
    raise(py, &error.json())
}

/// The exception where there is no token for another API.
pub(crate) fn downstream_error(py: Python<'_>, error: &DownstreamError) -> PyErr {
    raise(py, &error.json())
}

/// The exception for a configuration, with every fault.
pub(crate) fn config_error(py: Python<'_>, error: &ConfigError) -> PyErr {
    let faults: Vec<_> = error.faults.iter().map(ToString::to_string).collect();
    let refusal = json!({
        "kind": "config",
        "code": "invalid_configuration",
        "status": 500,
        "message": error.to_string(),
        "compared": { "faults": faults },
    });
    raise(py, &refusal)
}

/// The exception for a state that is not accepted, or cannot be sealed.
pub(crate) fn state_error(py: Python<'_>, error: StateError) -> PyErr {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let code = match error {
        StateError::Expired => "expired",
        StateError::NoRandomness => "no_randomness",
        // What this version does not know is not accepted.
        _ => "invalid",
    };
    exception(|| {
        CLASS.import(py, "mcp_auth.errors", "StateError")?.call1((code, error.to_string()))
    })
}

/// `mcp_auth.errors` makes the exception.
fn raise(py: Python<'_>, refusal: &Value) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    exception(|| {
        let error_of = MAKE.import(py, "mcp_auth.errors", "error_of")?;
        error_of.call1((json::to_python(py, refusal)?,))
    })
}

/// The exception that Python makes, unless the interpreter ends.
fn exception<'py>(make: impl FnOnce() -> PyResult<Bound<'py, PyAny>>) -> PyErr {
    match gate::attach(|_| make()) {
        Some(Ok(error)) => PyErr::from_value(error),
        Some(Err(error)) => error,
        None => PyRuntimeError::new_err("the interpreter ends"),
    }
}
