//! When somebody last said of one caller's token that it is good.

use std::sync::atomic::{AtomicU64, Ordering};

/// When it was last said that a token is good, and when that was last asked in the background. In seconds since 1970; 0:
/// never.
#[derive(Debug, Default)]
pub(crate) struct LastAnswer {
    good_at: AtomicU64,
    asked_at: AtomicU64,
}

/// What an answer is worth that is asked for again after an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It is younger than the interval.
    Young,
    /// It is younger than twice the interval: good enough, and to be asked for again.
    Ageing,
    /// It is older, or there is none.
    TooOld,
}

impl LastAnswer {
    /// The token is good.
    pub(crate) fn is_good(&self, now: u64) {
        self.good_at.store(now, Ordering::Relaxed);
    }

    /// Whether it was ever said that the token is good.
    pub(crate) fn is_known(&self) -> bool {
        self.good_at.load(Ordering::Relaxed) > 0
    }

    /// How old the answer is. A clock that was set back makes none good for longer.
    fn age(&self, now: u64) -> Option<u64> {
        let good_at = self.good_at.load(Ordering::Relaxed);
        if good_at == 0 { None } else { now.checked_sub(good_at) }
    }

    /// What the answer is worth, with an interval in seconds.
    pub(crate) fn worth(&self, interval: u64, now: u64) -> Worth {
        let Some(age) = self.age(now) else { return Worth::TooOld };
        if age < interval {
            return Worth::Young;
        }
        if age < interval.saturating_mul(2) { Worth::Ageing } else { Worth::TooOld }
    }

    /// After how many seconds a stream has to look what it is worth then. Where an answer is missing, it is asked for again
    /// after half of the time for which the stream may go on.
    pub(crate) fn seconds_left(&self, interval: u64, now: u64) -> u64 {
        match self.age(now) {
            Some(age) if age < interval => interval - age,
            Some(age) => interval.saturating_mul(2).saturating_sub(age).div_ceil(2),
            None => 0,
        }
    }

    /// Whether the one who asks this should ask: nobody else has in this second.
    pub(crate) fn begin_to_ask(&self, now: u64) -> bool {
        let last = self.asked_at.load(Ordering::Relaxed);
        let is_first =
            self.asked_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        last != now && is_first
    }
}
