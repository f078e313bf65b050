//! The control path: an issuer's metadata and keys, fetched lazily and never in the way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

use super::budget::Budget;
use super::fetch::FetchFault;
use super::freshness::Freshness;
use super::key_set::KeyMismatch;
use super::known_metadata::KnownMetadata;
use super::pauses::Pauses;
use super::snapshot::Snapshot;
use super::{Destination, FetchContext, KeySource, Metadata};
use crate::error::Unavailable;
use crate::identifier::IssuerIdentifier;
use crate::jose::{Jws, VerifiedJws};
use crate::spawner::{Running, Spawner, background};
use crate::text::inert;

/// Seconds that a client is told to wait when a request to the issuer just failed.
pub(super) const RETRY_AFTER: u64 = 5;

/// One authorization server: whose tokens are accepted, and with which keys.
pub(crate) struct Issuer {
    identifier: IssuerIdentifier,
    source: KeySource,
    context: FetchContext,
    /// It is fetched before the keys, and kept also when they cannot be had.
    metadata: KnownMetadata,
    snapshot: ArcSwapOption<Snapshot>,
    /// Of the snapshot, for whoever needs no key.
    freshness: Freshness,
    control: Mutex<Control>,
    /// Of the endpoints where it is asked about tokens.
    pub(super) pauses: Pauses,
}

/// Why a signature cannot be verified.
#[derive(Debug)]
pub(crate) enum VerifyError {
    /// No key of the issuer that was tried made it.
    BadSignature {
        /// How many were not tried.
        untried: usize,
    },
    /// The issuer could not be asked.
    Unavailable(Unavailable),
    /// The issuer has no such key.
    UnknownKey,
}

impl From<Unavailable> for VerifyError {
    fn from(reason: Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

/// A token whose signature one of the issuer's keys made.
pub(crate) struct Verified<'j, T = ()> {
    pub(crate) jws: VerifiedJws<'j, T>,
    /// Which keys were in use.
    pub(crate) key_generation: u64,
    /// When, in seconds since 1970: keys may have been waited for.
    pub(crate) now: u64,
}

type Outcome = Result<(), Unavailable>;
type Flight = Shared<BoxFuture<'static, Outcome>>;

struct Control {
    /// The refresh under way, or the last one.
    flight: Option<(Flight, Running)>,
    /// Why the last refresh failed, if it did.
    failure: Option<String>,
    budget: Budget,
}

/// What came of asking for a refresh.
enum Refresh {
    /// A new one; it sees what was published before now.
    Started(Flight),
    /// One that was under way.
    Joined(Flight),
    /// None was needed: another one ended in between.
    Landed,
    /// None: the budget is spent. Why the last one failed, if it did.
    Spent { failure: Option<String> },
}

impl Issuer {
    pub(crate) fn new(
        identifier: IssuerIdentifier,
        source: KeySource,
        context: FetchContext,
    ) -> Self {
        let budget = Budget::new(context.clock.unix_seconds());
        let control = Mutex::new(Control { flight: None, failure: None, budget });
        let (metadata, snapshot) = (KnownMetadata::new(), ArcSwapOption::empty());
        let (freshness, pauses) = (Freshness::of_nothing(), Pauses::default());
        Self { identifier, source, context, metadata, snapshot, freshness, control, pauses }
    }

    /// The same issuer as a new configuration has it. Where its keys come from the same place it is the one that is there, or
    /// a new one with its keys, if it is now waited for longer or shorter; `None`: its keys must be fetched.
    ///
    /// `is_transport_trusted`: whether the same certificate authorities are trusted.
    pub(crate) fn kept_as(
        self: &Arc<Self>,
        source: &KeySource,
        context: &FetchContext,
        is_transport_trusted: bool,
    ) -> Option<Arc<Self>> {
        let is_same_place = self.source.is_same_as(source) && self.context.trusts_like(context);
        if !is_same_place || !is_transport_trusted {
            return None;
        }
        if self.context.is_as_patient_as(context) {
            return Some(self.clone());
        }
        Some(Arc::new(self.with_other_patience(context)))
    }

