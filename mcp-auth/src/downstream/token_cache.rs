//! Tokens that were had, as long as they hold.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{DownstreamToken, SECONDS_BETWEEN_NEW_TOKENS};
use crate::auth_info::AuthInfo;
use crate::clock::is_just_now;
use crate::error::TokenError;
use crate::jose::Digest;
use crate::revocation::Cutoffs;

/// What an entry takes beside its texts, about.
const BYTES_OF_ENTRY: usize = 512;
/// What all entries may take, for each of those that there is room for.
const BYTES_FOR_EACH: usize = 4 * 1024;

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
    /// Of all entries.
    bytes: usize,
}

struct Entry {
    number: u64,
    /// `None`: it was forgotten.
    token: Option<DownstreamToken>,
    /// What the token of the caller said that it was had with; `None`: it is of the tool itself.
    had_with: Option<AuthInfo>,
    /// In seconds since 1970.
    until: u64,
    /// When the last one of this key was forgotten.
    forgotten_at: Option<u64>,
    bytes: usize,
}

impl TokenCache {
    pub(super) fn with_room_for(max_entries: usize) -> Self {
        Self { kept: Mutex::default(), max_entries }
    }

    /// The token of this key, if it holds and what it was had with was not revoked since.
    pub(super) fn get(&self, key: &Digest, now: u64, cutoffs: &Cutoffs) -> Option<DownstreamToken> {
        let mut kept = self.lock();
        let entry = kept.entries.get(key)?;
        if entry.has_ended(now, cutoffs) {
            kept.remove(key);
            return None;
        }
        entry.token.clone()
    }

    /// Keeps a token until then; two that have ended go for it.
    pub(super) fn keep(
        &self,
        key: Digest,
        token: DownstreamToken,
        had_with: Option<AuthInfo>,
        until: u64,
        now: u64,
        cutoffs: &Cutoffs,
    ) {
        let max_bytes = self.max_entries.saturating_mul(BYTES_FOR_EACH);
        let bytes = bytes_of(&token, had_with.as_ref());
        let mut kept = self.lock();
        let before = kept.remove(&key);
        // One that is too large would make all others go, and itself.
        if bytes > max_bytes {
            return;
        }
        kept.last_number += 1;
        let number = kept.last_number;
        let forgotten_at = before.and_then(|replaced| replaced.forgotten_at);
        kept.bytes += bytes;
        let added = Entry { number, token: Some(token), had_with, until, forgotten_at, bytes };
        kept.entries.insert(key, added);
        kept.order.push_back((number, key));
        kept.forget_ended(now, cutoffs);
        kept.forget_ended(now, cutoffs);
        while kept.entries.len() > self.max_entries
            || kept.order.len() > 2 * self.max_entries
            || kept.bytes > max_bytes
        {
            kept.forget_oldest();
        }
    }

