//! Where authorization servers are asked: one thread, started with the first question.

use std::sync::OnceLock;

use futures_util::future::BoxFuture;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();

/// Runs background work of the library. No thread exists before the first of it.
pub(crate) fn spawn(work: BoxFuture<'static, ()>) {
    match runtime() {
        Some(runtime) => drop(runtime.spawn(work)),
        None => {
            tracing::error!("no thread could be started: authorization servers cannot be asked")
        }
    }
}

/// The runtime of this process, which every worker thread shares.
pub(crate) fn runtime() -> Option<&'static Runtime> {
    RUNTIME.get_or_init(start).as_ref()
}

fn start() -> Option<Runtime> {
    // Whoever needs it says that there is none.
    Builder::new_multi_thread().worker_threads(1).thread_name("mcp-auth").enable_all().build().ok()
}
