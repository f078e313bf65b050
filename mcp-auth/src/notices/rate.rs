//! How many notices of an issuer are verified that turn out to be forged: a token bucket.

use std::sync::{Mutex, PoisonError};

/// So many may come in one burst.
const BURST: u64 = 2_000;
/// So many more are allowed in each second. A signature is what a forged access token costs too, of which nobody counts any:
/// this is a few hundredths of a processor with RS256 or ES256, and whoever wants genuine notices to be turned away has to
/// send more than that.
const EACH_SECOND: u64 = 1_000;

/// Bounds what strangers make this server verify. A notice that is genuine gives back what it took, so that the issuer's
/// own are not counted, however many there are.
#[derive(Debug)]
pub(super) struct Rate(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    left: u64,
    refilled_at: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self(Mutex::new(Bucket { left: BURST, refilled_at: 0 }))
    }
}

impl Rate {
    /// Takes one, if there is one left at `now` (seconds).
    pub(super) fn take(&self, now: u64) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not stop us until it has caught up.
        let since = now.saturating_sub(bucket.refilled_at.min(now));
        bucket.refilled_at = now;
        bucket.left = bucket.left.saturating_add(since.saturating_mul(EACH_SECOND)).min(BURST);
        let is_allowed = bucket.left > 0;
        bucket.left -= u64::from(is_allowed);
        is_allowed
    }

    /// Gives one back.
    pub(super) fn give_back(&self) {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.left = (bucket.left + 1).min(BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_some_in_each_second_also_when_the_clock_is_set_back() {
        let rate = Rate::default();
        let taken_at = |now| (0..5_000).filter(|_| rate.take(now)).count() as u64;
        assert_eq!(taken_at(1_000), BURST);
        assert_eq!(taken_at(1_001), EACH_SECOND);
        assert_eq!(taken_at(10), 0);
        assert_eq!(taken_at(11), EACH_SECOND);
        assert_eq!(taken_at(u64::MAX), BURST);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let rate = Rate::default();
        for _ in 0..BURST * 3 {
            assert!(rate.take(1_000));
            rate.give_back();
        }
    }
}
