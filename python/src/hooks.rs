//! Code of the user's, in Python: verifiers, an authorizer, a patch of metadata; and for tests time
//! and documents.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use http::{Request, Response, StatusCode};
use mcp_auth::{
    AuthError, Authorizer, Clock, HttpClient, HttpError, OperationKind, Scopes, TokenError,
    TokenVerifier, Unavailable, Verdict,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::auth_info::AuthInfo;
use crate::json;

/// A function that verifies tokens of one prefix. It is called as `start(token, answer)` on the
/// thread of the event loop, must not wait, and leaves the answer when it is there.
pub(crate) struct PythonVerifier {
    pub(crate) prefix: String,
    pub(crate) start: Py<PyAny>,
}

impl TokenVerifier for PythonVerifier {
    fn is_for(&self, token: &str) -> bool {
        token.starts_with(&self.prefix)
    }

    fn verify<'t>(
        &'t self,
        token: &'t str,
    ) -> BoxFuture<'t, Result<mcp_auth::AuthInfo, AuthError>> {
        async move {
            let (sender, answer) = oneshot::channel();
            let answer_to = Answer(Mutex::new(Some(sender)));
            let begun = Python::attach(|py| {
                let answer_to = Py::new(py, answer_to)?;
                self.start.call1(py, (token, answer_to)).map(drop)
            });
            begun.map_err(|error| unavailable(&error.to_string()))?;
            answer.await.unwrap_or_else(|_| Err(unavailable("the function gave no answer")))
        }
        .boxed()
    }
}

fn unavailable(reason: &str) -> AuthError {
    AuthError::Unavailable(Unavailable::new("the verify function", reason, 5))
}

/// Where a verify function leaves what it found.
#[pyclass(frozen)]
pub(crate) struct Answer(Mutex<Option<oneshot::Sender<Result<mcp_auth::AuthInfo, AuthError>>>>);

#[pymethods]
impl Answer {
    /// The token is good: its claims, as a JSON object.
    fn accept(&self, claims: &str) {
        let accepted = if claims.starts_with('{') {
            mcp_auth::AuthInfo::from_verified_json(claims).map_err(AuthError::InvalidToken)
        } else {
            Err(unavailable("the claims are no JSON object"))
        };
        self.send(accepted);
    }

    /// The token is not good.
    fn refuse(&self) {
        self.send(Err(TokenError::Inactive.into()));
    }

    /// The token is good, for somebody else.
    fn refuse_audience(&self, actual: Vec<String>, expected: Vec<String>) {
        self.send(Err(TokenError::WrongAudience { actual, expected }.into()));
    }

    /// Nobody can tell right now.
    fn fail(&self, reason: &str) {
        self.send(Err(unavailable(reason)));
    }
}

impl Answer {
    fn send(&self, answer: Result<mcp_auth::AuthInfo, AuthError>) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever asked may have gone.
        drop(sender.map(|sender| sender.send(answer)));
    }
}

/// A policy in Python: `True` allows, `False` forbids, scopes are asked for.
pub(crate) struct PythonAuthorizer(pub(crate) Py<PyAny>);

impl Authorizer for PythonAuthorizer {
    fn authorize(
        &self,
        caller: &mcp_auth::AuthInfo,
        operation: &mcp_auth::Operation<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        let asked = Python::attach(|py| {
            let caller = Py::new(py, AuthInfo::new(caller.clone()))?;
            let operation = Py::new(py, Operation::new(py, operation)?)?;
            let verdict = self.0.bind(py).call1((caller, operation))?;
            if let Ok(allowed) = verdict.extract::<bool>() {
                return Ok(if allowed {
                    Verdict::Allow
                } else {
                    Verdict::forbidden("the authorizer says no")
                });
            }
            let scopes: Scopes = verdict.extract::<Vec<String>>()?.into_iter().collect();
            PyResult::Ok(Verdict::MissingScopes(scopes))
        });
        Ok(asked.map_err(|error| format!("the authorizer failed: {error}"))?)
    }
}

/// What a caller wants to do.
#[pyclass(frozen, get_all, module = "mcp_auth")]
pub(crate) struct Operation {
    /// `tool`, `prompt`, `resource` or `other`.
    kind: &'static str,
    /// The JSON-RPC method.
    method: String,
    /// What it names: a tool, a prompt, the URI of a resource.
    name: Option<String>,
    /// The arguments of a call.
    arguments: Option<Py<PyDict>>,
}

impl Operation {
    fn new(py: Python<'_>, operation: &mcp_auth::Operation<'_>) -> PyResult<Self> {
        let arguments = operation.arguments().map(|arguments| json::object(py, arguments));
        Ok(Self {
            kind: match operation.kind() {
                OperationKind::Tool => "tool",
                OperationKind::Prompt => "prompt",
                OperationKind::Resource => "resource",
                _ => "other",
            },
            method: operation.method().to_owned(),
            name: operation.name().map(ToOwned::to_owned),
            arguments: arguments.transpose()?.map(Bound::unbind),
        })
    }
}

/// Changes a metadata document: `patch(issuer, document) -> document`.
pub(crate) fn patch_metadata(patch: &Py<PyAny>, issuer: &str, document: &mut Value) {
    let patched = Python::attach(|py| {
        let given = json::to_python(py, document)?;
        let patched = patch.bind(py).call1((issuer, given))?;
        let text = py.import("json")?.call_method1("dumps", (patched,))?;
        text.extract::<String>()
    });
    match patched.map(|text| serde_json::from_str(&text)) {
        Ok(Ok(patched)) => *document = patched,
        // Without the patch it is a document that the operator did not mean: none is better.
        _ => *document = Value::Null,
    }
}

/// A function that tells the time, for tests.
pub(crate) struct PythonClock(pub(crate) Py<PyAny>);

impl Clock for PythonClock {
    fn unix_seconds(&self) -> u64 {
        Python::attach(|py| self.0.call0(py)?.extract(py)).unwrap_or_default()
    }
}

/// A function that gives documents by URL, `None` for a 404; for tests.
pub(crate) struct PythonDocuments(pub(crate) Py<PyAny>);

impl HttpClient for PythonDocuments {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let document = Python::attach(|py| {
            let document = self.0.call1(py, (request.uri().to_string(),))?;
            document.extract::<Option<String>>(py)
        });
        let answer = document.map_err(|error| HttpError::new(error.to_string()));
        Box::pin(ready(answer.map(|document| {
            let status = if document.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
            let mut response = Response::new(Bytes::from(document.unwrap_or_default()));
            *response.status_mut() = status;
            response
        })))
    }
}

/// Says nothing of the function.
impl fmt::Debug for PythonVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonVerifier").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