    /// Forgets this token, which the API did not accept; another one that was had meanwhile stays, and so does one that was
    /// had in place of one that was forgotten just now.
    pub(super) fn forget(&self, key: &Digest, refused: &str, now: u64) {
        let mut kept = self.lock();
        let Some(entry) = kept.entries.get_mut(key) else { return };
        let is_it = entry.token.as_ref().is_some_and(|token| token.expose() == refused);
        let was_just_now = entry
            .forgotten_at
            .is_some_and(|then| is_just_now(then, now, SECONDS_BETWEEN_NEW_TOKENS));
        if is_it && !was_just_now {
            entry.token = None;
            entry.forgotten_at = Some(now);
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
    fn remove(&mut self, key: &Digest) -> Option<Entry> {
        let removed = self.entries.remove(key)?;
        self.bytes -= removed.bytes;
        Some(removed)
    }

    fn forget_oldest(&mut self) {
        let Some((number, key)) = self.order.pop_front() else { return };
        if self.entries.get(&key).is_some_and(|entry| entry.number == number) {
            self.remove(&key);
        }
    }

    /// Forgets the oldest if nobody can use it any more.
    fn forget_ended(&mut self, now: u64, cutoffs: &Cutoffs) {
        let Some((number, key)) = self.order.front() else { return };
        let entry = self.entries.get(key).filter(|entry| entry.number == *number);
        if entry.is_none_or(|oldest| oldest.has_ended(now, cutoffs)) {
            self.forget_oldest();
        }
    }
}

impl Entry {
    fn has_ended(&self, now: u64, cutoffs: &Cutoffs) -> bool {
        let is_taken_back = self.had_with.as_ref().is_some_and(|who| is_revoked(cutoffs, who));
        now >= self.until || is_taken_back
    }
}

/// What an entry takes, about.
fn bytes_of(token: &DownstreamToken, had_with: Option<&AuthInfo>) -> usize {
    let scopes: usize = token.scopes().iter().map(str::len).sum();
    let claims = had_with.into_iter().flat_map(|caller| caller.claims().values());
    let texts: usize = claims.filter_map(|claim| claim.as_str()).map(str::len).sum();
    BYTES_OF_ENTRY + token.expose().len() + scopes + texts
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

    fn text_of(cache: &TokenCache, key: u8, now: u64, cutoffs: &Cutoffs) -> Option<String> {
        cache.get(&[key; 32], now, cutoffs).map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_token_is_kept_until_it_ends_or_what_it_was_had_with_is_revoked() {
        let (cache, cutoffs) = (TokenCache::with_room_for(10), Cutoffs::default());
        cache.keep([1; 32], token("a"), Some(caller("a")), 100, 1, &cutoffs);
        cache.keep([2; 32], token("b"), Some(caller("b")), 100, 1, &cutoffs);
        let get = |key: u8, now: u64| text_of(&cache, key, now, &cutoffs);
        assert_eq!((get(1, 99).as_deref(), get(2, 99).as_deref()), (Some("a"), Some("b")));
        cutoffs.revoke(Revocation::of_subject("i", "a"), 50);
        assert_eq!((get(1, 99), get(2, 99).as_deref()), (None, Some("b")));
        assert_eq!(get(2, 100), None);
        assert_eq!((cache.count(), cache.lock().bytes), (0, 0));
    }

    #[test]
    fn a_token_is_forgotten_and_the_next_one_not_at_once() {
        let (cache, cutoffs) = (TokenCache::with_room_for(10), Cutoffs::default());
        let keep = |text: &str| cache.keep([1; 32], token(text), None, 1_000, 100, &cutoffs);
        let kept_after = |refused: &str, now: u64| {
            cache.forget(&[1; 32], refused, now);
            text_of(&cache, 1, now, &cutoffs)
        };
        keep("a");
        assert_eq!(kept_after("another", 100).as_deref(), Some("a"));
        assert_eq!(kept_after("a", 100), None);
        keep("b");
        for now in [100, 101, 129] {
            assert_eq!(kept_after("b", now).as_deref(), Some("b"), "{now}");
        }
        assert_eq!(kept_after("b", 130), None);
        keep("c");
        assert_eq!(kept_after("c", 99), None, "the clock was set back");
    }

    #[test]
    fn the_oldest_go_and_memory_is_bounded_whatever_is_replaced() {
        let (cache, cutoffs) = (TokenCache::with_room_for(3), Cutoffs::default());
        for round in 0..100 {
            cache.keep([round % 5; 32], token("x"), None, 100, 1, &cutoffs);
        }
        assert_eq!(cache.count(), 3);
        assert!(cache.lock().order.len() <= 6);
        assert!(cache.get(&[0; 32], 1, &cutoffs).is_none());
        assert!(cache.get(&[4; 32], 1, &cutoffs).is_some());
        // Large ones are fewer, and one that is larger than all may be is not kept.
        let large = "x".repeat(BYTES_FOR_EACH);
        for key in 0..3 {
            cache.keep([key; 32], token(&large), None, 100, 1, &cutoffs);
        }
        assert_eq!(cache.count(), 2);
        cache.keep([9; 32], token(&large.repeat(3)), None, 100, 1, &cutoffs);
        assert_eq!(cache.count(), 2);
        let bytes: usize = cache.lock().entries.values().map(|entry| entry.bytes).sum();
        assert_eq!(cache.lock().bytes, bytes);
    }

    #[test]
    fn what_nobody_can_use_goes_before_there_is_no_room() {
        let (cache, cutoffs) = (TokenCache::with_room_for(100), Cutoffs::default());
        for key in 0..10 {
            let until = if key < 5 { 50 } else { 1_000 };
            let who = caller(&format!("user-{key}"));
            cache.keep([key; 32], token("x"), Some(who), until, 1, &cutoffs);
        }
        cutoffs.revoke(Revocation::of_subject("i", "user-5"), 50);
        for key in 10..13 {
            cache.keep([key; 32], token("x"), None, 1_000, 60, &cutoffs);
        }
        // Six of them have ended, and two go for each that comes.
        assert_eq!(cache.count(), 7);
    }
}
