//! Time that never goes back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::nanos::Nanos;

use crate::clock::Clock;

/// As long as the longest period that a limit may have: more time makes no difference to it.
const MAX_STEP: u64 = 24 * 3600;
/// So much time may pass in all, in seconds: two hundred years.
const MAX_ELAPSED: u64 = 200 * 365 * 24 * 3600;

/// The time that has passed since this was made, by a clock that may be set.
///
/// When the clock is set back, no time passes meanwhile; when it is set forward, time has passed. So whoever is refused is
/// never refused for longer than a limit says.
#[derive(Clone)]
pub(super) struct SteadyTime(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    told: Mutex<Told>,
}

/// What was told last, in seconds.
struct Told {
    by_clock: u64,
    elapsed: u64,
}

impl SteadyTime {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let told = Mutex::new(Told { by_clock: clock.unix_seconds(), elapsed: 0 });
        Self(Arc::new(Inner { clock, told }))
    }
}

impl governor::clock::Clock for SteadyTime {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.clock.unix_seconds();
        let step = now.saturating_sub(told.by_clock).min(MAX_STEP);
        told.by_clock = now;
        told.elapsed = (told.elapsed + step).min(MAX_ELAPSED);
        Duration::from_secs(told.elapsed).into()
    }
}
