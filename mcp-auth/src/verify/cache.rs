//! Tokens that were verified before: bounded, keyed, and never believed longer than the token.
//!
//! Only accepted tokens are kept, so strangers can neither fill it nor read from it.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::auth_info::AuthInfo;

/// Locks are taken per shard and held for a look-up only.
const SHARDS: usize = 64;
/// Bytes of a token that are hashed: its end is its signature, which differs between any two.
const HASHED: usize = 64;

/// Verified tokens of one or more resources, in a bounded amount of memory.
pub(crate) struct TokenCache {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    max_age: Duration,
    max_shard_bytes: usize,
}

/// Under what circumstances a token was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// Which resource accepted it, as an index.
    pub(crate) resource: usize,
    /// Which of its issuers, as an index.
    pub(crate) issuer: usize,
    /// Which keys that issuer had.
    pub(crate) key_generation: u64,
}

/// A token that was accepted before.
pub(crate) struct Hit {
    pub(crate) auth_info: AuthInfo,
    pub(crate) circumstances: Circumstances,
}

#[derive(Default)]
struct Shard {
    entries: HashMap<u64, Entry, Unhashed>,
    /// Oldest first; one that was used since gets a second round.
    queue: VecDeque<u64>,
    bytes: usize,
}

struct Entry {
    auth_info: AuthInfo,
    circumstances: Circumstances,
    /// Not believed from this second on.
    until: u64,
    bytes: usize,
    used: bool,
}

impl TokenCache {
    /// `max_bytes` 0 keeps nothing.
    pub(crate) fn new(max_bytes: usize, max_age: Duration) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, hasher: RandomState::new(), max_age, max_shard_bytes: max_bytes / SHARDS }
    }

    /// The caller behind a token that this resource accepted before, unless that is too long ago.
    pub(crate) fn find(&self, resource: usize, token: &[u8], now: u64) -> Option<Hit> {
        let hash = self.hash(resource, token);
        let hit = {
            let mut shard = self.shard(hash);
            let entry = shard.entries.get_mut(&hash).filter(|entry| now < entry.until)?;
            entry.used = true;
            Hit { auth_info: entry.auth_info.clone(), circumstances: entry.circumstances }
        };
        let same = hit.circumstances.resource == resource
            && verify_slices_are_equal(hit.auth_info.token(), token).is_ok();
        same.then_some(hit)
    }

    /// Keeps an accepted token until it expires, for at most `max_age`.
    pub(crate) fn insert(
        &self,
        auth_info: &AuthInfo,
        circumstances: Circumstances,
        expires: u64,
        now: u64,
    ) {
        let entry = Entry {
            auth_info: auth_info.clone(),
            circumstances,
            until: expires.min(now.saturating_add(self.max_age.as_secs())),
            bytes: auth_info.weight() + size_of::<Entry>(),
            used: false,
        };
        if entry.bytes <= self.max_shard_bytes {
            let hash = self.hash(circumstances.resource, auth_info.token());
            self.shard(hash).insert(hash, entry, self.max_shard_bytes);
        }
    }

    /// SipHash with a random key over the end of the token: keyed, and short.
    fn hash(&self, resource: usize, token: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(&token[token.len().saturating_sub(HASHED)..]);
        hasher.write_usize(resource);
        hasher.finish()
    }

    fn shard(&self, hash: u64) -> std::sync::MutexGuard<'_, Shard> {
        let index = (hash >> 32) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn insert(&mut self, hash: u64, entry: Entry, max_bytes: usize) {
        self.bytes += entry.bytes;
        match self.entries.insert(hash, entry) {
            Some(replaced) => self.bytes -= replaced.bytes,
            None => self.queue.push_back(hash),
        }
        while self.bytes > max_bytes {
            self.evict_one();
        }
    }

    fn evict_one(&mut self) {
        let Some(hash) = self.queue.pop_front() else { return };
        match self.entries.get_mut(&hash) {
            Some(entry) if entry.used => {
                entry.used = false;
                self.queue.push_back(hash);
            }
            _ => self.bytes -= self.entries.remove(&hash).map_or(0, |entry| entry.bytes),
        }
    }
}

/// The keys are hashes already.
#[derive(Clone, Copy, Default)]
struct Unhashed(u64);

impl BuildHasher for Unhashed {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::Scopes;
    use crate::jose::VerifiedToken;

    const FIRST: Circumstances = Circumstances { resource: 0, issuer: 0, key_generation: 1 };

    fn auth(token: &str) -> AuthInfo {
        AuthInfo::new("i".into(), Scopes::default(), 0, VerifiedToken::unchecked(token))
    }

    fn found(cache: &TokenCache, resource: usize, token: &str, now: u64) -> bool {
        cache.find(resource, token.as_bytes(), now).is_some()
    }

    #[test]
    fn a_token_is_found_until_it_expires_or_is_too_old() {
        let cache = TokenCache::new(1 << 20, Duration::from_secs(300));
        cache.insert(&auth("short"), FIRST, 1_100, 1_000);
        cache.insert(&auth("long"), FIRST, 9_000, 1_000);
        assert!(found(&cache, 0, "short", 1_099) && !found(&cache, 0, "short", 1_100));
        assert!(found(&cache, 0, "long", 1_299) && !found(&cache, 0, "long", 1_300));
    }

    #[test]
    fn another_resource_or_another_token_with_the_same_end_is_not_found() {
        let cache = TokenCache::new(1 << 20, Duration::from_secs(300));
        let end = "x".repeat(HASHED);
        cache.insert(&auth(&format!("a{end}")), FIRST, 9_000, 1_000);
        assert!(found(&cache, 0, &format!("a{end}"), 1_000));
        assert!(!found(&cache, 0, &format!("b{end}"), 1_000));
        assert!(!found(&cache, 1, &format!("a{end}"), 1_000));
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let max_bytes = 64 * 64 * 1024;
        let cache = TokenCache::new(max_bytes, Duration::from_secs(300));
        cache.insert(&auth("favourite"), FIRST, 9_000, 1_000);
        for index in 0..100_000 {
            assert!(found(&cache, 0, "favourite", 1_000), "{index}");
            cache.insert(&auth(&format!("token-{index}")), FIRST, 9_000, 1_000);
        }
        let shards = || cache.shards.iter().map(|shard| shard.lock().unwrap());
        assert!(shards().map(|shard| shard.bytes).sum::<usize>() <= max_bytes);
        assert!(shards().all(|shard| shard.queue.len() == shard.entries.len()));
        assert!(shards().map(|shard| shard.entries.len()).sum::<usize>() > 1_000);
    }

    #[test]
    fn a_cache_without_room_keeps_nothing() {
        let cache = TokenCache::new(0, Duration::from_secs(300));
        cache.insert(&auth("a"), FIRST, 9_000, 1_000);
        assert!(!found(&cache, 0, "a", 1_000));
    }
}
