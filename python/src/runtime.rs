//! The tokio runtime, made when something is first fetched, and what a `fork()` leaves of it.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::gate;

/// How often this process came out of a `fork()`.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Tells that this process came out of a `fork()`: `os.register_at_fork` calls it in the child.
#[pyfunction]
pub(crate) fn after_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    gate::open_in_child();
}

/// Changes when this process comes out of a `fork()`: threads, sockets and flights that were made
/// before are the parent's.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// One thread for everything that waits; none until there is something.
#[derive(Default)]
pub(crate) struct LazyRuntime(OnceLock<Option<Runtime>>);

impl LazyRuntime {
    /// Starts the work. Whether it could: it is dropped when the system gives no thread.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        match self.0.get_or_init(start) {
            Some(runtime) => {
                runtime.spawn(work);
                true
            }
            None => false,
        }
    }

    /// Runs the work to its end on this thread.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        Some(self.0.get_or_init(start).as_ref()?.block_on(work))
    }
}

/// Does what may block. Where this thread is the runtime's, another one does it, which is waited for
/// no longer than this, so that a function that never returns leaves no request open. `None` when it
/// takes longer, or when the system gives no thread.
pub(crate) fn aside<T: Send + 'static>(
    longest: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if Handle::try_current().is_err() {
        // Asked by a thread of Python's: it is the one that waits.
        return Some(work());
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let started = thread::Builder::new().name("mcp-auth-hook".to_owned()).spawn(move || {
        gate::mark_thread();
        // Whoever asked may have given up.
        drop(sender.send(work()));
    });
    if started.is_err() {
        return None;
    }
    // What else our one thread does goes on in another meanwhile.
    let result = tokio::task::block_in_place(|| receiver.recv_timeout(longest));
    // It takes longer, or panicked: the callers take both for a failure.
    result.ok()
}

fn start() -> Option<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).thread_name("mcp-auth").on_thread_start(gate::mark_thread);
    // The callers answer that no thread could be started; the system's reason changes nothing.
    builder.enable_all().build().ok()
}

/// Waits for nothing: it may be dropped on its own thread.
impl Drop for LazyRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take().flatten() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for LazyRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LazyRuntime")
    }
}
