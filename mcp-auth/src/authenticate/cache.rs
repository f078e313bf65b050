//! Tokens that were verified before: bounded, keyed, and never believed longer than the token.
//!
//! Only accepted tokens are kept, so strangers can neither fill it nor read from it. Looking one up
//! writes to no memory that another thread reads.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::Acceptance;
use crate::auth_info::AuthInfo;

/// Bytes of a token that are hashed: its end is its signature, which differs between any two.
const HASHED: usize = 32;
/// Entries are given up by the shard, and one shard should not take long.
const SHARD_BYTES: usize = 512 * 1024;
/// There is a slot for so many bytes: tokens with what belongs to them are seldom smaller.
const BYTES_PER_SLOT: usize = 1024;
/// Slots that a token may be in.
const WINDOW: usize = 16;

/// Verified tokens of one or more resources, in a bounded amount of memory.
pub(crate) struct TokenCache {
    shards: Vec<ArcSwap<Shard>>,
    hasher: RandomState,
    max_bytes: usize,
    max_age: Duration,
}

/// Under what circumstances a token was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// Which resource accepted it, as a number.
    pub(crate) resource: usize,
    /// Which of its issuers, as an index at that time.
    pub(crate) issuer: usize,
    /// By which rules.
    pub(crate) acceptance: Acceptance,
    /// Which keys that issuer had; `None` for a token that no key signed.
    pub(crate) key_generation: Option<u64>,
}

/// A token that was accepted before.
#[derive(Clone)]
pub(crate) struct Hit {
    pub(crate) auth_info: AuthInfo,
    pub(crate) circumstances: Circumstances,
}

/// Two generations. When the young one is full it becomes the old one, whose entries are given up
/// but for those that were asked for meanwhile.
struct Shard {
    young: Arc<[Slot]>,
    old: Arc<[Slot]>,
    /// What the young entries hold.
    bytes: AtomicUsize,
    /// What they may hold.
    room: usize,
}

/// Written once; it goes with its whole generation.
type Slot = OnceLock<Entry>;

#[derive(Clone)]
struct Entry {
    hash: u64,
    hit: Hit,
    /// Not believed from this second on.
    until: u64,
}

impl TokenCache {
    /// `max_bytes` 0 keeps nothing.
    pub(crate) fn new(max_bytes: usize, max_age: Duration) -> Self {
        let count = (max_bytes / SHARD_BYTES).clamp(1, 64);
        let generation_bytes = max_bytes / count / 2;
        let shards = (0..count).map(|_| ArcSwap::from_pointee(Shard::new(generation_bytes)));
        Self { shards: shards.collect(), hasher: RandomState::new(), max_bytes, max_age }
    }

    /// Whether one of this size would be the same.
    pub(crate) fn is_made_like(&self, max_bytes: usize, max_age: Duration) -> bool {
        self.max_bytes == max_bytes && self.max_age == max_age
    }

    /// The caller behind a token that this resource accepted before, unless that is too long ago.
    pub(crate) fn find(&self, resource: usize, token: &[u8], now: u64) -> Option<Hit> {
        let hash = self.hash(resource, token);
        let shard = self.shard(hash).load();
        let is_same = |entry: &&Entry| {
            self.is_in_time(entry.until, now)
                && entry.hit.circumstances.resource == resource
                && verify_slices_are_equal(entry.hit.auth_info.token(), token).is_ok()
        };
        if let Some(entry) = latest(&shard.young, hash).filter(is_same) {
            return Some(entry.hit.clone());
        }
        let entry = latest(&shard.old, hash).filter(is_same)?;
        self.keep(entry);
        Some(entry.hit.clone())
    }

    /// Whether it is before this time, and no longer before it than anything is kept: a clock that was set
    /// back must not make a token good for that much longer.
    fn is_in_time(&self, until: u64, now: u64) -> bool {
        until.checked_sub(now).is_some_and(|left| left > 0 && left <= self.max_age.as_secs())
    }

    /// Keeps an accepted token until it expires, for at most `max_age`.
    pub(crate) fn insert(
        &self,
        auth_info: &AuthInfo,
        circumstances: Circumstances,
        expires: u64,
        now: u64,
    ) {
        let until = expires.min(now.saturating_add(self.max_age.as_secs()));
        if until <= now {
            return;
        }
        let hash = self.hash(circumstances.resource, auth_info.token());
        let hit = Hit { auth_info: auth_info.clone(), circumstances };
        self.keep(&Entry { hash, hit, until });
    }

