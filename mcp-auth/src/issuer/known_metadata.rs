//! The last metadata of an issuer that could be had: it may be known while the keys are not.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Metadata;

/// Metadata that was fetched, for whoever needs it now or waits for it.
pub(super) struct KnownMetadata(watch::Sender<Option<DatedMetadata>>);

/// Metadata and its age.
#[derive(Clone)]
pub(super) struct DatedMetadata {
    pub(super) metadata: Arc<Metadata>,
    /// When, in seconds since 1970.
    fetched_at: u64,
}

impl DatedMetadata {
    /// How far now is from when it was fetched. A clock that was set back does not make it young again.
    pub(super) fn age(&self, now: u64) -> Duration {
        Duration::from_secs(now.abs_diff(self.fetched_at))
    }
}

impl KnownMetadata {
    /// None is known yet.
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// What the other one knows.
    pub(super) fn as_known_to(other: &Self) -> Self {
        Self(watch::Sender::new(other.last()))
    }

    /// Replaces what was known, and tells whoever waits.
    pub(super) fn publish(&self, metadata: Arc<Metadata>, now: u64) {
        self.0.send_replace(Some(DatedMetadata { metadata, fetched_at: now }));
    }

    /// The last metadata, of whatever age.
    pub(super) fn last(&self) -> Option<DatedMetadata> {
        self.0.borrow().clone()
    }

    /// What is published from now on.
    pub(super) fn news(&self) -> MetadataNews {
        MetadataNews(self.0.subscribe())
    }
}

/// Metadata that was not published yet when this was made.
pub(super) struct MetadataNews(watch::Receiver<Option<DatedMetadata>>);

impl MetadataNews {
    /// The next metadata; it may never come.
    pub(super) async fn next(mut self) -> Arc<Metadata> {
        while self.0.changed().await.is_ok() {
            if let Some(known) = &*self.0.borrow_and_update() {
                return known.metadata.clone();
            }
        }
        // Nobody is left who could publish any.
        std::future::pending().await
    }
}
