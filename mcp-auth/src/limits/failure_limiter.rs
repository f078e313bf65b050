//! One limit: so many refusals for each key in a time.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::{Quota, RateLimiter};

use super::bounded_states::{BoundedStates, Counting, Looking, MAX_KEYS};
use super::steady_time::SteadyTime;
use crate::config::FailureLimit;

type Limiter<K, S> = RateLimiter<K, S, SteadyTime, NoOpMiddleware<Nanos>>;

/// Counts refusals by key. One key may be refused `count` times at once, and then once more each `count`-th part of the
/// period.
pub(super) struct FailureLimiter<K: Clone + Eq + Hash> {
    counting: Limiter<K, Counting<K>>,
    looking: Limiter<K, Looking<K>>,
    /// Of which keys the operator was told: once in a period.
    told: Limiter<K, BoundedStates<K>>,
    states: Arc<BoundedStates<K>>,
    limit: FailureLimit,
}

/// What one more refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Within,
    /// More than the limit allows. It is not counted, so that whoever goes on trying has some left after a while.
    Beyond {
        /// In seconds, at least 1.
        retry_after: u64,
        /// Whether the operator was not told of it in this period.
        is_news: bool,
    },
}

impl<K: Clone + Eq + Hash> FailureLimiter<K> {
    pub(super) fn new(limit: FailureLimit, time: &SteadyTime) -> Self {
        Self::with_room_for(MAX_KEYS, limit, time)
    }

    fn with_room_for(max_keys: usize, limit: FailureLimit, time: &SteadyTime) -> Self {
        let states = Arc::new(BoundedStates::new(max_keys, time.clone()));
        // It was checked that neither is 0; a limit of one in a nanosecond limits nothing.
        let count = NonZeroU32::new(limit.count).unwrap_or(NonZeroU32::MIN);
        let counted = quota(limit.period / count.get(), count);
        let once = quota(limit.period, NonZeroU32::MIN);
        Self {
            counting: RateLimiter::new(counted, Counting(states.clone()), time.clone()),
            looking: RateLimiter::new(counted, Looking(states.clone()), time.clone()),
            told: RateLimiter::new(once, BoundedStates::new(max_keys, time.clone()), time.clone()),
            states,
            limit,
        }
    }

    /// Counts a refusal.
    pub(super) fn count(&self, key: &K) -> Counted {
        let Err(not_until) = self.counting.check_key(key) else { return Counted::Within };
        let wait = not_until.wait_time_from(self.counting.clock().now());
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let is_news = self.told.check_key(key).is_ok();
        Counted::Beyond { retry_after: seconds.max(1), is_news }
    }

    /// Counts refusals elsewhere too: they count for this time, together with those here.
    pub(super) fn count_for(&self, key: &K, time: Duration) {
        // Nobody is refused for longer than the limit says, whatever was told.
        self.states.delay(key, time.min(self.limit.period));
    }

    pub(super) fn limit(&self) -> FailureLimit {
        self.limit
    }

    /// Whether one more refusal would be beyond the limit.
    pub(super) fn is_beyond(&self, key: &K) -> bool {
        self.looking.check_key(key).is_err()
    }
}