    fn keep(&self, entry: &Entry) {
        let shard = self.shard(entry.hash);
        let seen = shard.load();
        if seen.keep(entry) || entry.weight() > seen.room {
            return;
        }
        // It is full. Whoever is first gives up the old one, and the others see that.
        shard.compare_and_swap(&seen, Arc::new(seen.next()));
        shard.load().keep(entry);
    }

    /// SipHash with a random key over the end of the token: keyed, and short.
    fn hash(&self, resource: usize, token: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(&token[token.len().saturating_sub(HASHED)..]);
        hasher.write_usize(resource);
        hasher.finish()
    }

    fn shard(&self, hash: u64) -> &ArcSwap<Shard> {
        &self.shards[pick((hash >> 32) as u32, self.shards.len())]
    }
}

impl Shard {
    /// `max_bytes` are for the slots of one generation and for what their entries hold.
    fn new(max_bytes: usize) -> Self {
        let count = max_bytes / BYTES_PER_SLOT;
        Self::with(slots(count), Arc::default(), max_bytes - count * size_of::<Slot>())
    }

    /// What comes after the young generation is full.
    fn next(&self) -> Self {
        Self::with(slots(self.young.len()), self.young.clone(), self.room)
    }

    fn with(young: Arc<[Slot]>, old: Arc<[Slot]>, room: usize) -> Self {
        Self { young, old, bytes: AtomicUsize::new(0), room }
    }

    /// Whether there was room.
    fn keep(&self, entry: &Entry) -> bool {
        let reserved = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bytes| {
            Some(bytes + entry.weight()).filter(|sum| *sum <= self.room)
        });
        reserved.is_ok()
            && window(&self.young, entry.hash)
                .iter()
                .any(|slot| slot.get().is_none() && slot.set(entry.clone()).is_ok())
    }
}

fn slots(count: usize) -> Arc<[Slot]> {
    (0..count).map(|_| Slot::new()).collect()
}

/// The latest entry with this hash.
fn latest(slots: &[Slot], hash: u64) -> Option<&Entry> {
    let taken = window(slots, hash).iter().map_while(Slot::get);
    taken.filter(|entry| entry.hash == hash).last()
}

/// The slots that an entry with this hash may be in; the first free one ends the search.
fn window(slots: &[Slot], hash: u64) -> &[Slot] {
    let places = slots.len().saturating_sub(WINDOW) + 1;
    let start = pick(hash as u32, places);
    &slots[start..slots.len().min(start + WINDOW)]
}

impl Entry {
    /// Bytes besides its slot.
    fn weight(&self) -> usize {
        self.hit.auth_info.weight()
    }
}

