//! What is to be done with a request, for Python to carry out.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use mcp_auth::decision::{Decision, Passage, PendingDecision};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyTuple};

use crate::auth_info::AuthInfo;
use crate::pending::poll_once;
use crate::request::{listed, name_and_value, read_headers};
use crate::runtime::LazyRuntime;
use crate::stream::StreamEnd;

/// The decision about the request of this scope, as an object of one of the classes below.
pub(crate) fn to_python(
    scope: &Bound<'_, PyDict>,
    decision: Decision,
    request: Parts,
    runtime: &Arc<LazyRuntime>,
) -> PyResult<Py<PyAny>> {
    let py = scope.py();
    match decision {
        Decision::Forward(forward) => Ok(Py::new(py, Forward::new(scope, forward)?)?.into_any()),
        Decision::ReadBody(pending) => {
            let (max_bytes, timeout) = (pending.max_bytes(), pending.timeout().as_secs_f64());
            let inner = Mutex::new(Some((pending, request)));
            let read_body = ReadBody {
                inner,
                scope: scope.clone().unbind(),
                runtime: runtime.clone(),
                max_bytes,
                timeout,
            };
            Ok(Py::new(py, read_body)?.into_any())
        }
        Decision::Reply(reply) => Ok(Py::new(py, Reply::new(py, reply)?)?.into_any()),
        // What this version does not know is not allowed.
        _ => Ok(Py::new(py, Reply::status(py, StatusCode::INTERNAL_SERVER_ERROR))?.into_any()),
    }
}

fn pairs<'py>(py: Python<'py>, headers: &HeaderMap) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for (name, value) in headers {
        let name_bytes = PyBytes::new(py, name.as_str().as_bytes());
        list.append(PyTuple::new(py, [name_bytes, PyBytes::new(py, value.as_bytes())])?)?;
    }
    Ok(list)
}

/// What can be used once.
fn take_once<T>(place: &Mutex<Option<T>>) -> PyResult<T> {
    let value = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    value.ok_or_else(|| pyo3::exceptions::PyRuntimeError::new_err("this was used before"))
}

/// A request that may go on.
///
/// What every request is asked for is an object of Python's: reading one is no call.
#[pyclass(frozen)]
pub(crate) struct Forward {
    inner: Mutex<Option<mcp_auth::decision::Forward>>,
    /// An `AuthInfo`; `None` where a policy needs no token.
    #[pyo3(get)]
    auth_info: Py<PyAny>,
    /// The scope for the app: without tokens, and with the caller as `mcp_auth`.
    #[pyo3(get)]
    scope: Py<PyDict>,
    /// Whether nothing of any response changes but the session that it names, and a stream's end.
    only_seals_sessions: bool,
    /// Whether the request goes on with its body.
    #[pyo3(get)]
    takes_body: bool,
    /// The body that goes on in place of the one that came; `None`: it goes on as it came.
    #[pyo3(get)]
    body: Option<Py<PyBytes>>,
}

impl Forward {
    pub(crate) fn new(
        scope: &Bound<'_, PyDict>,
        mut forward: mcp_auth::decision::Forward,
    ) -> PyResult<Self> {
        let py = scope.py();
        let auth_info = match forward.auth_info.take() {
            Some(info) => Py::new(py, AuthInfo::new(info))?.into_any(),
            None => py.None(),
        };
        let app_scope = scope.copy()?;
        if let Some(headers) = scope.get_item(intern!(py, "headers"))? {
            app_scope.set_item(intern!(py, "headers"), headers_for_app(&headers, &forward)?)?;
        }
        app_scope.set_item(intern!(py, "mcp_auth"), &auth_info)?;
        if forward.changes_responses() {
            without_files(&app_scope)?;
        }
        let only_seals_sessions = forward.passes_every_response() || forward.only_seals_sessions();
        let takes_body = forward.takes_body();
        let body = forward.body().map(|bytes| PyBytes::new(py, bytes).unbind());
        Ok(Self {
            inner: Mutex::new(Some(forward)),
            auth_info,
            scope: app_scope.unbind(),
            only_seals_sessions,
            takes_body,
            body,
        })
    }
}

/// Lets an app send the bytes of a file, which have to be looked at, and not its name.
fn without_files(scope: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = scope.py();
    let Some(extensions) = scope.get_item(intern!(py, "extensions"))? else { return Ok(()) };
    let Ok(extensions) = extensions.cast::<PyDict>() else {
        // What is no dictionary names no extension that could be relied on.
        return scope.del_item(intern!(py, "extensions"));
    };
    let extensions = extensions.copy()?;
    for name in ["http.response.pathsend", "http.response.zerocopysend"] {
        if extensions.contains(name)? {
            extensions.del_item(name)?;
        }
    }
    scope.set_item(intern!(py, "extensions"), extensions)
}

