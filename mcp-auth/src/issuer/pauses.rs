//! Endpoints that asked to be left alone for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::budget::MAX_PAUSE;

/// Until when each endpoint of an issuer is not asked, in seconds since 1970.
#[derive(Clone, Default)]
pub(super) struct Pauses(Arc<Mutex<HashMap<String, u64>>>);

impl Pauses {
    /// Leaves an endpoint alone for so many seconds, but for five minutes at most. A longer pause that it asked for
    /// before stays.
    pub(super) fn pause(&self, url: &str, now: u64, seconds: u64) {
        let mut all = self.lock();
        // Metadata may name another endpoint every time: those whose pause is over are forgotten.
        all.retain(|_, until| *until > now);
        let until = all.entry(url.to_owned()).or_default();
        *until = (*until).max(now.saturating_add(seconds.min(MAX_PAUSE)));
    }

    /// Seconds until this endpoint may be asked; 0 when it may be now.
    pub(super) fn left(&self, url: &str, now: u64) -> u64 {
        let mut all = self.lock();
        let Some(until) = all.get_mut(url) else { return 0 };
        // A clock that was set back must not make a pause longer.
        *until = (*until).min(now.saturating_add(MAX_PAUSE));
        until.saturating_sub(now)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_left_alone_as_long_as_it_asked_and_others_are_not() {
        let pauses = Pauses::default();
        pauses.pause("a", 1_000, 120);
        assert_eq!((pauses.left("a", 1_000), pauses.left("b", 1_000)), (120, 0));
        assert_eq!((pauses.left("a", 1_119), pauses.left("a", 1_120)), (1, 0));
        pauses.pause("a", 1_000, 7);
        assert_eq!(pauses.left("a", 1_000), 120, "the longer one stays");
        pauses.pause("b", 1_000, u64::MAX);
        assert_eq!(pauses.left("b", 1_000), MAX_PAUSE);
        pauses.pause("c", 1_000, 0);
        assert_eq!(pauses.left("c", 1_000), 0);
    }

    #[test]
    fn a_clock_set_back_makes_no_pause_longer_and_what_is_over_is_forgotten() {
        let pauses = Pauses::default();
        pauses.pause("a", 1_000_000, 60);
        assert_eq!(pauses.left("a", 10), MAX_PAUSE);
        assert_eq!(pauses.left("a", 10 + MAX_PAUSE), 0);
        for index in 0..1_000 {
            pauses.pause(&index.to_string(), 2_000 + 10 * index, 60);
        }
        assert!(pauses.lock().len() < 10);
    }
}
