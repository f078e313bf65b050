//! Opaque tokens that were refused a moment ago, so that their issuer is not asked again at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::error::TokenError;
use crate::jose::Digest;

/// Entries of one generation.
const MAX_ENTRIES: usize = 4096;

/// Refusals by the digest of the token, in bounded memory.
pub(super) struct RefusedTokens {
    all: Mutex<Generations>,
    /// How long a refusal is believed, in seconds.
    believed_for: u64,
}

/// When the young one is full it becomes the old one, which is given up.
#[derive(Default)]
struct Generations {
    young: HashMap<Digest, Refusal>,
    old: HashMap<Digest, Refusal>,
}

struct Refusal {
    error: TokenError,
    /// When it was refused, in seconds.
    at: u64,
}

impl RefusedTokens {
    pub(super) fn new(believed_for: u64) -> Self {
        Self { all: Mutex::default(), believed_for }
    }

    /// Why this token was refused, unless that is too long ago. A clock that was set back makes no refusal
    /// last longer.
    pub(super) fn find(&self, token: &Digest, now: u64) -> Option<TokenError> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = all.young.get(token).or_else(|| all.old.get(token))?;
        (now.abs_diff(refusal.at) < self.believed_for).then(|| refusal.error.clone())
    }

    pub(super) fn insert(&self, token: Digest, error: TokenError, now: u64) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.young.len() >= MAX_ENTRIES {
            all.old = std::mem::take(&mut all.young);
        }
        all.young.insert(token, Refusal { error, at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: usize) -> Digest {
        let mut key = Digest::default();
        key[..8].copy_from_slice(&index.to_le_bytes());
        key
    }

    #[test]
    fn refusals_are_found_until_their_time_and_are_bounded() {
        let refused = RefusedTokens::new(10);
        refused.insert(key(1), TokenError::Inactive, 90);
        assert_eq!(refused.find(&key(1), 99), Some(TokenError::Inactive));
        assert_eq!(refused.find(&key(1), 100), None);
        assert_eq!(refused.find(&key(1), 80), None, "the clock was set back");
        for index in 0..MAX_ENTRIES * 5 {
            refused.insert(key(index), TokenError::Inactive, 90);
            assert!(refused.find(&key(index), 90).is_some());
        }
        let all = refused.all.lock().unwrap();
        assert!(all.young.len() + all.old.len() <= 2 * MAX_ENTRIES);
    }
}
