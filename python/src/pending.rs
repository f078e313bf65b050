//! From a future to a Python value: at once where nothing has to be waited for, and that is nearly
//! always.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::future::BoxFuture;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::gate;
use crate::runtime::LazyRuntime;

/// Makes the Python value, with the interpreter at hand.
type Finish = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

tokio::task_local! {
    /// Where the request is that waits, for functions of the user's that are called meanwhile.
    pub(crate) static EVENT_LOOP: Py<PyAny>;
}

/// A result that has to be waited for; `mcp_auth._pending.wait` does.
#[pyclass(frozen)]
pub(crate) struct Pending {
    work: Mutex<Option<BoxFuture<'static, Finish>>>,
    runtime: Arc<LazyRuntime>,
}

/// Asks the future once. Its value becomes a Python object; when it has to wait, the same future
/// becomes a [`Pending`].
pub(crate) fn poll_once<T: Send + 'static>(
    py: Python<'_>,
    runtime: &Arc<LazyRuntime>,
    future: impl Future<Output = T> + Send + 'static,
    finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Py<PyAny>> {
    let mut pinned = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    if let Poll::Ready(value) = pin!(&mut pinned).poll(&mut context) {
        return finish(py, value);
    }
    let work = async move {
        let value = pinned.await;
        let finish_later: Finish = Box::new(move |later_py| finish(later_py, value));
        finish_later
    };
    let pending = Pending { work: Mutex::new(Some(Box::pin(work))), runtime: runtime.clone() };
    Ok(Py::new(py, pending)?.into_any())
}

#[pymethods]
impl Pending {
    /// Goes on in the background, and gives the result to an asyncio future of this loop.
    fn start(&self, py: Python<'_>, event_loop: Py<PyAny>, future: Py<PyAny>) -> PyResult<()> {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(work) = work else {
            return Err(PyRuntimeError::new_err("this was started before"));
        };
        if gate::has_ended() {
            return Err(PyRuntimeError::new_err("the interpreter ends"));
        }
        let asked_on = event_loop.clone_ref(py);
        let is_started = self.runtime.spawn(async move {
            let finish = EVENT_LOOP.scope(asked_on, work).await;
            // Neither an interpreter that ends nor a loop that is closed has anybody waiting.
            gate::attach(|later_py| {
                let _ = settle(later_py, finish, &event_loop, &future);
            });
        });
        if is_started { Ok(()) } else { Err(PyOSError::new_err("no thread could be started")) }
    }
}

fn settle(
    py: Python<'_>,
    finish: Finish,
    event_loop: &Py<PyAny>,
    future: &Py<PyAny>,
) -> PyResult<()> {
    static SETTLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let settle = SETTLE.import(py, "mcp_auth._pending", "settle")?;
    let (value, error) = match finish(py) {
        Ok(value) => (value, py.None()),
        Err(error) => (py.None(), error.into_value(py).into_any()),
    };
    event_loop.call_method1(py, "call_soon_threadsafe", (settle, future, value, error))?;
    Ok(())
}
