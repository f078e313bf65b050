//! Which keys are in use, for whoever needs to know no more: it is asked for every token that was accepted before.

use std::sync::atomic::{AtomicU64, Ordering};

use super::snapshot::Snapshot;

/// The times of the last published [`Snapshot`] and the number of its keys, read without a lock and without a count.
///
/// Its parts are written one after the other, the number first, and read in the opposite order: whoever sees a new time sees
/// the new number. New times with the old number would make keys that are gone good for longer.
pub(super) struct Freshness {
    key_generation: AtomicU64,
    /// In seconds.
    fresh_for: AtomicU64,
    /// In seconds since 1970.
    fetched_at: AtomicU64,
}

impl Freshness {
    /// There are no keys yet.
    pub(super) fn of_nothing() -> Self {
        Self {
            key_generation: AtomicU64::new(0),
            fresh_for: AtomicU64::new(0),
            fetched_at: AtomicU64::new(u64::MAX),
        }
    }

    /// One at a time may do this.
    pub(super) fn publish(&self, snapshot: &Snapshot) {
        self.key_generation.store(snapshot.key_generation, Ordering::Release);
        self.fresh_for.store(snapshot.fresh_for.as_secs(), Ordering::Release);
        self.fetched_at.store(snapshot.fetched_at, Ordering::Release);
    }

    /// Which keys are in use; `None` when there are none, or a refresh of them is due, as [`Snapshot::is_fresh`] has it.
    pub(super) fn key_generation(&self, now: u64) -> Option<u64> {
        let fetched_at = self.fetched_at.load(Ordering::Acquire);
        let fresh_for = self.fresh_for.load(Ordering::Acquire);
        let key_generation = self.key_generation.load(Ordering::Acquire);
        (now.abs_diff(fetched_at) <= fresh_for).then_some(key_generation)
    }
}
