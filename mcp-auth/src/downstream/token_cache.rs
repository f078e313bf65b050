//! Tokens that were had, as long as they hold.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{DownstreamError, DownstreamToken};
use crate::auth_info::AuthInfo;
use crate::error::TokenError;
use crate::jose::Digest;
use crate::revocation::Cutoffs;

/// For so many seconds a refusal is not asked about again.
const REFUSAL_SECONDS: u64 = 1;

/// What is kept of each API.
pub(super) struct TokenCache {
    kept: Mutex<Kept>,
    max_entries: usize,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<Digest, Entry>,
    /// In the order in which they came, each with its number: the number of an entry that was replaced is gone.
    order: VecDeque<(u64, Digest)>,
    last_number: u64,
}

struct Entry {
    number: u64,
    outcome: Outcome,
    /// In seconds since 1970.
    until: u64,
}

enum Outcome {
    Token {
        token: DownstreamToken,
        /// What the token of the caller said that it was had with; `None`: it is of the tool itself.
        had_with: Option<AuthInfo>,
    },
    /// It counts for the same token of the caller alone: another one may be accepted.
    Refused { error: DownstreamError, caller_token: Digest },
}

impl TokenCache {
    pub(super) fn with_room_for(max_entries: usize) -> Self {
        Self { kept: Mutex::default(), max_entries }
    }

    /// The token of this key, if it holds and what it was had with was not revoked since; or why there is none.
    pub(super) fn get(
        &self,
        key: &Digest,
        now: u64,
        cutoffs: &Cutoffs,
        caller_token: impl FnOnce() -> Digest,
    ) -> Option<Result<DownstreamToken, DownstreamError>> {
        let mut kept = self.lock();
        let entry = kept.entries.get(key)?;
        let holds = now < entry.until;
        let answer = match &entry.outcome {
            Outcome::Token { token, had_with } if holds && is_standing(had_with, cutoffs) => {
                Some(Ok(token.clone()))
            }
            Outcome::Refused { error, caller_token: refused } if holds => {
                // A clock that was set back must not make a refusal longer.
                let is_young = entry.until <= now.saturating_add(REFUSAL_SECONDS);
                (is_young && caller_token() == *refused).then(|| Err(error.clone()))
            }
            _ => None,
        };
        if answer.is_none() {
            kept.entries.remove(key);
        }
        answer
    }

    pub(super) fn keep_token(
        &self,
        key: Digest,
        token: DownstreamToken,
        had_with: Option<AuthInfo>,
        until: u64,
    ) {
        self.keep(key, Outcome::Token { token, had_with }, until);
    }

    pub(super) fn keep_refusal(
        &self,
        key: Digest,
        error: DownstreamError,
        caller_token: Digest,
        now: u64,
    ) {
        let until = now.saturating_add(REFUSAL_SECONDS);
        self.keep(key, Outcome::Refused { error, caller_token }, until);
    }

    fn keep(&self, key: Digest, outcome: Outcome, until: u64) {
        let mut kept = self.lock();
        kept.last_number += 1;
        let number = kept.last_number;
        kept.entries.insert(key, Entry { number, outcome, until });
        kept.order.push_back((number, key));
        while kept.entries.len() > self.max_entries || kept.order.len() > 2 * self.max_entries {
            kept.forget_oldest();
        }
    }

    /// Forgets this token, which the API did not accept; another one that was had meanwhile stays.
    pub(super) fn forget(&self, key: &Digest, refused: &str) {
        let mut kept = self.lock();
        let Some(entry) = kept.entries.get(key) else { return };
        let is_it =
            matches!(&entry.outcome, Outcome::Token { token, .. } if token.expose() == refused);
        if is_it {
            kept.entries.remove(key);
        }
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.lock().entries.len()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget_oldest(&mut self) {
        let Some((number, key)) = self.order.pop_front() else { return };
        if self.entries.get(&key).is_some_and(|entry| entry.number == number) {
            self.entries.remove(&key);
        }
    }
}

fn is_standing(had_with: &Option<AuthInfo>, cutoffs: &Cutoffs) -> bool {
    had_with.as_ref().is_none_or(|caller| !is_revoked(cutoffs, caller))
}

/// Whether this caller's token was taken back.
pub(super) fn is_revoked(cutoffs: &Cutoffs, caller: &AuthInfo) -> bool {
    matches!(cutoffs.check(caller), Err(TokenError::Revoked))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::revocation::Revocation;
    use crate::scope::Scopes;

    fn token(text: &str) -> DownstreamToken {
        DownstreamToken::new(Zeroizing::new(text.to_owned()), Scopes::default(), None)
    }

    fn caller(subject: &str) -> AuthInfo {
        let claims = format!(r#"{{"iss":"i","sub":"{subject}","iat":10}}"#);
        AuthInfo::from_verified_json(&claims).unwrap()
    }

    #[test]
    fn a_token_is_kept_until_it_ends_or_what_it_was_had_with_is_revoked() {
        let (cache, cutoffs) = (TokenCache::with_room_for(10), Cutoffs::default());
        cache.keep_token([1; 32], token("a"), Some(caller("a")), 100);
        cache.keep_token([2; 32], token("b"), Some(caller("b")), 100);
        let get = |key: u8, now: u64| {
            let found = cache.get(&[key; 32], now, &cutoffs, || [0; 32])?;
            found.ok().map(|token| token.expose().to_owned())
        };
        assert_eq!((get(1, 99).as_deref(), get(2, 99).as_deref()), (Some("a"), Some("b")));
        cutoffs.revoke(Revocation::of_subject("i", "a"), 50);
        assert_eq!((get(1, 99), get(2, 99).as_deref()), (None, Some("b")));
        assert_eq!(get(2, 100), None);
        assert_eq!(cache.count(), 0);
    }

    #[test]
    fn a_refusal_is_kept_for_a_second_and_for_one_token_of_the_caller() {
        let (cache, cutoffs) = (TokenCache::with_room_for(10), Cutoffs::default());
        let refuse = || cache.keep_refusal([1; 32], DownstreamError::Refused, [7; 32], 100);
        for (now, token_of_caller, is_kept) in [
            (100, [7; 32], true),
            (101, [7; 32], false),
            (100, [8; 32], false),
            (99, [7; 32], false),
        ] {
            refuse();
            let found = cache.get(&[1; 32], now, &cutoffs, || token_of_caller);
            assert_eq!(found.is_some(), is_kept, "{now} {token_of_caller:?}");
        }
    }

    #[test]
    fn the_oldest_go_and_memory_is_bounded_whatever_is_replaced() {
        let (cache, cutoffs) = (TokenCache::with_room_for(3), Cutoffs::default());
        for round in 0..100 {
            cache.keep_token([round % 5; 32], token("x"), None, 100);
        }
        assert_eq!(cache.count(), 3);
        assert!(cache.lock().order.len() <= 6);
        assert!(cache.get(&[0; 32], 1, &cutoffs, || [0; 32]).is_none());
        assert!(cache.get(&[4; 32], 1, &cutoffs, || [0; 32]).is_some());
        cache.forget(&[4; 32], "another");
        assert!(cache.get(&[4; 32], 1, &cutoffs, || [0; 32]).is_some());
        cache.forget(&[4; 32], "x");
        assert!(cache.get(&[4; 32], 1, &cutoffs, || [0; 32]).is_none());
    }
}
