//! What is to be done with a request, for Python to carry out.

use std::sync::{Mutex, PoisonError};

use http::header::ACCEPT_ENCODING;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use mcp_auth::{Decision, Passage, PendingDecision};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyTuple};

use crate::auth_info::AuthInfo;
use crate::request::{name_and_value, read_headers};

/// The decision as an object of one of the classes below.
pub(crate) fn to_python(
    py: Python<'_>,
    decision: Decision,
    mut request: Parts,
) -> PyResult<Py<PyAny>> {
    match decision {
        Decision::Forward(mut forward) => {
            forward.remove_tokens(&mut request.headers);
            let auth_info = forward.auth_info.take().map(|info| Py::new(py, AuthInfo::new(info)));
            let auth_info = auth_info.transpose()?;
            let (inner, headers) = (Mutex::new(Some(forward)), request.headers);
            Ok(Py::new(py, Forward { inner, auth_info, headers })?.into_any())
        }
        Decision::ReadBody(pending) => {
            let max_bytes = pending.max_bytes();
            let inner = Mutex::new(Some((pending, request)));
            Ok(Py::new(py, ReadBody { inner, max_bytes })?.into_any())
        }
        Decision::Reply(reply) => Ok(Py::new(py, Reply::new(py, reply)?)?.into_any()),
        // What this version does not know is not allowed.
        _ => Ok(Py::new(py, Reply::status(py, StatusCode::INTERNAL_SERVER_ERROR))?.into_any()),
    }
}

/// The headers that are still in the map, as they came.
fn kept<'py>(headers: &Bound<'py, PyAny>, map: &HeaderMap) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(headers.py());
    for pair in PyIterator::from_object(headers)? {
        let pair = pair?;
        let (name, _) = name_and_value(&pair)?;
        let name = std::str::from_utf8(name.cast::<PyBytes>()?.as_bytes()).unwrap_or_default();
        if map.contains_key(name) {
            list.append(pair)?;
        }
    }
    Ok(list)
}

fn pairs<'py>(py: Python<'py>, headers: &HeaderMap) -> PyResult<Bound<'py, PyList>> {
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let bytes = |text| PyBytes::new(py, text);
        PyTuple::new(py, [bytes(name.as_str().as_bytes()), bytes(value.as_bytes())])
    };
    PyList::new(py, headers.iter().map(pair).collect::<PyResult<Vec<_>>>()?)
}

fn taken<T>(place: &Mutex<Option<T>>) -> PyResult<T> {
    let taken = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    taken.ok_or_else(|| pyo3::exceptions::PyRuntimeError::new_err("this was used before"))
}

/// A request that may go on.
#[pyclass(frozen)]
pub(crate) struct Forward {
    inner: Mutex<Option<mcp_auth::Forward>>,
    #[pyo3(get)]
    auth_info: Option<Py<AuthInfo>>,
    /// Those of the request that go on: none that holds a token.
    headers: HeaderMap,
}

#[pymethods]
impl Forward {
    /// The scope for the app: without tokens, and with the caller as `mcp_auth`.
    fn enter<'py>(&self, scope: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        let py = scope.py();
        let inner = scope.copy()?;
        if let Some(headers) = scope.get_item(intern!(py, "headers"))? {
            inner.set_item(intern!(py, "headers"), kept(&headers, &self.headers)?)?;
        }
        inner.set_item(intern!(py, "mcp_auth"), &self.auth_info)?;
        Ok(inner)
    }

    /// The headers of the response as they are to be sent, and what its body must pass through.
    /// `None` for either: as they came.
    #[allow(clippy::type_complexity, reason = "a pair of optional objects")]
    fn respond<'py>(
        &self,
        py: Python<'py>,
        status: u16,
        headers: &Bound<'py, PyAny>,
    ) -> PyResult<(Option<Bound<'py, PyList>>, Option<ResponseFilter>)> {
        let forward = taken(&self.inner)?;
        let mut map = read_headers(headers)?.unwrap_or_default();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let before = map.len();
        let has_own = !forward.response_headers.is_empty();
        let filter = forward.respond(status, &mut map);
        let headers = (has_own || map.len() != before).then(|| pairs(py, &map)).transpose()?;
        let filter = (!filter.is_transparent()).then(|| ResponseFilter(Mutex::new(filter)));
        Ok((headers, filter))
    }
}

/// A request whose body says what it asks for.
#[pyclass(frozen)]
pub(crate) struct ReadBody {
    inner: Mutex<Option<(PendingDecision, Parts)>>,
    /// How long the body may be, in bytes.
    #[pyo3(get)]
    max_bytes: usize,
}

#[pymethods]
impl ReadBody {
    /// Decides, by what the body asks for.
    fn decide(&self, py: Python<'_>, body: &[u8]) -> PyResult<Py<PyAny>> {
        let (pending, mut request) = taken(&self.inner)?;
        let decision = pending.decide(&request, body);
        // A list that is filtered must come as it is.
        request.headers.remove(ACCEPT_ENCODING);
        to_python(py, decision, request)
    }

    /// The answer to a body that is longer.
    fn too_large(&self, py: Python<'_>) -> PyResult<Reply> {
        let (pending, _) = taken(&self.inner)?;
        Reply::new(py, pending.too_large())
    }
}

/// An answer that is ready to be sent.
#[pyclass(frozen, get_all)]
pub(crate) struct Reply {
    status: u16,
    headers: Py<PyList>,
    body: Py<PyBytes>,
    /// Why the request is refused; `None` when it is not.
    code: Option<&'static str>,
    /// The same in words, with the compared values: for operators, not for clients.
    reason: Option<String>,
}

impl Reply {
    fn new(py: Python<'_>, reply: mcp_auth::Reply) -> PyResult<Self> {
        Ok(Self {
            status: reply.status.as_u16(),
            headers: pairs(py, &reply.headers)?.unbind(),
            body: PyBytes::new(py, &reply.body).unbind(),
            code: reply.error.as_ref().map(mcp_auth::AuthError::code),
            reason: reply.error.as_ref().map(ToString::to_string),
        })
    }

    /// A status alone.
    pub(crate) fn status(py: Python<'_>, status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
            headers: PyList::empty(py).unbind(),
            body: PyBytes::new(py, b"").unbind(),
            code: None,
            reason: None,
        }
    }
}

/// What a response passes through, piece by piece.
#[pyclass(frozen)]
pub(crate) struct ResponseFilter(Mutex<mcp_auth::ResponseFilter>);

#[pymethods]
impl ResponseFilter {
    /// Takes a piece of the body. `None`: send nothing yet; bytes: send them; a `Reply`: send that
    /// instead of the response; `False`: break the response off.
    fn push(&self, py: Python<'_>, chunk: &[u8]) -> PyResult<Py<PyAny>> {
        passage(py, self.0.lock().unwrap_or_else(PoisonError::into_inner).push(chunk))
    }

    /// Takes the end of the body.
    fn end(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        passage(py, self.0.lock().unwrap_or_else(PoisonError::into_inner).end())
    }
}

fn passage(py: Python<'_>, passage: Passage) -> PyResult<Py<PyAny>> {
    Ok(match passage {
        Passage::Hold => py.None(),
        Passage::Send(data) => PyBytes::new(py, &data).into_any().unbind(),
        Passage::Replace(reply) => Py::new(py, Reply::new(py, *reply)?)?.into_any(),
        _ => false.into_pyobject(py)?.to_owned().into_any().unbind(),
    })
}
