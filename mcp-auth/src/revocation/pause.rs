//! How long to wait until the next attempt.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Doubles with each attempt. Each pause is shorter by up to half, so that instances do not come all at once.
#[derive(Debug)]
pub(super) struct Pause {
    next: Duration,
}

impl Default for Pause {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Pause {
    /// After an attempt that went well.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let longest = self.next;
        self.next = LONGEST.min(longest * 2);
        // Each state has other random keys.
        let random = u32::try_from(RandomState::new().hash_one(()) % 1000).unwrap_or_default();
        longest - longest * random / 2000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew() {
        let mut pause = Pause::default();
        for longest in [100, 200, 400, 800, 1600, 2000, 2000] {
            let longest = Duration::from_millis(longest);
            let next = pause.next();
            assert!(next <= longest && next >= longest / 2, "{next:?}");
        }
        pause.reset();
        assert!(pause.next() <= FIRST);
    }
}
