//! What a revocation check said of one caller.

use std::sync::atomic::{AtomicU64, Ordering};

/// When a revocation check last said that a token was not taken back, and when it was last asked in the background. In
/// seconds since 1970; 0: never.
#[derive(Debug, Default)]
pub(crate) struct RevocationAnswers {
    good_at: AtomicU64,
    asked_at: AtomicU64,
}

impl RevocationAnswers {
    /// When the token was last known to be good.
    pub(crate) fn good_at(&self) -> Option<u64> {
        Some(self.good_at.load(Ordering::Relaxed)).filter(|seconds| *seconds > 0)
    }

    /// The token is good.
    pub(crate) fn is_good(&self, now: u64) {
        self.good_at.store(now, Ordering::Relaxed);
    }

    /// Whether the one who asks this should ask: nobody else has in this second.
    pub(crate) fn begin_to_ask(&self, now: u64) -> bool {
        let last = self.asked_at.load(Ordering::Relaxed);
        let is_first =
            self.asked_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        last != now && is_first
    }
}
