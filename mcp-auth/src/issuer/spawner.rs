//! Where background work runs: a seam.

use std::fmt;
use std::sync::{Arc, Weak};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

/// Starts work that goes on whoever waits for it.
#[derive(Clone)]
pub(crate) struct Spawner(Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>);

impl Spawner {
    pub(crate) fn new(spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(spawn))
    }

    /// Starts the work. The result is `None` when the work broke off: it panicked, or its runtime
    /// ended.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> (BoxFuture<'static, Option<T>>, Running) {
        let (send, receive) = oneshot::channel();
        let alive = Arc::new(());
        let running = Running(Arc::downgrade(&alive));
        (self.0)(Box::pin(async move {
            let result = work.await;
            drop(alive);
            // Whoever was waiting may have gone.
            let _ = send.send(result);
        }));
        (receive.map(Result::ok).boxed(), running)
    }
}

/// In the tokio runtime of whoever asks.
impl Default for Spawner {
    fn default() -> Self {
        Self::new(|work| drop(tokio::spawn(work)))
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawner")
    }
}

/// Tells whether work that was started goes on.
pub(crate) struct Running(Weak<()>);

impl Running {
    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_with_its_result_or_breaks_off() {
        let spawner = Spawner::default();
        let (result, running) = spawner.start(async { 7 });
        assert_eq!(result.await, Some(7));
        assert!(running.is_over());
        let (result, running) = spawner.start(async { panic!("on purpose") });
        assert_eq!(result.await, None::<()>);
        assert!(running.is_over());
        let (result, running) = Spawner::new(drop).start(async { 7 });
        assert_eq!(result.await, None, "it was never begun");
        assert!(running.is_over());
    }
}
