//! The tokio runtime, made when something is first fetched, and what a `fork()` leaves of it.

use std::fmt;
use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

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
        let runtime = self.0.get_or_init(start).as_ref();
        runtime.map(|runtime| runtime.spawn(work)).is_some()
    }

    /// Runs the work to its end on this thread.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        Some(self.0.get_or_init(start).as_ref()?.block_on(work))
    }
}

/// Does what may block, on this thread, so that it holds up nothing else of the runtime.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(_) => tokio::task::block_in_place(work),
        // Asked by a thread of Python's: there is nothing to hold up.
        Err(_) => work(),
    }
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
