//! Whose tokens are refused, and until when they were issued.
//!
//! 1. It is looked at for every token, also for one that was accepted before. While nothing new was revoked, that is one
//!    comparison: each caller remembers what was revoked when they were looked at.
//! 2. It is bounded. Where there is no room, the oldest entry of whoever has the most goes, and all tokens of that issuer
//!    are refused that were issued until the time of that entry: rather somebody has to get a new token than that a revoked
//!    one is accepted.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use super::revocation::RevokedKind;
use super::{Feed, Revocation};
use crate::auth_info::AuthInfo;
use crate::error::{TokenError, Unavailable};
use crate::shared_store::{CutoffKind, SharedCutoff};

/// Entries of all issuers.
const MAX_ENTRIES: usize = 100_000;

/// The last number that was given to a state of any [`Cutoffs`]: no two have the same, so that a caller whom one has
/// looked at is looked at by each. 0 is the state in which nothing was revoked.
static LAST_VERSION: AtomicU64 = AtomicU64::new(0);

/// What was revoked.
#[derive(Debug)]
pub(crate) struct Cutoffs {
    entries: RwLock<Entries>,
    /// Another number whenever something was revoked.
    version: AtomicU64,
    /// Wakes those who hold something open.
    changes: watch::Sender<u64>,
    /// Until when they count as all that there is, in seconds since 1970. Always, unless other instances revoke too.
    current_until: AtomicU64,
    /// What keeps up with other instances, if there are any.
    feed: OnceLock<Feed>,
    max_entries: usize,
}

#[derive(Clone, Debug, Default)]
struct Entries {
    issuers: HashMap<Box<str>, OfIssuer>,
    count: usize,
}

/// What was revoked of one issuer.
#[derive(Clone, Debug, Default)]
struct OfIssuer {
    /// Everything that was issued until then.
    everything: Option<u64>,
    /// By kind and name, until when tokens were issued that are refused.
    named: HashMap<RevokedKind, HashMap<Box<str>, u64>>,
    /// In the order in which they came.
    order: VecDeque<(RevokedKind, Box<str>)>,
}

impl Default for Cutoffs {
    fn default() -> Self {
        Self::with_room_for(MAX_ENTRIES)
    }
}

impl Cutoffs {
    fn with_room_for(max_entries: usize) -> Self {
        let entries = RwLock::default();
        let changes = watch::Sender::new(0);
        // Callers who were never looked at have seen none.
        let (version, current_until) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let feed = OnceLock::new();
        Self { entries, version, changes, current_until, feed, max_entries }
    }

    /// Keeps up with other instances from now on, by this feed. Once: of two, the first stays.
    pub(crate) fn share(&self, feed: Feed) {
        let _ = self.feed.set(feed);
    }

    /// Refuses these tokens from now on, here and on other instances.
    pub(crate) fn revoke(&self, revocation: Revocation, now: u64) {
        let cutoff = revocation.to_shared(now);
        self.add_shared(std::slice::from_ref(&cutoff));
        if let Some(feed) = self.feed.get() {
            feed.post(cutoff);
        }
    }

    /// The same, and waits until the other instances can know.
    ///
    /// # Errors
    /// They cannot yet. They are told until they can.
    pub(crate) async fn revoke_everywhere(
        &self,
        revocation: Revocation,
        now: u64,
    ) -> Result<(), Unavailable> {
        let cutoff = revocation.to_shared(now);
        self.add_shared(std::slice::from_ref(&cutoff));
        match self.feed.get() {
            Some(feed) => feed.tell(cutoff).await,
            None => Ok(()),
        }
    }

    /// Waits until the other instances can know of what was revoked here; at once where there are none.
    ///
    /// # Errors
    /// They cannot yet. They are told until they can.
    pub(crate) async fn confirm(
        &self,
        revocations: Vec<Revocation>,
        now: u64,
    ) -> Result<(), Unavailable> {
        let Some(feed) = self.feed.get() else { return Ok(()) };
        let told = revocations.into_iter().map(|revocation| revocation.to_shared(now)).collect();
        feed.confirm(told).await
    }

