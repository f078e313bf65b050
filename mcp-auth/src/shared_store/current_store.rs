//! The store that is in use, which another one may replace while it is.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;

use super::{CountedFailures, Followed, Loaded, SharedCutoff, SharedStore, StoreFuture};

/// Asks whatever store is in use. A question that was begun is answered by the one it was put to.
pub(crate) struct CurrentStore(ArcSwap<Arc<dyn SharedStore>>);

impl CurrentStore {
    pub(crate) fn new(store: Arc<dyn SharedStore>) -> Self {
        Self(ArcSwap::from_pointee(store))
    }

    /// Asks this one from now on: the same memory, reached in another way.
    pub(crate) fn replace(&self, store: Arc<dyn SharedStore>) {
        self.0.store(Arc::new(store));
    }

    fn in_use(&self) -> Arc<dyn SharedStore> {
        Arc::clone(&self.0.load())
    }
}

impl SharedStore for CurrentStore {
    fn put<'s>(&'s self, cutoffs: &'s [SharedCutoff]) -> StoreFuture<'s, ()> {
        async move { self.in_use().put(cutoffs).await }.boxed()
    }

    fn load(&self) -> StoreFuture<'_, Loaded> {
        async move { self.in_use().load().await }.boxed()
    }

    fn follow<'s>(&'s self, position: &'s str, wait: Duration) -> StoreFuture<'s, Followed> {
        async move { self.in_use().follow(position, wait).await }.boxed()
    }

    fn first_time<'s>(&'s self, key: &'s str, keep: Duration) -> StoreFuture<'s, bool> {
        async move { self.in_use().first_time(key, keep).await }.boxed()
    }

    fn count_failures<'s>(
        &'s self,
        counted: &'s [CountedFailures],
    ) -> StoreFuture<'s, Vec<Duration>> {
        async move { self.in_use().count_failures(counted).await }.boxed()
    }
}
