//! How often an issuer may be asked: a token bucket.

/// Fetches that may happen in one burst.
const BURST: u64 = 4;
/// Seconds until one more fetch is allowed.
const REFILL_SECONDS: u64 = 15;
/// Longest pause that an issuer may ask for, in seconds: an outage must end when it is over.
pub(super) const MAX_PAUSE: u64 = 300;

/// A budget of fetches instead of a fixed pause: a key rotation right after a fetch heals on the
/// first request, and ten thousand random `kid`s still cause a handful of fetches.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    left: u64,
    refilled_at: u64,
    paused_until: u64,
}

impl Budget {
    pub(super) fn new(now: u64) -> Self {
        Self { left: BURST, refilled_at: now, paused_until: 0 }
    }

    /// Takes one fetch, if there is one left at `now` (seconds).
    pub(super) fn take(&mut self, now: u64) -> bool {
        self.refill(now);
        let allowed = self.left > 0 && self.paused_until <= now;
        self.left -= u64::from(allowed);
        allowed
    }

    /// Allows no fetch for so many seconds: the issuer asked to be left alone.
    pub(super) fn pause(&mut self, now: u64, seconds: u64) {
        self.paused_until = now + seconds.min(MAX_PAUSE);
    }

    /// Seconds until a fetch is allowed; 0 when one is.
    pub(super) fn wait(&self, now: u64) -> u64 {
        let refilled = if self.left > 0 { 0 } else { self.refilled_at + REFILL_SECONDS };
        refilled.max(self.paused_until).saturating_sub(now)
    }

    fn refill(&mut self, now: u64) {
        // A clock that was set back must not stop us until it has caught up.
        self.refilled_at = self.refilled_at.min(now);
        self.paused_until = self.paused_until.min(now + MAX_PAUSE);
        let gained = (now - self.refilled_at) / REFILL_SECONDS;
        self.refilled_at += gained * REFILL_SECONDS;
        self.left = (self.left + gained).min(BURST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_per_interval() {
        let mut budget = Budget::new(1_000);
        assert_eq!((0..10).filter(|_| budget.take(1_000)).count() as u64, BURST);
        assert_eq!(budget.wait(1_010), 5);
        assert!(!budget.take(1_014) && budget.take(1_015) && !budget.take(1_016));
    }

    #[test]
    fn idle_time_fills_it_only_to_the_burst() {
        let mut budget = Budget::new(0);
        assert_eq!((0..10).filter(|_| budget.take(1_000_000)).count() as u64, BURST);
    }

    #[test]
    fn a_clock_set_back_does_not_stop_it() {
        let mut budget = Budget::new(1_000_000);
        while budget.take(1_000_000) {}
        assert!(!budget.take(10) && budget.take(10 + REFILL_SECONDS));
    }

    #[test]
    fn a_pause_is_kept_and_is_bounded() {
        let mut budget = Budget::new(1_000);
        budget.pause(1_000, 40);
        assert_eq!(budget.wait(1_000), 40);
        assert!(!budget.take(1_039) && budget.take(1_040));
        budget.pause(2_000, u64::MAX);
        assert_eq!(budget.wait(2_000), MAX_PAUSE);
        assert!(!budget.take(100) && budget.take(100 + MAX_PAUSE), "the clock was set back");
    }
}