/// The headers of the request without what the app must not see, and with what they name as it knows it.
fn headers_for_app<'py>(
    headers: &Bound<'py, PyAny>,
    forward: &mcp_auth::decision::Forward,
) -> PyResult<Bound<'py, PyList>> {
    if !forward.replaces_headers() {
        return filter_headers(headers, |name| !forward.withholds(name));
    }
    let py = headers.py();
    let replaced: Vec<(HeaderName, HeaderValue)> = forward.replaced_headers().collect();
    let handed_on = filter_headers(headers, |name| {
        let mut names = replaced.iter().map(|(one, _)| one.as_str());
        names.any(|one| name.eq_ignore_ascii_case(one)) || !forward.withholds(name)
    })?;
    for (index, pair) in handed_on.iter().enumerate() {
        let (name, _) = name_and_value(&pair)?;
        for (replaced_name, value) in &replaced {
            if is_named(&name, replaced_name)? {
                handed_on.set_item(index, (&name, PyBytes::new(py, value.as_bytes())))?;
            }
        }
    }
    Ok(handed_on)
}

/// What the headers of a response tell of it.
#[derive(Default)]
struct HeadersTell {
    names_session: bool,
    is_stream: bool,
}

impl HeadersTell {
    fn read(headers: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut told = Self::default();
        for pair in PyIterator::from_object(headers)? {
            let (name, value) = name_and_value(&pair?)?;
            told.names_session |= is_named(&name, &MCP_SESSION_ID)?;
            told.is_stream |= is_named(&name, &CONTENT_TYPE)?
                && mcp_auth::decision::StreamEnd::is_for(value.cast::<PyBytes>()?.as_bytes());
        }
        Ok(told)
    }
}

/// The headers of a response with its session sealed for the caller.
fn seal_sessions<'py>(
    headers: &Bound<'py, PyAny>,
    forward: &mcp_auth::decision::Forward,
) -> PyResult<Bound<'py, PyList>> {
    let py = headers.py();
    let list = PyList::empty(py);
    for pair in PyIterator::from_object(headers)? {
        let pair = pair?;
        let (name, value) = name_and_value(&pair)?;
        if !is_named(&name, &MCP_SESSION_ID)? {
            list.append(pair)?;
            continue;
        }
        let given = HeaderValue::from_bytes(value.cast::<PyBytes>()?.as_bytes()).ok();
        match given.as_ref().and_then(|id| forward.seal_session(id)) {
            Some(sealed) => list.append((name, PyBytes::new(py, sealed.as_bytes())))?,
            // Clients could not use it.
            None => {
                tracing::error!(target: "mcp_auth", "the identifier of a session is withheld: it is no visible ASCII");
            }
        }
    }
    Ok(list)
}

/// Whether a header of ASGI, whose name this is, has this name.
fn is_named(name: &Bound<'_, PyAny>, expected: &HeaderName) -> PyResult<bool> {
    Ok(name.cast::<PyBytes>()?.as_bytes().eq_ignore_ascii_case(expected.as_str().as_bytes()))
}

/// The headers whose names are such, as they came.
fn filter_headers<'py>(
    headers: &Bound<'py, PyAny>,
    is_kept: impl Fn(&str) -> bool,
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(headers.py());
    for pair in PyIterator::from_object(headers)? {
        let pair = pair?;
        let (name, _) = name_and_value(&pair)?;
        // What is no text is no name of a header.
        if str::from_utf8(name.cast::<PyBytes>()?.as_bytes()).is_ok_and(&is_kept) {
            list.append(pair)?;
        }
    }
    Ok(list)
}

/// Names the session (MCP, Streamable HTTP).
static MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// What has to be known of a response to which nothing is added.
const DESCRIBE_BODY: [HeaderName; 4] =
    [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING];