/// A number below `count`, without a division.
fn pick(hash: u32, count: usize) -> usize {
    ((u64::from(hash) * count as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Claims;
    use crate::json::CheckedObject;
    use crate::scope::Scopes;

    fn first() -> Circumstances {
        static ACCEPTANCE: OnceLock<Acceptance> = OnceLock::new();
        let acceptance = *ACCEPTANCE.get_or_init(Acceptance::of_new_rules);
        Circumstances { resource: 0, issuer: 0, acceptance, key_generation: Some(1) }
    }

    fn auth(token: &str) -> AuthInfo {
        let payload = CheckedObject::new(b"{}");
        let claims = Claims { exp: Some(0), ..Claims::default() };
        AuthInfo::new("i".into(), Scopes::default(), &claims, payload, Arc::default(), token)
    }

    fn found(cache: &TokenCache, resource: usize, token: &str, now: u64) -> bool {
        cache.find(resource, token.as_bytes(), now).is_some()
    }

    fn generations(cache: &TokenCache) -> Vec<Arc<[Slot]>> {
        let shards = cache.shards.iter().map(|shard| shard.load_full());
        shards.flat_map(|shard| [shard.young.clone(), shard.old.clone()]).collect()
    }

    fn bytes(cache: &TokenCache) -> usize {
        let bytes = |slots: &Arc<[Slot]>| {
            let entries = slots.iter().filter_map(Slot::get);
            size_of_val(&**slots) + entries.map(Entry::weight).sum::<usize>()
        };
        generations(cache).iter().map(bytes).sum()
    }

    fn count(cache: &TokenCache) -> usize {
        generations(cache).iter().map(|slots| slots.iter().filter_map(Slot::get).count()).sum()
    }

    #[test]
    fn a_token_is_found_until_it_expires_or_is_too_old() {
        let cache = TokenCache::new(1 << 20, Duration::from_secs(300));
        cache.insert(&auth("short"), first(), 1_100, 1_000);
        cache.insert(&auth("long"), first(), 9_000, 1_000);
        assert!(found(&cache, 0, "short", 1_099) && !found(&cache, 0, "short", 1_100));
        assert!(found(&cache, 0, "long", 1_299) && !found(&cache, 0, "long", 1_300));
    }

    #[test]
    fn another_resource_or_another_token_with_the_same_end_is_not_found() {
        let cache = TokenCache::new(1 << 20, Duration::from_secs(300));
        let end = "x".repeat(HASHED);
        cache.insert(&auth(&format!("a{end}")), first(), 9_000, 1_000);
        assert!(found(&cache, 0, &format!("a{end}"), 1_000));
        assert!(!found(&cache, 0, &format!("b{end}"), 1_000));
        assert!(!found(&cache, 1, &format!("a{end}"), 1_000));
    }

    #[test]
    fn a_token_that_was_verified_again_is_believed_anew_however_often() {
        let cache = TokenCache::new(1 << 20, Duration::from_secs(300));
        for key_generation in 0..1_000 {
            let now = 1_000 + key_generation * 300;
            assert!(!found(&cache, 0, "again", now));
            let key_generation = Some(key_generation);
            let circumstances = Circumstances { key_generation, ..first() };
            cache.insert(&auth("again"), circumstances, 999_999, now);
            cache.insert(&auth("other"), first(), 999_999, now);
            let hit = cache.find(0, b"again", now + 299).unwrap();
            assert_eq!(hit.circumstances, circumstances);
        }
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let max_bytes = 64 * 64 * 1024;
        let cache = TokenCache::new(max_bytes, Duration::from_secs(300));
        cache.insert(&auth("favourite"), first(), 9_000, 1_000);
        for index in 0..100_000 {
            assert!(found(&cache, 0, "favourite", 1_000), "{index}");
            cache.insert(&auth(&format!("token-{index}")), first(), 9_000, 1_000);
        }
        assert!(bytes(&cache) <= max_bytes);
        assert!(count(&cache) > 1_000);
    }

    #[test]
    fn it_is_bounded_for_any_mix_of_sizes() {
        for max_bytes in [3_000, 70_000, 1 << 20] {
            let cache = TokenCache::new(max_bytes, Duration::from_secs(300));
            for index in 0..3_000 {
                let token = format!("{}{index}", "x".repeat(index * 97 % 16_000));
                cache.insert(&auth(&token), first(), 9_000, 1_000);
                let fits = auth(&token).weight() <= cache.shards[0].load().room;
                assert_eq!(found(&cache, 0, &token, 1_000), fits);
            }
            assert!(bytes(&cache) <= max_bytes);
        }
    }

    /// Has four threads keep tokens of which some are the same.
    fn keep_from_threads(cache: &TokenCache, after_each: impl Fn(&str) + Sync) {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let after_each = &after_each;
                scope.spawn(move || {
                    for index in 0..5_000 {
                        let token = format!("token-{}", (index * 7 + thread) % 3_000);
                        if !found(cache, 0, &token, 1_000) {
                            cache.insert(&auth(&token), first(), 9_000, 1_000);
                        }
                        after_each(&token);
                    }
                });
            }
        });
    }

    #[test]
    fn threads_find_what_others_keep() {
        // So much room that nothing is given up.
        let cache = TokenCache::new(64 << 20, Duration::from_secs(300));
        keep_from_threads(&cache, |token| assert!(found(&cache, 0, token, 1_000), "{token}"));
        let is_found = |index: &usize| found(&cache, 0, &format!("token-{index}"), 1_000);
        assert_eq!((0..3_000).filter(is_found).count(), 3_000);
    }

    #[test]
    fn it_is_bounded_for_threads_that_fill_it_together() {
        let max_bytes = 1 << 20;
        let cache = TokenCache::new(max_bytes, Duration::from_secs(300));
        keep_from_threads(&cache, |_| {});
        assert!(bytes(&cache) <= max_bytes);
    }

    #[test]
    fn what_would_never_be_found_takes_no_room() {
        let cache = TokenCache::new(1 << 20, Duration::from_secs(300));
        cache.insert(&auth("a"), first(), 1_000, 1_000);
        assert_eq!(count(&cache), 0);
    }

    #[test]
    fn a_cache_without_room_keeps_nothing() {
        let cache = TokenCache::new(0, Duration::from_secs(300));
        cache.insert(&auth("a"), first(), 9_000, 1_000);
        assert!(!found(&cache, 0, "a", 1_000));
    }
}
