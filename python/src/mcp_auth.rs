//! The object that protects a server, and what it is made of again after a `fork()`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_auth::errors::IdentifierError;
use mcp_auth::revocation::Revocation;
use mcp_auth::settings::ServerType;
use mcp_auth::{Config, ConfigError, ProtectedResource, ResourceIdentifier};
use percent_encoding::percent_decode_str;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyDict};

use crate::auth_info::AuthInfo;
use crate::decision::{self, Forward, Reply};
use crate::downstream::Downstream;
use crate::hooks::{self, PythonAuthorizer, PythonClock, PythonDocuments, PythonVerifier};
use crate::pending::poll_once;
use crate::revocation_check::PythonRevocationCheck;
use crate::runtime::{LazyRuntime, generation};
use crate::{errors, json, logging, request};

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
    /// The one that is in force.
    config: Mutex<Config>,
    verifiers: Vec<(String, Py<PyAny>)>,
    authorizer: Option<Py<PyAny>>,
    patch_metadata: Option<Py<PyAny>>,
    clock: Option<Py<PyAny>>,
    documents: Option<Py<PyAny>>,
    serve_authorization_server_metadata: bool,
    /// A function, and after how many seconds its answer is old.
    revocation_check: Option<(Py<PyAny>, f64)>,
}

#[pymethods]
impl McpAuth {
    /// From a configuration as JSON and hooks.
    #[new]
    #[pyo3(signature = (
        config, *, verifiers = vec![], authorizer = None, patch_metadata = None, clock = None, documents = None,
        serve_authorization_server_metadata = false, revocation_check = None,
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
        revocation_check: Option<(Py<PyAny>, f64)>,
    ) -> PyResult<Self> {
        logging::start();
        let config = Config::from_json(config).map_err(|error| errors::config_error(py, &error))?;
        let recipe = Recipe {
            config: Mutex::new(config),
            verifiers,
            authorizer,
            patch_metadata,
            clock,
            documents,
            serve_authorization_server_metadata,
            revocation_check,
        };
        let current = recipe.build(py).map_err(|error| errors::config_error(py, &error))?;
        Ok(Self { recipe, current: Mutex::new(current) })
    }

    /// Decides about a request to the server, given as an ASGI scope: a `Forward`, a `ReadBody`, a
    /// `Reply`, or a `Pending` that becomes one of them.
    fn decide(&self, scope: &Bound<'_, PyDict>) -> PyResult<Py<PyAny>> {
        let py = scope.py();
        let Some(mut parts) = request::parts(scope)? else {
            return Ok(Py::new(py, Reply::status(py, http::StatusCode::BAD_REQUEST))?.into_any());
        };
        let Current { auth, runtime, .. } = self.current(py)?;
        if let Some(forward) = auth.decide_seen(&parts) {
            return Ok(Py::new(py, Forward::new(scope, forward)?)?.into_any());
        }
        if auth.counts_addresses() {
            request::note_peer(&mut parts, scope)?;
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
                None => Some(auth.authenticate(&token).await),
                Some(path) => auth.authenticate_for(&path, &token).await,
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

    /// The API of this name, to call it for callers.
    fn downstream(this: Py<Self>, name: String) -> Downstream {
        Downstream::new(this, name)
    }

    /// Fetches every issuer's metadata and keys.
    fn ready(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let Current { auth, runtime, .. } = self.current(py)?;
        poll_once(py, &runtime, async move { auth.ready().await }, |py, ready| match ready {
            Ok(()) => Ok(py.None()),
            Err(error) => Err(errors::auth_error(py, &mcp_auth::AuthError::Unavailable(error))),
        })
    }

    /// Puts this configuration, as JSON, in the place of the one that is in force; or only checks it. One thread at a time.
    ///
    /// With the interpreter's lock, so that no `fork()` happens meanwhile.
    fn reload(&self, py: Python<'_>, config: &str, only_check: bool) -> PyResult<()> {
        let config = Config::from_json(config).map_err(|error| errors::config_error(py, &error))?;
        if only_check {
            return config.check().map_err(|error| errors::config_error(py, &error));
        }
        let auth = self.current(py)?.auth;
        auth.reload(config.clone()).map_err(|error| errors::config_error(py, &error))?;
        *self.recipe.config() = config;
        Ok(())
    }

    /// Refuses tokens of this issuer that are known by this name, of a subject, client, session or token.
    ///
    /// With the interpreter's lock, so that no `fork()` happens meanwhile.
    fn revoke(
        &self,
        py: Python<'_>,
        issuer: &str,
        kind: &str,
        name: &str,
        issued_until: Option<u64>,
    ) -> PyResult<()> {
        let mut revocation = match kind {
            "subject" => Revocation::of_subject(issuer, name),
            "client_id" => Revocation::of_client(issuer, name),
            "sid" => Revocation::of_session(issuer, name),
            "jti" => Revocation::of_token(issuer, name),
            other => return Err(PyValueError::new_err(format!("{other:?} is nothing to revoke"))),
        };
        if let Some(seconds) = issued_until {
            revocation = revocation.issued_until(seconds);
        }
        self.current(py)?.auth.revoke(revocation);
        Ok(())
    }

    /// The state as a text that this caller may bring back; `lifetime` in seconds.
    fn seal_state(
        &self,
        py: Python<'_>,
        caller: &AuthInfo,
        purpose: &str,
        lifetime: f64,
        state: &[u8],
    ) -> PyResult<String> {
        let duration = Duration::try_from_secs_f64(lifetime)
            .map_err(|_| PyValueError::new_err("the lifetime must be seconds, 0 or more"))?;
        let sealer = self.current(py)?.auth.state_sealer();
        let sealed = sealer.seal(caller.inner(), purpose, duration, state);
        sealed.map_err(|error| errors::state_error(py, error))
    }

    /// The state in a text that this caller brought back.
    fn open_state<'py>(
        &self,
        py: Python<'py>,
        caller: &AuthInfo,
        purpose: &str,
        sealed: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let sealer = self.current(py)?.auth.state_sealer();
        match sealer.open(caller.inner(), purpose, sealed) {
            Ok(state) => Ok(PyBytes::new(py, &state)),
            Err(error) => Err(errors::state_error(py, error)),
        }
    }

    /// The identifier of the first resource.
    #[getter]
    fn resource(&self) -> String {
        self.first().map_or_else(String::new, |resource| resource.resource)
    }

    /// What every request to the first resource needs.
    #[getter]
    fn required_scopes(&self) -> Vec<String> {
        let required = self.first().map(|resource| resource.required_scopes);
        required.iter().flat_map(|scopes| scopes.iter()).map(str::to_owned).collect()
    }

    /// The paths of the documents of this name, `protected_resource` or `authorization_server`. They are decoded, as
    /// ASGI has them.
    fn metadata_routes(&self, py: Python<'_>, document: &str) -> PyResult<Vec<String>> {
        let routes = self.current(py)?.auth.metadata_routes();
        let paths = routes.into_iter().filter(|(which, _)| which.name() == document);
        Ok(paths.map(|(_, path)| decoded(path.trim_end_matches('/'))).collect())
    }

    /// The paths where issuers tell something.
    fn notice_paths(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.current(py)?.auth.notice_paths())
    }

    /// The paths of the pages where users connect their accounts at other providers.
    fn connect_paths(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.current(py)?.auth.connect_paths())
    }

    /// The host names that requests may be addressed to.
    fn allowed_hosts(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.current(py)?.auth.allowed_hosts())
    }
}