    /// Whether no instance has seen this key before; `None`: this is the only one.
    pub(crate) async fn first_time(
        &self,
        key: &str,
        keep: Duration,
    ) -> Option<Result<bool, Unavailable>> {
        Some(self.feed.get()?.first_time(key.to_owned(), keep).await)
    }

    /// Waits until these are all that there is.
    ///
    /// # Errors
    /// Nobody can tell: the shared store is away.
    pub(crate) async fn wait_until_current(&self) -> Result<(), Unavailable> {
        match self.feed.get() {
            Some(feed) => feed.wait_until_current().await,
            None => Ok(()),
        }
    }

    /// Refuses what was revoked on other instances, or what this one has told them.
    pub(crate) fn add_shared(&self, cutoffs: &[SharedCutoff]) {
        let mut is_new = false;
        {
            let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
            for cutoff in cutoffs {
                is_new |= entries.add(cutoff);
                while entries.count > self.max_entries && entries.forget_one() {}
            }
        }
        if is_new {
            self.tell();
        }
    }

    /// Everything that is refused here.
    pub(crate) fn to_shared(&self) -> Vec<SharedCutoff> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::with_capacity(entries.count);
        for (issuer, of_issuer) in &entries.issuers {
            if let Some(until) = of_issuer.everything {
                all.push(SharedCutoff::new(&**issuer, CutoffKind::Everything, "", until));
            }
            for (kind, names) in &of_issuer.named {
                let cutoffs = names.iter();
                all.extend(cutoffs.map(|(name, until)| {
                    SharedCutoff::new(&**issuer, (*kind).into(), &**name, *until)
                }));
            }
        }
        all
    }

    /// Whether these are all that there is: nobody else revokes, or others were heard of.
    #[inline]
    pub(crate) fn is_current(&self, now: u64) -> bool {
        now < self.current_until.load(Ordering::Acquire)
    }

    /// Says until when these are all that there is. Whether that was any time before.
    pub(super) fn set_current_until(&self, seconds: u64) -> bool {
        self.current_until.swap(seconds, Ordering::AcqRel) > 0
    }

    /// Wakes those who hold something open, because they may have to end it for another reason.
    pub(crate) fn wake(&self) {
        self.changes.send_modify(|_| {});
    }

    /// Refuses what the earlier ones refuse, in place of all that was revoked here.
    pub(crate) fn take_over(&self, earlier: &Self) {
        let copy = earlier.entries.read().unwrap_or_else(PoisonError::into_inner).clone();
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = copy;
        self.tell();
    }

    /// Refuses the token of one caller, of whom it was asked.
    pub(crate) fn take_back(&self, caller: &AuthInfo) {
        caller.take_back();
        self.changes.send_modify(|_| {});
    }

    /// Tells of entries. After them, so that whoever sees the number sees the entries.
    fn tell(&self) {
        let version = LAST_VERSION.fetch_add(1, Ordering::AcqRel) + 1;
        self.version.fetch_max(version, Ordering::Release);
        self.changes.send_replace(version);
    }

    /// Whether nothing was revoked that this caller could be known by.
    ///
    /// # Errors
    /// [`TokenError::Revoked`].
    #[inline]
    pub(crate) fn check(&self, caller: &AuthInfo) -> Result<(), TokenError> {
        let version = self.version.load(Ordering::Acquire);
        match caller.has_seen_revocations(version) {
            true => Ok(()),
            false => self.look_up(caller, version),
        }
    }

    #[cold]
    fn look_up(&self, caller: &AuthInfo, version: u64) -> Result<(), TokenError> {
        if caller.was_taken_back() {
            return Err(TokenError::Revoked);
        }
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let latest = entries.latest(caller);
        drop(entries);
        match latest {
            Some(until) if caller.issued_at().is_none_or(|issued| issued <= until) => {
                Err(TokenError::Revoked)
            }
            _ => {
                caller.see_revocations(version);
                Ok(())
            }
        }
    }

    /// Tells when something was revoked, for those who hold something open.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Entries {
    /// Whether anything is refused by it that was not.
    fn add(&mut self, cutoff: &SharedCutoff) -> bool {
        let SharedCutoff { issuer, kind: shared_kind, name, issued_until } = cutoff;
        let of_issuer = match self.issuers.get_mut(&**issuer) {
            Some(known) => known,
            None => self.issuers.entry(issuer.as_str().into()).or_default(),
        };
        let Some(kind) = RevokedKind::of_shared(*shared_kind) else {
            let is_new = of_issuer.everything < Some(*issued_until);
            of_issuer.everything = of_issuer.everything.max(Some(*issued_until));
            return is_new;
        };
        if of_issuer.everything >= Some(*issued_until) {
            return false;
        }
        let names = of_issuer.named.entry(kind).or_default();
        if let Some(known) = names.get_mut(&**name) {
            let is_new = *known < *issued_until;
            *known = (*known).max(*issued_until);
            return is_new;
        }
        let kept: Box<str> = name.as_str().into();
        names.insert(kept.clone(), *issued_until);
        of_issuer.order.push_back((kind, kept));
        self.count += 1;
        true
    }

    /// Forgets the oldest entry of the issuer that has the most, and refuses all of that issuer's that were issued until
    /// then. Whether there was one.
    fn forget_one(&mut self) -> bool {
        let largest = self.issuers.values_mut().max_by_key(|of_issuer| of_issuer.order.len());
        let Some(of_issuer) = largest else { return false };
        let Some((kind, name)) = of_issuer.order.pop_front() else { return false };
        self.count -= 1;
        let of_kind = of_issuer.named.get_mut(&kind);
        if let Some(issued_until) = of_kind.and_then(|names| names.remove(&name)) {
            of_issuer.everything = of_issuer.everything.max(Some(issued_until));
        }
        true
    }

    /// Until when tokens of this caller were issued that are refused.
    fn latest(&self, caller: &AuthInfo) -> Option<u64> {
        let of_issuer = self.issuers.get(caller.issuer())?;
        let sid = caller.text_claim("sid");
        let names = [
            (RevokedKind::Subject, caller.subject()),
            (RevokedKind::SubjectWithoutSession, caller.subject().filter(|_| sid.is_none())),
            (RevokedKind::Client, caller.client_id()),
            (RevokedKind::Session, sid),
            (RevokedKind::Token, caller.text_claim("jti")),
        ];
        let mut latest = of_issuer.everything;
        for (kind, said) in names {
            let (Some(name), Some(of_kind)) = (said, of_issuer.named.get(&kind)) else { continue };
            let Some(until) = of_kind.get(name) else { continue };
            // One token is refused whenever it was issued.
            latest = latest.max(Some(if kind == RevokedKind::Token { u64::MAX } else { *until }));
        }
        latest
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn caller(subject: &str, issued_at: u64) -> AuthInfo {
        let claims = json!({ "iss": "i", "sub": subject, "iat": issued_at });
        AuthInfo::from_verified_json(&claims.to_string()).unwrap()
    }

    #[test]
    fn where_there_is_no_room_more_is_refused_and_never_less() {
        let cutoffs = Cutoffs::with_room_for(3);
        for time in 1..=5 {
            cutoffs.revoke(Revocation::of_subject("i", format!("user-{time}")), time * 10);
        }
        let other_issuer = Revocation::of_subject("j", "somebody");
        cutoffs.revoke(other_issuer, 60);
        assert_eq!(cutoffs.entries.read().unwrap().count, 3);
        for (user, issued_at, is_good) in [
            ("user-1", 10, false),
            ("user-1", 31, true),
            ("user-4", 40, false),
            ("user-5", 50, false),
            ("user-5", 51, true),
            // Refused although nobody revoked it: the entries of the first three are one now.
            ("somebody", 30, false),
            ("somebody", 31, true),
        ] {
            let found = cutoffs.check(&caller(user, issued_at));
            assert_eq!(found.is_ok(), is_good, "{user} at {issued_at}");
        }
    }

    #[test]
    fn a_caller_whom_another_one_has_looked_at_is_looked_at() {
        let (ours, others) = (Cutoffs::default(), Cutoffs::default());
        let alice = caller("alice", 5);
        ours.revoke(Revocation::of_subject("i", "alice"), 10);
        others.revoke(Revocation::of_subject("i", "bob"), 10);
        assert!(others.check(&alice).is_ok());
        assert_eq!(ours.check(&alice), Err(TokenError::Revoked));
        assert!(others.check(&alice).is_ok() && others.check(&alice).is_ok());
    }
}
