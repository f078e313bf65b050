//! Refusals as Python exceptions: code, status and fields cross as data.

use mcp_auth::errors::InsufficientScope;
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

/// `mcp_auth.errors` makes the exception.
fn raise(py: Python<'_>, refusal: &Value) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || {
        let make = MAKE.import(py, "mcp_auth.errors", "error_of")?;
        make.call1((json::to_python(py, refusal)?,))
    };
    match gate::attach(|_| make()) {
        Some(Ok(error)) => PyErr::from_value(error),
        Some(Err(error)) => error,
        None => PyRuntimeError::new_err("the interpreter ends"),
    }
}