/// The path as ASGI has it.
fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// The configuration that is in the environment, as JSON; `read` gives a variable's value.
#[pyfunction]
pub(crate) fn config_from_env(py: Python<'_>, read: &Bound<'_, PyAny>) -> PyResult<String> {
    // What cannot be read is not set.
    let config = Config::from_env_with(|name| read.call1((name,)).ok()?.extract().ok()?)
        .map_err(|error| errors::config_error(py, &error))?;
    serde_json::to_string(&config).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Where an issuer has its metadata, by the standard of its type, `oauth` or `oidc`.
#[pyfunction]
pub(crate) fn issuer_metadata_url(issuer: &str, server_type: &str) -> PyResult<String> {
    let url = match server_type {
        "oauth" => ServerType::Oauth.metadata_url(issuer),
        "oidc" => ServerType::Oidc.metadata_url(issuer),
        other => return Err(PyValueError::new_err(format!("{other:?} is no type of server"))),
    };
    url.map_err(|fault| PyValueError::new_err(format!("the issuer {issuer:?} {fault}")))
}

/// Whether a text is a URL, right or wrong, and no other name of a resource.
#[pyfunction]
pub(crate) fn is_url(text: &str) -> bool {
    let fault = ResourceIdentifier::parse(text).err();
    !matches!(fault, Some(IdentifierError::Empty | IdentifierError::NotAbsolute))
}

impl McpAuth {
    fn first(&self) -> Option<ProtectedResource> {
        self.recipe.config().resources.first().cloned()
    }

    /// What it is made of, for this process.
    pub(crate) fn in_this_process(
        &self,
        py: Python<'_>,
    ) -> PyResult<(mcp_auth::McpAuth, Arc<LazyRuntime>)> {
        let Current { auth, runtime, .. } = self.current(py)?;
        Ok((auth, runtime))
    }

    fn current(&self, py: Python<'_>) -> PyResult<Current> {
        let mut current = match self.current.lock_py_attached(py) {
            Ok(current) => current,
            Err(poisoned) => poisoned.into_inner(),
        };
        if current.generation != generation() {
            let rebuilt =
                self.recipe.build(py).map_err(|error| errors::config_error(py, &error))?;
            rebuilt.auth.take_over_revocations(&current.auth);
            // Its threads are the parent's: nobody can wait for them to end.
            std::mem::forget(std::mem::replace(&mut *current, rebuilt));
        }
        Ok(current.clone())
    }
}

impl Recipe {
    /// Held for a moment, and never while Python runs.
    fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(&self, py: Python<'_>) -> Result<Current, ConfigError> {
        let runtime = Arc::new(LazyRuntime::default());
        let copy = |hook: &Option<Py<PyAny>>| hook.as_ref().map(|hook| hook.clone_ref(py));
        let background = runtime.clone();
        let config = self.config().clone();
        let longest = config.fetch_timeout;
        let mut builder = mcp_auth::McpAuth::builder(config).spawn_with(move |work| {
            // What is dropped is an answer to whoever waits for it.
            background.spawn(work);
        });
        if let Some(patch) = copy(&self.patch_metadata) {
            let patch = Arc::new(patch);
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
        if let Some((start, seconds)) = &self.revocation_check {
            let start = start.clone_ref(py);
            // Seconds that are no number were refused in Python.
            let interval = Duration::try_from_secs_f64(*seconds).unwrap_or_default();
            builder = builder.revocation_check(PythonRevocationCheck { start, interval });
        }
        if self.serve_authorization_server_metadata {
            builder = builder.serve_authorization_server_metadata();
        }
        Ok(Current { generation: generation(), auth: builder.build()?, runtime })
    }
}
