//! Streams of events that end with the token of their caller, for Python to end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::decision::Reply;
use crate::gate;

/// What ends a stream of events in time.
#[pyclass(frozen)]
pub(crate) struct StreamEnd(Mutex<mcp_auth::decision::StreamEnd>);

impl StreamEnd {
    pub(crate) fn new(end: mcp_auth::decision::StreamEnd) -> Self {
        Self(Mutex::new(end))
    }

    fn end(&self) -> MutexGuard<'_, mcp_auth::decision::StreamEnd> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl StreamEnd {
    /// Asked before something is sent, and by whoever is woken. `None`: the stream goes on; bytes: it ends here, and they are
    /// the last of it.
    fn step<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        last_piece(py, self.end().step())
    }

    /// How much of the next piece may be sent, after a `step` that let the stream go on; `None`: the whole piece.
    fn cut(&self, piece: &[u8]) -> Option<usize> {
        self.end().cut(piece)
    }

    /// Takes note of what was sent, and takes the next `step`.
    fn see<'py>(&self, py: Python<'py>, sent: &[u8]) -> Option<Bound<'py, PyBytes>> {
        let mut end = self.end();
        end.see(sent);
        last_piece(py, end.step())
    }

    /// The answer in place of the whole response, after a `step` that ended the stream before its start was sent.
    fn refusal(&self, py: Python<'_>) -> PyResult<Reply> {
        Reply::new(py, self.end().refusal())
    }

    /// Whether its end is to be waited for now.
    #[getter]
    fn is_watched(&self) -> bool {
        self.end().is_watched()
    }

    /// After how many seconds to `step` at the latest; `None`: that is not known, or the next piece ends it.
    #[getter]
    fn seconds_left(&self) -> Option<f64> {
        self.end().time_left().map(|left| left.as_secs_f64())
    }

    /// Lets this be called once, in whatever thread, when something is revoked. Whether something was since this was last
    /// asked: then it is time for a `step`, and nothing is called.
    fn listen(&self, wake: Py<PyAny>) -> bool {
        let waker = Waker::from(Arc::new(Alarm(wake)));
        self.end().poll_revoked(&mut Context::from_waker(&waker)).is_ready()
    }

    /// Calls nothing any more, and lets go of it.
    fn close(&self) {
        self.end().stop_waking();
    }
}

fn last_piece(py: Python<'_>, last: Option<Bytes>) -> Option<Bound<'_, PyBytes>> {
    Some(PyBytes::new(py, &last?))
}

/// A function of Python's that wakes an event loop.
struct Alarm(Py<PyAny>);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        // A loop that is closed has no stream any more, and neither has an interpreter that ends.
        gate::attach(|py| drop(self.0.call0(py)));
    }
}
