//! Where background work runs: in the tokio runtime of the caller, or where the builder is told to start it.

use std::fmt;
use std::sync::{Arc, Weak};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

/// Starts work in the background. It goes on when nobody waits for its result any more.
#[derive(Clone)]
pub(crate) struct Spawner {
    spawn: Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>,
    /// Whether it needs a caller in a tokio runtime.
    needs_runtime: bool,
}

impl Spawner {
    pub(crate) fn new(spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static) -> Self {
        Self { spawn: Arc::new(spawn), needs_runtime: false }
    }

    /// Whether work can be started from here.
    pub(crate) fn can_start(&self) -> bool {
        !self.needs_runtime || Handle::try_current().is_ok()
    }

    /// Starts the work. It may run, or be dropped, before this returns: hold no lock that it takes.
    pub(crate) fn start(&self, work: Work) {
        (self.spawn)(work);
    }
}

/// Work that is not started yet.
pub(crate) type Work = BoxFuture<'static, ()>;

/// Splits work into a part to start, its result, and a way to ask whether it goes on. The result is `None` when the
/// work broke off, because it panicked or its runtime ended.
pub(crate) fn background<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> (Work, BoxFuture<'static, Option<T>>, Running) {
    let (send, receive) = oneshot::channel();
    let alive = Arc::new(());
    let running = Running(Arc::downgrade(&alive));
    let sending_result = async move {
        let result = work.await;
        drop(alive);
        // Those who waited for it may be gone.
        let _ = send.send(result);
    };
    (sending_result.boxed(), receive.map(Result::ok).boxed(), running)
}

/// Threads that may wait, as for files on a network. So many and no more hang with them.
pub(crate) struct WaitingThreads {
    free: Arc<Semaphore>,
}

impl WaitingThreads {
    pub(crate) fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)) }
    }

    /// What comes of the work; `None`: it broke off. It goes on when nobody waits for it any more. It needs a tokio runtime.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        // Nobody closes it.
        let permit = self.free.clone().acquire_owned().await.ok()?;
        let running = tokio::task::spawn_blocking(move || {
            let outcome = work();
            // It is the thread that counts, also where nobody waits for it any more.
            drop(permit);
            outcome
        });
        running.await.ok()
    }
}

/// In the tokio runtime of the caller.
impl Default for Spawner {
    fn default() -> Self {
        Self { needs_runtime: true, ..Self::new(|work| drop(tokio::spawn(work))) }
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

/// Tells whether work of [`background`] goes on, also after its result was taken.
pub(crate) struct Running(Weak<()>);

impl Running {
    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of work that is started so.
    async fn outcome<T: Send + 'static>(
        spawner: &Spawner,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (work, result, running) = background(work);
        spawner.start(work);
        let result = result.await;
        assert!(running.is_over());
        result
    }

    #[tokio::test]
    async fn work_ends_with_its_result_or_breaks_off() {
        let spawner = Spawner::default();
        assert_eq!(outcome(&spawner, async { 7 }).await, Some(7));
        assert_eq!(outcome(&spawner, async { panic!("on purpose") }).await, None::<()>);
        assert_eq!(outcome(&Spawner::new(drop), async { 7 }).await, None, "it was never begun");
    }
}
