//! Code of the user's, in Python: verifiers, an authorizer, a patch of metadata; and for tests time
//! and documents.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use http::{Request, Response, StatusCode};
use mcp_auth::clock::Clock;
use mcp_auth::errors::{TokenError, Unavailable};
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::policy::{AccessRequest, OperationKind, Verdict};
use mcp_auth::{AuthError, Authorizer, TokenVerifier};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use crate::auth_info::AuthInfo;
use crate::{gate, json, runtime};

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

    /// Longer than any `verify_timeout`, which is kept in Python, where what takes too long is cancelled.
    fn timeout(&self) -> Duration {
        Duration::from_secs(2 * 3600)
    }

    fn verify<'t>(
        &'t self,
        token: &'t str,
    ) -> BoxFuture<'t, Result<mcp_auth::AuthInfo, AuthError>> {
        async move {
            let (sender, answer) = oneshot::channel();
            let answer_to = Answer(Mutex::new(Some(sender)));
            let begun = gate::attach(|py| {
                let started = Py::new(py, answer_to)
                    .and_then(|answer_to| self.start.call1(py, (token, answer_to)));
                // Nothing of its text: it may hold the token.
                started.map(drop).map_err(|error| name_of(py, &error))
            });
            match begun {
                Some(Ok(())) => {}
                Some(Err(name)) => return Err(unavailable(&format!("it raised {name}"))),
                None => return Err(unavailable(NO_INTERPRETER)),
            }
            // It was dropped: the event loop ended, or the function's task did.
            answer.await.unwrap_or_else(|_| Err(unavailable("the function gave no answer")))
        }
        .boxed()
    }
}

/// The interpreter ends: nothing can be asked any more.
const NO_INTERPRETER: &str = "the interpreter ends";

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

    /// The token is good, and lacks these scopes.
    fn refuse_scopes(&self, required: Vec<String>, granted: Vec<String>) {
        let required = required.into_iter().collect();
        let granted = granted.into_iter().collect();
        self.send(Err(AuthError::InsufficientScope { required, granted }));
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
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        let AccessRequest { caller, operation, .. } = *request;
        let asked = gate::attach(|py| {
            let called = || {
                let caller = Py::new(py, AuthInfo::new(caller.clone()))?;
                let operation = Py::new(py, Operation::new(py, operation)?)?;
                self.0.bind(py).call1((caller, operation))
            };
            match called() {
                Ok(said) => verdict_of(&said),
                Err(error) => Err(describe(py, &error)),
            }
        });
        Ok(asked.unwrap_or_else(|| Err(NO_INTERPRETER.to_owned()))?)
    }
}

/// What the authorizer means by what it returned.
fn verdict_of(said: &Bound<'_, PyAny>) -> Result<Verdict, String> {
    if let Ok(allowed) = said.extract::<bool>() {
        let no = || Verdict::forbidden("the authorizer says no");
        return Ok(if allowed { Verdict::Allow } else { no() });
    }
    let texts: PyResult<Vec<String>> = if let Ok(list) = said.cast::<PyList>() {
        list.iter().map(|item| item.extract()).collect()
    } else if let Ok(tuple) = said.cast::<PyTuple>() {
        tuple.iter().map(|item| item.extract()).collect()
    } else {
        return Err(what_it_returned(said));
    };
    let Ok(texts) = texts else {
        return Err("it returned a list of something else than scopes".to_owned());
    };
    if texts.is_empty() {
        return Err("it returned no scope to ask for: to allow is True".to_owned());
    }
    if !texts.iter().all(|text| is_scope(text)) {
        return Err("it returned a scope of characters that no scope has".to_owned());
    }
    Ok(Verdict::MissingScopes(texts.into_iter().collect()))
}

/// RFC 6749 §3.3: what a scope is made of; it ends up in a header.
fn is_scope(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.bytes().all(is_allowed)
}

