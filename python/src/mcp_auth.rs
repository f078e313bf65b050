//! The object that protects a server, and what it is made of again after a `fork()`.

use std::sync::{Arc, Mutex};

use mcp_auth::{Config, ConfigError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyDict;

use crate::auth_info::AuthInfo;
use crate::decision::{self, Forward, Reply};
use crate::hooks::{self, PythonAuthorizer, PythonClock, PythonDocuments, PythonVerifier};
use crate::pending::poll_once;
use crate::runtime::{LazyRuntime, generation};
use crate::{errors, json, request};

/// Protects an MCP server as an OAuth 2.1 resource server.
#[pyclass(frozen)]
pub(crate) struct McpAuth {
    recipe: Recipe,
    current: Mutex<Current>,
}

/// What belongs to this process.
#[derive(Clone)]
struct Current {
    generation: u64,
    auth: mcp_auth::McpAuth,
    runtime: Arc<LazyRuntime>,
}

/// Configuration and code of the user's.
struct Recipe {
    config: Config,
    verifiers: Vec<(String, Py<PyAny>)>,
    authorizer: Option<Py<PyAny>>,
    patch_metadata: Option<Py<PyAny>>,
    clock: Option<Py<PyAny>>,
    documents: Option<Py<PyAny>>,
    serve_authorization_server_metadata: bool,
}

#[pymethods]
impl McpAuth {
    /// From a configuration as JSON and hooks.
    #[new]
    #[pyo3(signature = (
        config, *, verifiers = vec![], authorizer = None, patch_metadata = None, clock = None, documents = None,
        serve_authorization_server_metadata = false,
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are named where it is called")]
    fn new(
        py: Python<'_>,
        config: &str,
        verifiers: Vec<(String, Py<PyAny>)>,
        authorizer: Option<Py<PyAny>>,
        patch_metadata: Option<Py<PyAny>>,
        clock: Option<Py<PyAny>>,
        documents: Option<Py<PyAny>>,
        serve_authorization_server_metadata: bool,
    ) -> PyResult<Self> {
        let config = serde_json::from_str(config).map_err(|error| {
            // Where it is in a text that nobody has seen says nothing.
            let text = error.to_string();
            let fault = text.split_once(" at line ").map_or(&*text, |(fault, _)| fault);
            PyValueError::new_err(fault.to_owned())
        })?;
        let recipe = Recipe {
            config,
            verifiers,
            authorizer,
            patch_metadata,
            clock,
            documents,
            serve_authorization_server_metadata,
        };
        let current = recipe.build(py).map_err(|error| errors::config_error(py, &error))?;
        Ok(Self { recipe, current: Mutex::new(current) })
    }

    /// Decides about a request to the server, given as an ASGI scope: a `Forward`, a `ReadBody`, a
    /// `Reply`, or a `Pending` that becomes one of them.
    fn decide(&self, scope: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
        let py = scope.py();
        let Some(parts) = request::parts(scope)? else {
            return Ok(Py::new(py, Reply::status(py, http::StatusCode::BAD_REQUEST))?.into_any());
        };
        let Current { auth, runtime, .. } = self.current(py)?;
        if let Some(forward) = auth.decide_seen(&parts) {
            return Ok(Py::new(py, Forward::new(scope, forward)?)?.into_any());
        }
        let scope = scope.clone().unbind();
        let decide = async move {
            let decision = auth.decide(&parts).await;
            (decision, parts)
        };
        let later = runtime.clone();
        poll_once(py, &runtime, decide, move |py, (decision, parts)| {
            decision::to_python(scope.bind(py), decision, parts, &later)
        })
    }

    /// The caller behind a token, for the resource at this path or the first one.
    #[pyo3(signature = (token, path = None))]
    fn verify(&self, py: Python<'_>, token: String, path: Option<String>) -> PyResult<Py<PyAny>> {
        let Current { auth, runtime, .. } = self.current(py)?;
        let verify = async move {
            match path {
                None => Some(auth.verify_token(&token).await),
                Some(path) => auth.verify_token_for(&path, &token).await,
            }
        };
        poll_once(py, &runtime, verify, |py, verified| match verified {
            Some(Ok(caller)) => Ok(Py::new(py, AuthInfo::new(caller))?.into_any()),
            Some(Err(error)) => Err(errors::auth_error(py, &error)),
            None => Err(PyValueError::new_err("no resource is at this path")),
        })
    }

    /// Why a token is accepted or refused, check by check.
    fn explain(&self, py: Python<'_>, token: String, path: String) -> PyResult<Py<PyAny>> {
        let Current { auth, runtime, .. } = self.current(py)?;
        let explain = async move { auth.explain_token(&path, &token).await };
        poll_once(py, &runtime, explain, |py, explanation| {
            let value = serde_json::to_value(explanation);
            let value = value.map_err(|error| PyValueError::new_err(error.to_string()))?;
            json::to_python(py, &value)
        })
    }

    /// Fetches every issuer's metadata and keys.
    fn ready(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let Current { auth, runtime, .. } = self.current(py)?;
        poll_once(py, &runtime, async move { auth.ready().await }, |py, ready| match ready {
            Ok(()) => Ok(py.None()),
            Err(error) => Err(errors::auth_error(py, &mcp_auth::AuthError::Unavailable(error))),
        })
    }

    /// The host names that requests may be addressed to.
    fn allowed_hosts(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.current(py)?.auth.allowed_hosts())
    }
}

impl McpAuth {
    fn current(&self, py: Python<'_>) -> PyResult<Current> {
        let mut current = match self.current.lock_py_attached(py) {
            Ok(current) => current,
            Err(poisoned) => poisoned.into_inner(),
        };
        if current.generation != generation() {
            let rebuilt =
                self.recipe.build(py).map_err(|error| errors::config_error(py, &error))?;
            // Its threads are the parent's: nobody can wait for them to end.
            std::mem::forget(std::mem::replace(&mut *current, rebuilt));
        }
        Ok(current.clone())
    }
}

impl Recipe {
    fn build(&self, py: Python<'_>) -> Result<Current, ConfigError> {
        let runtime = Arc::new(LazyRuntime::default());
        let copy = |hook: &Option<Py<PyAny>>| hook.as_ref().map(|hook| hook.clone_ref(py));
        let background = runtime.clone();
        let mut builder = mcp_auth::McpAuth::builder(self.config.clone()).spawn_with(move |work| {
            // What is dropped is an answer to whoever waits for it.
            background.spawn(work);
        });
        if let Some(patch) = copy(&self.patch_metadata) {
            let (patch, longest) = (Arc::new(patch), self.config.fetch_timeout);
            builder = builder.patch_metadata(move |issuer, document| {
                hooks::patch_metadata(&patch, longest, issuer, document);
            });
        }
        if let Some(clock) = copy(&self.clock) {
            builder = builder.clock(PythonClock(clock));
        }
        if let Some(documents) = copy(&self.documents) {
            builder = builder.http_client(PythonDocuments(documents));
        }
        for (prefix, start) in &self.verifiers {
            let (prefix, start) = (prefix.clone(), start.clone_ref(py));
            builder = builder.token_verifier(PythonVerifier { prefix, start });
        }
        if let Some(authorizer) = copy(&self.authorizer) {
            builder = builder.authorizer(PythonAuthorizer(authorizer));
        }
        if self.serve_authorization_server_metadata {
            builder = builder.serve_authorization_server_metadata();
        }
        Ok(Current { generation: generation(), auth: builder.build()?, runtime })
    }
}
