//! Which tokens of users their API did not accept.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::is_just_now;
use crate::downstream::SECONDS_BETWEEN_NEW_TOKENS;
use crate::jose::{Digest, sha256};

/// Tokens that are remembered.
const MAX_TOKENS: usize = 10_000;

/// Digests of tokens that were not accepted.
#[derive(Default)]
pub(super) struct NotAccepted {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    tokens: HashSet<Digest>,
    /// When those came that were had in place of such a token.
    renewed: HashMap<Digest, u64>,
}

impl NotAccepted {
    /// Takes note of a token, unless it was renewed just now.
    pub(super) fn add(&self, token: &str, now: u64) {
        let digest = sha256(token.as_bytes());
        let mut known = self.lock();
        let renewed_at = known.renewed.get(&digest);
        let was_just_now =
            renewed_at.is_some_and(|then| is_just_now(*then, now, SECONDS_BETWEEN_NEW_TOKENS));
        if was_just_now {
            return;
        }
        if known.tokens.len() >= MAX_TOKENS {
            known.tokens.clear();
        }
        known.tokens.insert(digest);
    }

    pub(super) fn has(&self, token: &str) -> bool {
        self.lock().tokens.contains(&sha256(token.as_bytes()))
    }

    /// Takes note of what came in place of a token that was not accepted.
    pub(super) fn renew(&self, token: &str, now: u64) {
        let mut known = self.lock();
        if known.renewed.len() >= MAX_TOKENS {
            known.renewed.clear();
        }
        known.renewed.insert(sha256(token.as_bytes()), now);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_token_that_is_not_accepted_either_stays_for_a_while() {
        let known = NotAccepted::default();
        known.add("a", 100);
        assert!(known.has("a") && !known.has("b"));
        known.renew("b", 100);
        for now in [100, 129] {
            known.add("b", now);
            assert!(!known.has("b"), "{now}");
        }
        known.add("b", 130);
        assert!(known.has("b"));
        known.renew("c", 100);
        known.add("c", 99);
        assert!(known.has("c"), "the clock was set back");
    }

    #[test]
    fn memory_is_bounded() {
        let known = NotAccepted::default();
        for number in 0..=MAX_TOKENS {
            known.add(&number.to_string(), 1);
            known.renew(&number.to_string(), 1);
        }
        assert!(
            known.lock().tokens.len() <= MAX_TOKENS && known.lock().renewed.len() <= MAX_TOKENS
        );
        assert!(known.has(&MAX_TOKENS.to_string()));
    }
}