    fn with_other_patience(&self, context: &FetchContext) -> Self {
        let (budget, failure) = {
            let control = self.lock();
            (control.budget.clone(), control.failure.clone())
        };
        let snapshot =
            self.snapshot.load_full().map(|known| known.fresh_for_at_most(context.max_age));
        let freshness = Freshness::of_nothing();
        if let Some(known) = &snapshot {
            freshness.publish(known);
        }
        Self {
            identifier: self.identifier.clone(),
            source: self.source.clone(),
            context: context.clone(),
            metadata: KnownMetadata::as_known_to(&self.metadata),
            snapshot: ArcSwapOption::new(snapshot),
            freshness,
            control: Mutex::new(Control { flight: None, failure, budget }),
            pauses: self.pauses.clone(),
        }
    }

    pub(crate) fn identifier(&self) -> &IssuerIdentifier {
        &self.identifier
    }

    /// Verifies a token's signature with one of this issuer's keys.
    ///
    /// A key in the current set is found without waiting and without a lock.
    pub(crate) async fn verify<'j, T>(
        self: &Arc<Self>,
        jws: &'j Jws<'j, T>,
        mut now: u64,
    ) -> Result<Verified<'j, T>, VerifyError> {
        if let Some(outcome) = self.verify_at_once(jws, now) {
            return outcome;
        }
        let mut seen = self.current(now);
        let mut refreshes_left = 2;
        loop {
            let error = match &seen {
                Some(known) => match self.verify_with(known, jws, now).await {
                    Ok(verified) => return Ok(verified),
                    Err(KeyMismatch::Forged { untried }) => {
                        return Err(VerifyError::BadSignature { untried });
                    }
                    Err(KeyMismatch::NotNamed { untried }) => VerifyError::BadSignature { untried },
                    Err(KeyMismatch::NoKey) => VerifyError::UnknownKey,
                },
                None => VerifyError::Unavailable(self.unavailable("no keys yet")),
            };
            if refreshes_left == 0 {
                return Err(error);
            }
            // The key may be newer than the set.
            refreshes_left = match self.refresh(seen.as_ref()) {
                Refresh::Started(flight) => flight.await.map(|()| 0)?,
                // It may have begun before the key was published: one more look after it.
                Refresh::Joined(flight) => flight.await.map(|()| refreshes_left - 1)?,
                Refresh::Landed => refreshes_left - 1,
                // What could not be asked just now may well have the key: 503 and not 401.
                Refresh::Spent { failure: Some(reason) } => {
                    return Err(self.asked_too_often(&reason).into());
                }
                Refresh::Spent { failure: None } => return Err(error),
            };
            now = self.context.clock.unix_seconds();
            seen = self.current(now);
        }
    }

    /// With the key that the token names, where it is known and nothing has to be waited for: so nearly always. Nothing
    /// is written that other threads read, as a count of those who hold the keys would be.
    pub(crate) fn verify_at_once<'j, T>(
        &self,
        jws: &'j Jws<'j, T>,
        now: u64,
    ) -> Option<Result<Verified<'j, T>, VerifyError>> {
        let loaded = self.snapshot.load();
        let known = loaded.as_deref().filter(|known| known.is_fresh(now))?;
        if self.context.slow_checks.is_some() && known.keys.is_slow_for(jws) {
            return None;
        }
        let key_generation = known.key_generation;
        match known.keys.verify_named(jws)? {
            Ok(proven) => Some(Ok(Verified { jws: proven, key_generation, now })),
            Err(KeyMismatch::Forged { untried }) => {
                Some(Err(VerifyError::BadSignature { untried }))
            }
            Err(KeyMismatch::NotNamed { .. } | KeyMismatch::NoKey) => None,
        }
    }

    /// With these keys, here or, where that is asked for and it takes long, in the background.
    async fn verify_with<'j, T>(
        &self,
        known: &Arc<Snapshot>,
        jws: &'j Jws<'j, T>,
        now: u64,
    ) -> Result<Verified<'j, T>, KeyMismatch> {
        let slow_checks = self.context.slow_checks.as_ref().filter(|_| known.keys.is_slow_for(jws));
        // A flood of them must not keep other background work waiting: what is above the limit, takes long here.
        let permit = slow_checks.and_then(|checks| checks.clone().try_acquire_owned().ok());
        let Some(permit) = permit else { return known.verify(jws, now) };
        let (keys, copy) = (known.keys.clone(), jws.copy());
        let (work, checked, _) = background(async move {
            let _permit = permit;
            keys.verify_copy(&copy)
        });
        self.context.spawner.start(work);
        let verified = match checked.await.flatten() {
            Some(Ok(proof)) => jws.verify_by_copy(&proof),
            Some(Err(mismatch)) => return Err(mismatch),
            // It was never begun.
            None => None,
        };
        match verified {
            Some(proven) => Ok(Verified { jws: proven, key_generation: known.key_generation, now }),
            None => known.verify(jws, now),
        }
    }

    /// Which keys are in use: it changes when they do. `None` when there are none to be believed.
    pub(crate) fn key_generation(self: &Arc<Self>, now: u64) -> Option<u64> {
        // Every request with a known token asks: no lock, no count, no clock.
        match self.freshness.key_generation(now) {
            Some(fresh) => Some(fresh),
            None => self.current(now).map(|snapshot| snapshot.key_generation),
        }
    }

    /// Fetches metadata and keys if there are none yet.
    pub(crate) async fn ready(self: &Arc<Self>) -> Result<(), Unavailable> {
        if self.current(self.now()).is_some() {
            return Ok(());
        }
        if let Some(flight) = self.flight_to_wait_for(None)? {
            flight.await?;
        }
        self.current(self.now()).map(drop).ok_or_else(|| self.unavailable("no keys yet"))
    }

    /// The metadata document, fetched if there is none yet. It needs no keys.
    pub(crate) async fn metadata(self: &Arc<Self>) -> Result<Arc<Metadata>, Unavailable> {
        match &self.source {
            KeySource::Metadata(given) | KeySource::Keys(_, Some(given)) => {
                return Ok(given.clone());
            }
            KeySource::Keys(_, None) => {
                let reason = "its keys are given by hand and `metadata` is not";
                return Err(self.unavailable(reason));
            }
            KeySource::Discover(_) | KeySource::MetadataUrl(_) => {}
        }
        let keys = self.snapshot.load_full();
        if let Some(metadata) = self.last_metadata(keys.as_ref()) {
            return Ok(metadata);
        }
        let news = self.metadata.news();
        let Some(flight) = self.flight_to_wait_for(keys.as_ref())? else {
            return self.last_metadata(None).ok_or_else(|| self.unavailable("no metadata yet"));
        };
        tokio::select! {
            // The keys are asked for after it: they may take longer, or not come at all.
            metadata = news.next() => Ok(metadata),
            outcome = flight => match self.last_metadata(None) {
                Some(metadata) => Ok(metadata),
                None => Err(outcome.err().unwrap_or_else(|| self.unavailable("no metadata yet"))),
            },
        }
    }

    /// The last good metadata, unless it is too old to be believed. When it is no longer fresh, a refresh is started
    /// that nobody waits for.
    fn last_metadata(self: &Arc<Self>, keys: Option<&Arc<Snapshot>>) -> Option<Arc<Metadata>> {
        let (known, now) = (self.metadata.last()?, self.now());
        if known.age(now) > self.context.max_stale {
            return None;
        }
        if known.age(now) > self.context.max_age {
            drop(self.refresh(keys));
        }
        Some(known.metadata)
    }

    /// The refresh to wait for; `None` when one has just landed.
    fn flight_to_wait_for(
        self: &Arc<Self>,
        seen: Option<&Arc<Snapshot>>,
    ) -> Result<Option<Flight>, Unavailable> {
        match self.refresh(seen) {
            Refresh::Started(flight) | Refresh::Joined(flight) => Ok(Some(flight)),
            Refresh::Landed => Ok(None),
            Refresh::Spent { failure } => {
                Err(self.asked_too_often(failure.as_deref().unwrap_or("it was well")))
            }
        }
    }

    /// The URL that a member of the metadata names; for clients that show a certificate, the one
    /// among its aliases (RFC 8705 §5) where there is one.
    pub(super) async fn endpoint(
        self: &Arc<Self>,
        member: &str,
        with_certificate: bool,
    ) -> Result<Destination, Unavailable> {
        let metadata = self.metadata().await?;
        let endpoint = metadata.endpoint(member, with_certificate, &self.context.url_rules);
        endpoint.map_err(|reason| self.unavailable(&reason))
    }

    /// The URL of a page that a member of the metadata names, to which a browser is sent.
    pub(crate) async fn page(self: &Arc<Self>, member: &str) -> Result<String, Unavailable> {
        self.endpoint(member, false).await.map(|place| place.url)
    }

    /// How long all that is asked for one decision may take.
    pub(super) fn patience(&self) -> Duration {
        // Several requests, each with its own timeout, must not add up.
        self.context.timeout.saturating_mul(2)
    }

    /// Where background work for it runs.
    pub(crate) fn spawner(&self) -> &Spawner {
        &self.context.spawner
    }

    pub(crate) fn now(&self) -> u64 {
        self.context.clock.unix_seconds()
    }

    /// The last good snapshot, unless it is too old to be believed.
    fn current(self: &Arc<Self>, now: u64) -> Option<Arc<Snapshot>> {
        let snapshot = self.snapshot.load_full()?;
        if snapshot.is_fresh(now) {
            return Some(snapshot);
        }
        if self.is_too_old(&snapshot, now) {
            return None;
        }
        // In the background: nobody waits for it, and its failure is logged there.
        drop(self.refresh(Some(&snapshot)));
        Some(snapshot)
    }

    /// Joins the refresh under way, or starts one as the budget allows.
    fn refresh(self: &Arc<Self>, seen: Option<&Arc<Snapshot>>) -> Refresh {
        let mut control = self.lock();
        if let Some((flight, _)) = control.flight.as_ref().filter(|(_, task)| !task.is_over()) {
            return Refresh::Joined(flight.clone());
        }
        let now = self.context.clock.unix_seconds();
        let latest = self.snapshot.load_full().filter(|latest| !self.is_too_old(latest, now));
        if latest.is_some() && latest.as_ref().map(Arc::as_ptr) != seen.map(Arc::as_ptr) {
            return Refresh::Landed;
        }
        if !control.budget.take(now) {
            return Refresh::Spent { failure: control.failure.clone() };
        }
        // Its own task: a client that hangs up must not abort what others wait for.
        let (work, task, running) = background(Arc::clone(self).fetch());
        let broke_off =
            Unavailable::new(&self.identifier, "the refresh broke off: it panicked", RETRY_AFTER);
        let flight = task.map(|outcome| outcome.unwrap_or(Err(broke_off))).boxed().shared();
        // Until it succeeds, which it may never do.
        control.failure = Some("it did not end".to_owned());
        control.flight = Some((flight.clone(), running));
        drop(control);
        self.context.spawner.start(work);
        Refresh::Started(flight)
    }

    async fn fetch(self: Arc<Self>) -> Outcome {
        // Each part of it has its own limit.
        match self.fetch_in_order().await {
            Ok(snapshot) => {
                self.publish(snapshot);
                Ok(())
            }
            Err(FetchFault { reason, retry_after, .. }) => {
                let told: String = inert(&reason).chars().take(1024).collect();
                tracing::warn!(issuer = %self.identifier, reason = %told, "keys could not be refreshed");
                if let Some(seconds) = retry_after {
                    self.lock().budget.pause(self.context.clock.unix_seconds(), seconds);
                }
                let unavailable = self.unavailable(&reason);
                self.lock().failure = Some(reason);
                Err(unavailable)
            }
        }
    }

    /// The metadata, which is published at once, and then the keys that it names.
    async fn fetch_in_order(&self) -> Result<Snapshot, FetchFault> {
        let known = self.metadata.last();
        let found_before = known.as_ref().and_then(|last| last.metadata.found_at.as_deref());
        let fetching = self.source.metadata(&self.identifier, found_before, &self.context);
        let metadata = fetching.await?;
        if let Some(fetched) = &metadata {
            self.metadata.publish(fetched.clone(), self.now());
        }
        Snapshot::fetch(metadata.as_deref(), &self.identifier, &self.source, &self.context).await
    }

    fn publish(&self, mut snapshot: Snapshot) {
        let issuer = self.identifier.as_str();
        let before = self.snapshot.load_full();
        snapshot.key_generation = before.as_ref().map_or(0, |last| {
            last.key_generation + u64::from(!last.keys.is_same_as(&snapshot.keys))
        });
        snapshot.keys.log_skipped(issuer, before.as_ref().map(|last| &*last.keys));
        tracing::debug!(issuer, keys = snapshot.keys.len(), "keys refreshed");
        let published = Arc::new(snapshot);
        self.snapshot.store(Some(published.clone()));
        self.freshness.publish(&published);
        self.lock().failure = None;
    }

    pub(super) fn unavailable(&self, reason: &str) -> Unavailable {
        let wait = self.lock().budget.wait(self.context.clock.unix_seconds());
        Unavailable::new(&self.identifier, reason, wait.max(RETRY_AFTER))
    }

    fn asked_too_often(&self, last: &str) -> Unavailable {
        self.unavailable(&format!("asked too often without an answer; the last time: {last}"))
    }

    fn is_too_old(&self, snapshot: &Snapshot, now: u64) -> bool {
        snapshot.age(now) > self.context.max_stale
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