fn what_it_returned(said: &Bound<'_, PyAny>) -> String {
    let kind = match said.get_type().name() {
        Ok(name) => name.to_string_lossy().into_owned(),
        Err(_) => "something".to_owned(),
    };
    if kind == "coroutine" {
        // Nobody waits for it, and Python warns of one that was not begun. It fails to close only by
        // code of its own, which has no say here.
        let _ = said.call_method0("close");
    }
    format!("needs True, False or a list of scopes, not {kind}")
}

/// How much of an exception's text is logged, in characters: strangers have a part in it.
const LONGEST_TEXT: usize = 64;

/// The exception, for a log. Its text is code of the user's as well, and may fail.
fn describe(py: Python<'_>, error: &PyErr) -> String {
    let name = name_of(py, error);
    let Ok(text) = error.value(py).str() else { return name };
    let text: String = text.to_string_lossy().chars().take(LONGEST_TEXT).collect();
    if text.is_empty() { name } else { format!("{name}: {text:?}") }
}

fn name_of(py: Python<'_>, error: &PyErr) -> String {
    match error.get_type(py).name() {
        Ok(name) => name.to_string_lossy().into_owned(),
        Err(_) => "an exception".to_owned(),
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
                // What names nothing that a rule could be about, whatever it is.
                _ => "other",
            },
            method: operation.method().to_owned(),
            name: operation.name().map(ToOwned::to_owned),
            arguments: arguments.transpose()?.map(Bound::unbind),
        })
    }
}

/// Changes a metadata document: `patch(issuer, document) -> document`, in no more than this time.
pub(crate) fn patch_metadata(
    patch: &Arc<Py<PyAny>>,
    longest: Duration,
    issuer: &str,
    document: &mut Value,
) {
    let (patch, of, given) = (patch.clone(), issuer.to_owned(), document.clone());
    let patched = runtime::aside(longest, move || {
        gate::attach(|py| patched(py, &patch, &of, &given).map_err(|error| describe(py, &error)))
    });
    let patched = match patched {
        Some(Some(patched)) => patched,
        Some(None) => Err(NO_INTERPRETER.to_owned()),
        None => Err(format!("it did not return within {} s", longest.as_secs_f64())),
    };
    let patched = patched.and_then(|text| {
        let read: Result<Map<String, Value>, _> = serde_json::from_str(&text);
        read.map_err(|_| "it returned what is no JSON object".to_owned())
    });
    match patched {
        Ok(members) => *document = Value::Object(members),
        Err(reason) => {
            tracing::error!(target: "mcp_auth", issuer, reason, "patch_metadata failed: the metadata is not used");
            // Without the patch it is a document that the operator did not mean: none is better.
            *document = Value::Null;
        }
    }
}

/// What the function makes of the document, as JSON.
fn patched(py: Python<'_>, patch: &Py<PyAny>, issuer: &str, document: &Value) -> PyResult<String> {
    let given = json::to_python(py, document)?;
    let patched = patch.bind(py).call1((issuer, given))?;
    py.import("json")?.call_method1("dumps", (patched,))?.extract()
}

/// The time where the function fails: every token has expired then.
const TOO_LATE: u64 = u32::MAX as u64;

/// A function that tells the time, for tests.
pub(crate) struct PythonClock(pub(crate) Py<PyAny>);

impl Clock for PythonClock {
    fn unix_seconds(&self) -> u64 {
        let told = gate::attach(|py| self.0.call0(py)?.extract(py));
        told.and_then(PyResult::ok).unwrap_or(TOO_LATE)
    }
}

/// A function that gives documents by URL, `None` for a 404: for tests, and for clients of the user's that fetch keys.
pub(crate) struct PythonDocuments(pub(crate) Py<PyAny>);

impl HttpClient for PythonDocuments {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let document = gate::attach(|py| {
            let document = self.0.call1(py, (request.uri().to_string(),));
            let document = document.and_then(|document| document.extract::<Option<String>>(py));
            document.map_err(|error| describe(py, &error))
        });
        let document = document.unwrap_or_else(|| Err(NO_INTERPRETER.to_owned()));
        let answer = document.map_err(HttpError::new);
        Box::pin(ready(answer.map(|document| {
            let status = if document.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
            // A 404 has no body.
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