fn quota(each: Duration, burst: NonZeroU32) -> Quota {
    let period = each.max(Duration::from_nanos(1));
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(burst));
    quota.allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;

    use super::*;
    use crate::clock::Clock;

    #[derive(Clone)]
    struct FakeClock(Arc<AtomicU64>);

    impl FakeClock {
        fn at(seconds: u64) -> Self {
            Self(Arc::new(AtomicU64::new(seconds)))
        }

        fn set(&self, seconds: u64) {
            self.0.store(seconds, Ordering::Relaxed);
        }
    }

    impl Clock for FakeClock {
        fn unix_seconds(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn limiter(max_keys: usize, count: u32, period: u64, clock: &FakeClock) -> FailureLimiter<u32> {
        let limit = FailureLimit { count, period: Duration::from_secs(period) };
        let time = SteadyTime::new(Arc::new(clock.clone()));
        FailureLimiter::with_room_for(max_keys, limit, &time)
    }

    fn within(limiter: &FailureLimiter<u32>, key: u32, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.count(&key) == Counted::Within).count()
    }

    #[test]
    fn a_burst_and_then_one_at_a_time_for_each_key_alone() {
        let clock = FakeClock::at(1_000_000);
        let limiter = limiter(10, 6, 60, &clock);
        assert!(!limiter.is_beyond(&1));
        assert_eq!(within(&limiter, 1, 100), 6);
        assert!(limiter.is_beyond(&1) && !limiter.is_beyond(&2));
        assert_eq!(within(&limiter, 2, 3), 3, "another one");
        let Counted::Beyond { retry_after, .. } = limiter.count(&1) else { panic!() };
        assert_eq!(retry_after, 10);
        clock.set(1_000_009);
        assert_eq!(within(&limiter, 1, 5), 0);
        clock.set(1_000_010);
        assert!(!limiter.is_beyond(&1));
        assert_eq!(within(&limiter, 1, 5), 1);
        clock.set(1_000_200);
        assert_eq!(within(&limiter, 1, 100), 6, "never more than at first");
    }

    #[test]
    fn what_others_counted_counts_here_and_never_for_longer_than_a_period() {
        let clock = FakeClock::at(1_000);
        let limiter = limiter(10, 6, 60, &clock);
        assert_eq!(within(&limiter, 1, 1), 1);
        limiter.count_for(&1, Duration::from_secs(40));
        assert_eq!(within(&limiter, 1, 10), 2, "four were counted");
        limiter.count_for(&1, Duration::from_secs(10));
        assert!(limiter.is_beyond(&1), "less than what was counted here");
        limiter.count_for(&1, Duration::MAX);
        clock.set(1_010);
        assert_eq!(within(&limiter, 1, 10), 1);
        clock.set(1_070);
        assert_eq!(within(&limiter, 1, 100), 6);
        limiter.count_for(&2, Duration::from_secs(60));
        assert_eq!(within(&limiter, 2, 100), 6, "nobody was refused here");
    }

    #[test]
    fn the_operator_is_told_once_in_a_period() {
        let clock = FakeClock::at(1_000);
        let limiter = limiter(10, 2, 60, &clock);
        let mut news = Vec::new();
        for second in 0..180 {
            clock.set(1_000 + second);
            for _ in 0..10 {
                if matches!(limiter.count(&1), Counted::Beyond { is_news: true, .. }) {
                    news.push(second);
                }
            }
        }
        assert_eq!(news, [0, 60, 120]);
    }

    #[test]
    fn a_million_addresses_take_no_more_room_than_there_is() {
        let clock = FakeClock::at(1_000);
        let limiter = limiter(1_000, 2, 3_600, &clock);
        let mut allowed = 0;
        for key in 0..1_000_000 {
            allowed += within(&limiter, key, 1);
        }
        assert_eq!(limiter.states.count(), 1_000);
        // Those that found room, and what the others share.
        assert_eq!(allowed, 1_000 + 2);
        assert_eq!(within(&limiter, 5, 10), 1, "who was there keeps what is left");
        assert!(limiter.is_beyond(&5) && limiter.is_beyond(&2_000_000));
        clock.set(1_000 + 3_600);
        assert_eq!(within(&limiter, 2_000_000, 10), 2, "there is room again");
        assert_eq!(limiter.states.count(), 1);
    }

    #[test]
    fn a_clock_that_is_set_locks_nobody_out() {
        let clock = FakeClock::at(2_000_000_000);
        let limiter = limiter(10, 2, 60, &clock);
        assert_eq!(within(&limiter, 1, 10), 2);
        clock.set(5);
        assert_eq!(within(&limiter, 1, 10), 0, "no time has passed");
        clock.set(35);
        assert_eq!(within(&limiter, 1, 10), 1);
        clock.set(u64::MAX);
        assert_eq!(within(&limiter, 1, 10), 2);
        clock.set(0);
        assert_eq!(within(&limiter, 1, 10), 0);
        clock.set(30);
        assert_eq!(within(&limiter, 1, 10), 1);
    }

    #[test]
    fn two_threads_share_one_budget() {
        let clock = FakeClock::at(1_000);
        let limiter = limiter(10, 100, 60, &clock);
        let allowed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..2).map(|_| scope.spawn(|| within(&limiter, 1, 1_000))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(allowed, 100);
    }

    proptest! {
        /// However the clock is set: nobody has more than their budget at one time, and who waits as long as they were told has some.
        #[test]
        fn whoever_waits_comes_in(steps in prop::collection::vec((0_u32..4, 0_u64..200), 1..100)) {
            let clock = FakeClock::at(1_000);
            let limiter = limiter(3, 3, 60, &clock);
            let mut at_this_time = HashMap::<u32, usize>::new();
            for (key, time) in steps {
                if time < 150 {
                    clock.set(time);
                    at_this_time.clear();
                }
                match limiter.count(&key) {
                    Counted::Within => {
                        let count = at_this_time.entry(key).or_default();
                        *count += 1;
                        prop_assert!(*count <= 3);
                    }
                    Counted::Beyond { retry_after, .. } => {
                        prop_assert!((1..=60).contains(&retry_after));
                        clock.set(clock.unix_seconds() + retry_after);
                        at_this_time.clear();
                        prop_assert_eq!(limiter.count(&key), Counted::Within);
                        at_this_time.insert(key, 1);
                    }
                }
            }
        }
    }
}
