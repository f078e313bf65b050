//! What was said may be said once: which messages of an issuer were seen before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

/// Messages of one issuer that are remembered at once. Each takes 40 bytes and a little more.
const MAX_OF_ISSUER: usize = 50_000;

/// The messages that were seen, by issuer and identifier (`jti`), until they could not be accepted any more.
///
/// Only for messages whose signature was verified: strangers cannot fill it. Each issuer has room of its own, so that
/// none can take that of another. Nothing that still counts is ever forgotten.
#[derive(Debug)]
pub(crate) struct SeenOnce {
    issuers: Mutex<HashMap<Box<str>, OfIssuer>>,
    max_of_issuer: usize,
}

/// Whether a message was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// No, and now it is.
    First,
    Before,
    /// It is not known and cannot be remembered: too many others still count.
    NoRoom,
}

#[derive(Clone, Debug, Default)]
struct OfIssuer {
    /// Until when each counts, in seconds since 1970, by a digest: identifiers may be long.
    until: HashMap<[u8; 32], u64>,
    /// Before then there is nothing to forget.
    first_end: u64,
}

impl Default for SeenOnce {
    fn default() -> Self {
        Self::with_room_for(MAX_OF_ISSUER)
    }
}

impl SeenOnce {
    fn with_room_for(max_of_issuer: usize) -> Self {
        Self { issuers: Mutex::default(), max_of_issuer }
    }

    /// Remembers a message until the second given, from which on it is refused by its age.
    pub(crate) fn see(&self, issuer: &str, id: &str, until: u64, now: u64) -> Seen {
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        let of_issuer = issuers.entry(issuer.into()).or_default();
        let Some(key) = key_of(id) else { return Seen::NoRoom };
        // Also one that is over: the clock may have been set back.
        if of_issuer.until.contains_key(&key) {
            return Seen::Before;
        }
        if of_issuer.until.len() >= self.max_of_issuer && !of_issuer.forget_what_is_over(now) {
            return Seen::NoRoom;
        }
        of_issuer.until.insert(key, until);
        of_issuer.first_end = of_issuer.first_end.min(until);
        Seen::First
    }

    /// Forgets one that is to come again.
    pub(crate) fn forget(&self, issuer: &str, id: &str) {
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(of_issuer), Some(key)) = (issuers.get_mut(issuer), key_of(id)) {
            of_issuer.until.remove(&key);
        }
    }

    /// Forgets what other issuers have sent.
    pub(crate) fn keep_issuers(&self, is_kept: impl Fn(&str) -> bool) {
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        issuers.retain(|name, _| is_kept(name));
    }

    /// Remembers what the earlier one does, in place of all that was seen here.
    pub(crate) fn take_over(&self, earlier: &Self) {
        let copy = earlier.issuers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *self.issuers.lock().unwrap_or_else(PoisonError::into_inner) = copy;
    }
}

/// A digest of an identifier.
fn key_of(id: &str) -> Option<[u8; 32]> {
    digest(&SHA256, id.as_bytes()).as_ref().try_into().ok()
}

impl OfIssuer {
    /// Whether there is room now.
    fn forget_what_is_over(&mut self, now: u64) -> bool {
        if now < self.first_end {
            return false;
        }
        let before = self.until.len();
        self.until.retain(|_, until| *until > now);
        self.first_end = self.until.values().copied().min().unwrap_or(u64::MAX);
        self.until.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_issuer_that_is_not_there_any_more_nothing_is_remembered() {
        let seen = SeenOnce::default();
        for issuer in ["a", "b"] {
            assert_eq!(seen.see(issuer, "1", 100, 10), Seen::First);
        }
        seen.keep_issuers(|name| name == "a");
        assert_eq!(seen.see("a", "1", 100, 10), Seen::Before);
        assert_eq!(seen.see("b", "1", 100, 10), Seen::First);
    }

    #[test]
    fn what_is_full_refuses_what_is_new_until_something_is_over() {
        let seen = SeenOnce::with_room_for(2);
        assert_eq!(seen.see("i", "a", 100, 10), Seen::First);
        assert_eq!(seen.see("i", "b", 200, 10), Seen::First);
        assert_eq!(seen.see("i", "c", 300, 99), Seen::NoRoom);
        assert_eq!(seen.see("i", "a", 300, 99), Seen::Before);
        assert_eq!(seen.see("j", "a", 300, 99), Seen::First, "another issuer has its own room");
        assert_eq!(seen.see("i", "c", 300, 100), Seen::First);
        assert_eq!(seen.see("i", "b", 300, 150), Seen::Before);
        assert_eq!(seen.see("i", "d", 400, 150), Seen::NoRoom);
    }

    #[test]
    fn a_clock_that_is_set_forth_and_back_lets_nothing_in_twice() {
        let seen = SeenOnce::default();
        assert_eq!(seen.see("i", "a", 100, 10), Seen::First);
        for now in [5_000, 10, 0, u64::MAX, 99] {
            assert_eq!(seen.see("i", "a", 100, now), Seen::Before, "at {now}");
        }
    }

    #[test]
    fn what_takes_over_remembers_what_the_earlier_one_saw() {
        let (earlier, later) = (SeenOnce::default(), SeenOnce::default());
        earlier.see("i", "a", 100, 10);
        later.take_over(&earlier);
        assert_eq!(later.see("i", "a", 100, 10), Seen::Before);
    }
}
