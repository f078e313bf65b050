//! A function of the user's, in Python, that says which tokens were taken back.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use mcp_auth::revocation::{RevocationCheck, RevocationCheckError};
use pyo3::prelude::*;
use tokio::sync::oneshot;

use crate::auth_info::AuthInfo;
use crate::gate;
use crate::pending::EVENT_LOOP;

type Answer = Result<bool, RevocationCheckError>;

/// A function that says whether a token was taken back. It is called as `start(caller, told, event_loop)`, must not wait,
/// and leaves the answer when it is there. On the thread of the event loop, that one is `None`; it is called elsewhere
/// where the request had to wait for keys before.
pub(crate) struct PythonRevocationCheck {
    pub(crate) start: Py<PyAny>,
    pub(crate) interval: Duration,
}

impl RevocationCheck for PythonRevocationCheck {
    fn is_revoked<'c>(&'c self, caller: &'c mcp_auth::AuthInfo) -> BoxFuture<'c, Answer> {
        async move {
            let (sender, answer) = oneshot::channel();
            let answer_here = Told(Mutex::new(Some(sender)));
            let begun = gate::attach(|py| {
                let started = Py::new(py, AuthInfo::new(caller.clone())).and_then(|asked| {
                    let answer_to = Py::new(py, answer_here)?;
                    let event_loop = EVENT_LOOP.try_with(|waiting| waiting.clone_ref(py)).ok();
                    self.start.call1(py, (asked, answer_to, event_loop))
                });
                started.map(drop).map_err(|error| error.to_string())
            });
            match begun {
                Some(Ok(())) => {}
                Some(Err(reason)) => return Err(RevocationCheckError::new(reason)),
                None => return Err(RevocationCheckError::new("the interpreter ends")),
            }
            // It was dropped: the event loop ended, or the function's task did.
            match answer.await {
                Ok(told) => told,
                Err(_) => Err(RevocationCheckError::new("the function gave no answer")),
            }
        }
        .boxed()
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    /// Longer than what is kept in Python, where what takes too long is cancelled.
    fn timeout(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// Where the function leaves what it found.
#[pyclass(frozen)]
pub(crate) struct Told(Mutex<Option<oneshot::Sender<Answer>>>);

#[pymethods]
impl Told {
    /// Whether the token was taken back.
    fn tell(&self, is_revoked: bool) {
        self.send(Ok(is_revoked));
    }

    /// Nobody can tell right now.
    fn fail(&self, reason: &str) {
        self.send(Err(RevocationCheckError::new(reason)));
    }
}

impl Told {
    fn send(&self, answer: Answer) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever asked may have gone.
        drop(sender.map(|sender| sender.send(answer)));
    }
}

/// Says nothing of the function.
impl fmt::Debug for PythonRevocationCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonRevocationCheck").finish_non_exhaustive()
    }
}
