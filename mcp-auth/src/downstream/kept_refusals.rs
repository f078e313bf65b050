//! Refusals of authorization servers, which are not asked about again for a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::DownstreamError;
use crate::clock::is_just_now;
use crate::jose::Digest;

/// For so many seconds a refusal is not asked about again.
const REFUSAL_SECONDS: u64 = 1;
/// More are not kept, and asked about again.
const MAX_REFUSALS: usize = 1024;

/// Each for one token of a caller: another one may be accepted.
#[derive(Default)]
pub(super) struct KeptRefusals(Mutex<HashMap<Digest, Refused>>);

struct Refused {
    error: DownstreamError,
    /// In seconds since 1970.
    at: u64,
}

impl KeptRefusals {
    pub(super) fn get(&self, key: &Digest, now: u64) -> Option<DownstreamError> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = all.get(key)?;
        refused.holds(now).then(|| refused.error.clone())
    }

    pub(super) fn keep(&self, key: Digest, error: DownstreamError, now: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_REFUSALS {
            all.retain(|_, refused| refused.holds(now));
        }
        if all.len() < MAX_REFUSALS {
            all.insert(key, Refused { error, at: now });
        }
    }
}

impl Refused {
    fn holds(&self, now: u64) -> bool {
        is_just_now(self.at, now, REFUSAL_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_kept_for_a_second_and_for_one_token_of_the_caller() {
        let refusals = KeptRefusals::default();
        refusals.keep([1; 32], DownstreamError::Refused, 100);
        refusals.keep([2; 32], DownstreamError::NoUser, 100);
        for (key, now, expected) in [
            (1, 100, Some(DownstreamError::Refused)),
            (2, 100, Some(DownstreamError::NoUser)),
            (3, 100, None),
            (1, 101, None),
            (1, 99, None),
        ] {
            assert_eq!(refusals.get(&[key; 32], now), expected, "{key} {now}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let refusals = KeptRefusals::default();
        let keep = |number: usize, now: u64| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_le_bytes());
            refusals.keep(key, DownstreamError::Refused, now);
            (refusals.get(&key, now).is_some(), refusals.0.lock().unwrap().len())
        };
        for number in 0..MAX_REFUSALS {
            assert_eq!(keep(number, 100), (true, number + 1));
        }
        assert_eq!(keep(MAX_REFUSALS, 100), (false, MAX_REFUSALS));
        assert_eq!(keep(MAX_REFUSALS, 101), (true, 1));
    }
}
