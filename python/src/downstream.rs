//! Tokens for other APIs, which tools call for their callers.

use std::sync::Arc;

use mcp_auth::AuthInfo as Caller;
use mcp_auth::downstream::{Downstream as Named, DownstreamError, DownstreamToken as Token};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use tokio::runtime::Handle;

use crate::auth_info::AuthInfo;
use crate::errors;
use crate::mcp_auth::McpAuth;
use crate::pending::poll_once;
use crate::runtime::LazyRuntime;

/// An API that tools call for their callers: one of `downstreams`, as it is configured when it is asked for something.
#[pyclass(frozen, module = "mcp_auth._native")]
pub(crate) struct Downstream {
    auth: Py<McpAuth>,
    name: String,
    scopes: Option<Vec<String>>,
}

impl Downstream {
    pub(crate) fn new(auth: Py<McpAuth>, name: String) -> Self {
        Self { auth, name, scopes: None }
    }
}

#[pymethods]
impl Downstream {
    /// The same with some of the configured scopes alone.
    fn with_scopes(&self, py: Python<'_>, scopes: Vec<String>) -> Self {
        Self { auth: self.auth.clone_ref(py), name: self.name.clone(), scopes: Some(scopes) }
    }

    /// A token for this caller, or for the tool itself where there is none: a `DownstreamToken`, or a `Pending` that becomes one.
    fn token(&self, py: Python<'_>, caller: Option<&AuthInfo>) -> PyResult<Py<PyAny>> {
        let (named, runtime) = self.now(py)?;
        if let Some(found) = caller {
            match named.token_at_once(found.inner()) {
                Ok(Some(kept)) => return DownstreamToken::to_python(py, Ok(kept)),
                Ok(None) => {}
                Err(error) => return Err(errors::downstream_error(py, &error)),
            }
        }
        let asked_for = caller.map(|found| found.inner().clone());
        let ask = async move { have(&named, asked_for.as_ref()).await };
        poll_once(py, &runtime, ask, DownstreamToken::to_python)
    }

    /// The same, for code that cannot await: this thread waits, and others go on meanwhile.
    fn wait_for_token(&self, py: Python<'_>, caller: Option<&AuthInfo>) -> PyResult<Py<PyAny>> {
        if Handle::try_current().is_ok() {
            // Nothing would go on that is waited for.
            return Err(PyRuntimeError::new_err(
                "a function that is asked about tokens must not wait",
            ));
        }
        let (named, runtime) = self.now(py)?;
        let asked_for = caller.map(|found| found.inner().clone());
        let answer = py.detach(|| runtime.block_on(have(&named, asked_for.as_ref())));
        match answer {
            Some(outcome) => DownstreamToken::to_python(py, outcome),
            None => Err(PyOSError::new_err("no thread could be started")),
        }
    }

    /// Whether a request for this URL goes to the API, so that the token may be put on it.
    fn is_at(&self, py: Python<'_>, url: &str) -> PyResult<bool> {
        let (named, _) = self.now(py)?;
        // What cannot be read is nowhere.
        Ok(url.parse().is_ok_and(|uri| named.is_at(&uri)))
    }

    /// Forgets a token that the API did not accept.
    fn forget(
        &self,
        py: Python<'_>,
        caller: Option<&AuthInfo>,
        token: &DownstreamToken,
    ) -> PyResult<()> {
        let (named, _) = self.now(py)?;
        match caller {
            Some(found) => named.forget(found.inner(), &token.0),
            None => named.forget_own(&token.0),
        }
        Ok(())
    }

    /// Removes what this caller has granted at the API's provider: `None`, or a `Pending` that becomes it.
    fn disconnect(&self, py: Python<'_>, caller: &AuthInfo) -> PyResult<Py<PyAny>> {
        let (named, runtime) = self.now(py)?;
        let found = caller.inner().clone();
        let end = async move { named.disconnect(&found).await };
        poll_once(py, &runtime, end, |py, outcome| match outcome {
            Ok(()) => Ok(py.None()),
            Err(error) => Err(errors::downstream_error(py, &error)),
        })
    }

    fn __repr__(&self) -> String {
        format!("Downstream({:?})", self.name)
    }
}

impl Downstream {
    /// As this process has it.
    fn now(&self, py: Python<'_>) -> PyResult<(Named, Arc<LazyRuntime>)> {
        let (auth, runtime) = self.auth.get().in_this_process(py)?;
        let named = auth.downstream(&self.name);
        let narrowed = match &self.scopes {
            Some(scopes) => named.with_scopes(scopes),
            None => named,
        };
        Ok((narrowed, runtime))
    }
}

async fn have(named: &Named, caller: Option<&Caller>) -> Result<Token, DownstreamError> {
    match caller {
        Some(found) => named.token_for(found).await,
        None => named.token().await,
    }
}

/// A token for another API. It is shown by `expose` and `header_value` alone.
#[pyclass(frozen, module = "mcp_auth")]
pub(crate) struct DownstreamToken(Token);

impl DownstreamToken {
    fn to_python(py: Python<'_>, answer: Result<Token, DownstreamError>) -> PyResult<Py<PyAny>> {
        match answer {
            Ok(token) => Ok(Py::new(py, Self(token))?.into_any()),
            Err(error) => Err(errors::downstream_error(py, &error)),
        }
    }
}

#[pymethods]
impl DownstreamToken {
    /// The token, for a client that takes no header. Do not log it.
    fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The value of the `Authorization` header. Do not log it.
    fn header_value(&self) -> String {
        format!("Bearer {}", self.0.expose())
    }

    /// What it grants, as its server says; where it says nothing, what was asked for.
    #[getter]
    fn scopes(&self) -> Vec<String> {
        self.0.scopes().iter().map(str::to_owned).collect()
    }

    /// When it ends, in seconds since 1970, if its server says so.
    #[getter]
    fn expires_at(&self) -> Option<u64> {
        self.0.expires_at()
    }

    /// Shows no token.
    fn __repr__(&self) -> String {
        let ends = self.0.expires_at().map_or("None".to_owned(), |seconds| seconds.to_string());
        format!("DownstreamToken(scopes={:?}, expires_at={ends})", self.0.scopes().to_string())
    }
}