#[pymethods]
impl Forward {
    /// The headers of the response as they are to be sent, what its body must pass through, and what ends it in time, if it
    /// is a stream of events. `None` for headers and filter: as they came.
    fn respond<'py>(&self, status: u16, headers: &Bound<'py, PyAny>) -> PyResult<Response<'py>> {
        let forward = take_once(&self.inner)?;
        let given = listed(headers)?;
        let mut list = given.clone();
        let has_own = !forward.response_headers.is_empty();
        let told = HeadersTell::read(&list)?;
        // With headers of ours, the session is sealed as they are added.
        if told.names_session && forward.binds_sessions() && !has_own {
            list = seal_sessions(&list, &forward)?.into_any();
        }
        if self.only_seals_sessions && !told.is_stream {
            return Ok(((!list.is(headers)).then_some(list), None, None));
        }
        let Ok(status) = StatusCode::from_u16(status) else {
            return Err(PyValueError::new_err(
                "the status of the response is not what HTTP allows",
            ));
        };
        // Events belong to the session as the app knows it.
        let read = read_headers(&given, |name| {
            has_own || DESCRIBE_BODY.contains(name) || *name == MCP_SESSION_ID
        })?;
        let Some(mut map) = read else {
            // What cannot be read cannot be filtered.
            return Err(PyValueError::new_err("a header of the response is not what HTTP allows"));
        };
        let had_length = map.contains_key(CONTENT_LENGTH);
        let end = forward.stream_end(&mut map).map(StreamEnd::new);
        let filter = (!self.only_seals_sessions).then(|| forward.respond(status, &mut map));
        let changed = if has_own {
            Some(pairs(list.py(), &map)?.into_any())
        } else if had_length && !map.contains_key(CONTENT_LENGTH) {
            let without_length =
                filter_headers(&list, |name| !name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str()))?;
            Some(without_length.into_any())
        } else {
            (!list.is(headers)).then_some(list)
        };
        let changing = filter.filter(|filter| !filter.is_transparent()).map(|mut filter| {
            let has_begun = filter.begin_at_once();
            ResponseFilter { filter: Mutex::new(filter), has_begun }
        });
        Ok((changed, changing, end))
    }
}

/// Headers, what the body passes through, and what ends it.
type Response<'py> = (Option<Bound<'py, PyAny>>, Option<ResponseFilter>, Option<StreamEnd>);

/// A request whose body says what it asks for.
#[pyclass(frozen)]
pub(crate) struct ReadBody {
    inner: Mutex<Option<(PendingDecision, Parts)>>,
    scope: Py<PyDict>,
    runtime: Arc<LazyRuntime>,
    /// How long the body may be, in bytes.
    #[pyo3(get)]
    max_bytes: usize,
    /// How long it may take, in seconds.
    #[pyo3(get)]
    timeout: f64,
}

#[pymethods]
impl ReadBody {
    /// Decides, by what the body asks for: a `Forward`, a `Reply`, or a `Pending` that becomes one of them.
    fn decide(&self, py: Python<'_>, body: Vec<u8>) -> PyResult<Py<PyAny>> {
        let (pending, request) = take_once(&self.inner)?;
        let decide = async move {
            let decision = pending.decide(&request, &body).await;
            (decision, request)
        };
        let (scope, runtime) = (self.scope.clone_ref(py), self.runtime.clone());
        poll_once(py, &self.runtime, decide, move |py, (decision, request)| {
            to_python(scope.bind(py), decision, request, &runtime)
        })
    }

    /// The answer to a body that did not come in time.
    fn timed_out(&self, py: Python<'_>) -> PyResult<Reply> {
        let (pending, _) = take_once(&self.inner)?;
        Reply::new(py, pending.timed_out())
    }

    /// The answer to a body that is longer.
    fn too_large(&self, py: Python<'_>) -> PyResult<Reply> {
        let (pending, _) = take_once(&self.inner)?;
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
    pub(crate) fn new(py: Python<'_>, reply: mcp_auth::decision::Reply) -> PyResult<Self> {
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
pub(crate) struct ResponseFilter {
    filter: Mutex<mcp_auth::decision::ResponseFilter>,
    /// Whether status and headers are to be sent without waiting for the body.
    #[pyo3(get)]
    has_begun: bool,
}

#[pymethods]
impl ResponseFilter {
    /// Takes a piece of the body. `None`: send nothing yet; bytes: send them; a `Reply`: send that
    /// instead of the response; `False`: break the response off.
    fn push(&self, py: Python<'_>, chunk: &[u8]) -> PyResult<Py<PyAny>> {
        passage(py, self.filter.lock().unwrap_or_else(PoisonError::into_inner).push(chunk))
    }

    /// Takes the end of the body.
    fn end(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        passage(py, self.filter.lock().unwrap_or_else(PoisonError::into_inner).end())
    }
}

fn passage(py: Python<'_>, passage: Passage) -> PyResult<Py<PyAny>> {
    Ok(match passage {
        Passage::Hold => py.None(),
        Passage::Send(data) => PyBytes::new(py, &data).into_any().unbind(),
        Passage::Replace(reply) => Py::new(py, Reply::new(py, *reply)?)?.into_any(),
        // Broken off, also where this version does not know what is to be done.
        _ => false.into_pyobject(py)?.to_owned().into_any().unbind(),
    })
}
