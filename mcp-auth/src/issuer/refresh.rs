//! The control path: an issuer's metadata and keys, fetched lazily and never in the way.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

use super::budget::Budget;
use super::discovery::{discover, fetch_json, well_known_urls};
use super::key_set::KeyMismatch;
use super::{HttpClient, KeySet, Metadata, MetadataPatch};
use crate::clock::Clock;
use crate::config::ServerType;
use crate::error::Unavailable;
use crate::identifier::IssuerIdentifier;
use crate::jose::{Jws, SignatureVerified};

/// Seconds that a client is told to wait when a fetch just failed.
const RETRY_AFTER: u64 = 5;

/// One authorization server: whose tokens are accepted, and with which keys.
pub(crate) struct Issuer {
    identifier: IssuerIdentifier,
    source: MetadataSource,
    context: FetchContext,
    snapshot: ArcSwapOption<Snapshot>,
    control: Mutex<Control>,
}

/// Where an issuer's metadata comes from.
pub(crate) enum MetadataSource {
    /// The well-known URLs of the issuer.
    Discover(ServerType),
    /// One URL, given by hand.
    Url(String),
    /// The document, given by hand.
    Document(Arc<Metadata>),
}

/// What fetching needs.
#[derive(Clone)]
pub(crate) struct FetchContext {
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) patch: Option<MetadataPatch>,
    pub(crate) allow_http: bool,
    /// How long one request may take.
    pub(crate) timeout: Duration,
    /// After this long the next request refreshes in the background.
    pub(crate) max_age: Duration,
    /// The last good keys are used for at most this long.
    pub(crate) max_stale: Duration,
}

/// Why a signature cannot be verified.
#[derive(Debug)]
pub(crate) enum VerifyError {
    /// No key of the issuer made it.
    BadSignature,
    /// The issuer could not be asked.
    Unavailable(Unavailable),
    /// The issuer has no such key.
    UnknownKey,
}

struct Snapshot {
    metadata: Arc<Metadata>,
    keys: KeySet,
    fetched_at: u64,
}

type Outcome = Result<(), Unavailable>;
type Flight = Shared<BoxFuture<'static, Outcome>>;

struct Control {
    flight: Option<Flight>,
    /// Whether the last refresh failed.
    failed: bool,
    budget: Budget,
}

impl Issuer {
    pub(crate) fn new(
        identifier: IssuerIdentifier,
        source: MetadataSource,
        context: FetchContext,
    ) -> Self {
        let budget = Budget::new(context.clock.unix_seconds());
        let control = Mutex::new(Control { flight: None, failed: false, budget });
        Self { identifier, source, context, snapshot: ArcSwapOption::empty(), control }
    }

    pub(crate) fn identifier(&self) -> &IssuerIdentifier {
        &self.identifier
    }

    /// Verifies a token's signature with one of this issuer's keys.
    ///
    /// A key in the current set is found without waiting and without a lock.
    pub(crate) async fn verify(
        self: &Arc<Self>,
        jws: &Jws<'_>,
    ) -> Result<SignatureVerified, VerifyError> {
        let snapshot = self.current();
        if let Some(known) = &snapshot {
            match known.keys.verify(jws) {
                Ok(verified) => return Ok(verified),
                Err(KeyMismatch::Forged) => return Err(VerifyError::BadSignature),
                // The key may be newer than the set.
                Err(KeyMismatch::NoKey | KeyMismatch::NotNamed) => {}
            }
        }
        self.refetch(snapshot.as_ref()).await.map_err(VerifyError::Unavailable)?;
        let latest = self.current();
        let latest =
            latest.ok_or_else(|| VerifyError::Unavailable(self.unavailable("no keys yet")))?;
        latest.keys.verify(jws).map_err(|mismatch| match mismatch {
            KeyMismatch::Forged | KeyMismatch::NotNamed => VerifyError::BadSignature,
            KeyMismatch::NoKey => VerifyError::UnknownKey,
        })
    }

    /// The metadata document, fetched if there is none yet.
    pub(crate) async fn metadata(self: &Arc<Self>) -> Result<Arc<Metadata>, Unavailable> {
        if self.current().is_none() {
            self.refetch(None).await?;
        }
        let snapshot = self.current().ok_or_else(|| self.unavailable("no metadata yet"))?;
        Ok(snapshot.metadata.clone())
    }

    /// The last good snapshot, unless it is too old to be believed.
    fn current(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        let snapshot = self.snapshot.load_full()?;
        if self.is_too_old(&snapshot) {
            return None;
        }
        if self.age(&snapshot) > self.context.max_age {
            // In the background: nobody waits for it, and its failure is logged there.
            drop(self.refresh(Some(&snapshot)));
        }
        Some(snapshot)
    }

    /// Asks the issuer again because `seen` lacks a key, as often as the budget allows.
    async fn refetch(self: &Arc<Self>, seen: Option<&Arc<Snapshot>>) -> Outcome {
        match self.refresh(seen) {
            Some(flight) => flight.await,
            // What could not be asked just now may well have the key: 503 and not 401.
            None if self.lock().failed => {
                Err(self.unavailable("asked too often without an answer"))
            }
            None => Ok(()),
        }
    }

    /// Joins the refresh under way or starts one; `None` when the budget is spent.
    fn refresh(self: &Arc<Self>, seen: Option<&Arc<Snapshot>>) -> Option<Flight> {
        let mut control = self.lock();
        if let Some(flight) = &control.flight {
            return Some(flight.clone());
        }
        // Another refresh landed between the caller's look-up and the lock.
        let latest = self.snapshot.load_full().filter(|latest| !self.is_too_old(latest));
        if latest.is_some() && latest.as_ref().map(Arc::as_ptr) != seen.map(Arc::as_ptr) {
            return Some(std::future::ready(Ok(())).boxed().shared());
        }
        if !control.budget.take(self.context.clock.unix_seconds()) {
            return None;
        }
        // Its own task: a client that hangs up must not abort what others wait for.
        let task = tokio::spawn(Arc::clone(self).fly());
        let identifier = self.identifier.clone();
        let cancelled =
            move |_| Unavailable::new(&identifier, "the refresh was cancelled", RETRY_AFTER);
        let flight = task.map(|joined| joined.map_err(cancelled).and_then(|outcome| outcome));
        let flight = flight.boxed().shared();
        control.flight = Some(flight.clone());
        Some(flight)
    }

    /// One refresh from start to end; whatever happens in it, the next one can start.
    async fn fly(self: Arc<Self>) -> Outcome {
        let outcome = AssertUnwindSafe(self.fetch()).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(self.unavailable("the refresh panicked")));
        if let Err(failure) = &outcome {
            tracing::warn!(issuer = %self.identifier, reason = failure.reason, "keys could not be refreshed");
        }
        let mut control = self.lock();
        control.flight = None;
        control.failed = outcome.is_err();
        outcome
    }

    async fn fetch(&self) -> Outcome {
        // Several requests, each with its own timeout, must not add up.
        let limit = self.context.timeout * 2;
        let fetched = tokio::time::timeout(limit, self.fetch_snapshot()).await;
        match fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs_f32())))
        {
            Ok(snapshot) => {
                tracing::debug!(issuer = %self.identifier, keys = ?snapshot.keys, "keys refreshed");
                self.snapshot.store(Some(Arc::new(snapshot)));
                Ok(())
            }
            Err(reason) => Err(self.unavailable(&reason)),
        }
    }

    async fn fetch_snapshot(&self) -> Result<Snapshot, String> {
        let metadata = match &self.source {
            MetadataSource::Document(metadata) => metadata.clone(),
            MetadataSource::Url(url) => self.discover(std::slice::from_ref(url)).await?,
            MetadataSource::Discover(kind) => {
                self.discover(&well_known_urls(&self.identifier, *kind)).await?
            }
        };
        let jwks = fetch_json(&metadata.jwks_uri, &self.context).await;
        let keys = jwks
            .and_then(|jwks| KeySet::read(self.identifier.as_str(), &jwks))
            .map_err(|fault| format!("{}: {fault}", metadata.jwks_uri))?;
        Ok(Snapshot { metadata, keys, fetched_at: self.context.clock.unix_seconds() })
    }

    async fn discover(&self, candidates: &[String]) -> Result<Arc<Metadata>, String> {
        discover(&self.identifier, candidates, &self.context).await.map(Arc::new)
    }

    fn unavailable(&self, reason: &str) -> Unavailable {
        let wait = self.lock().budget.wait(self.context.clock.unix_seconds());
        Unavailable::new(&self.identifier, reason, wait.max(RETRY_AFTER))
    }

    fn age(&self, snapshot: &Snapshot) -> Duration {
        let now = self.context.clock.unix_seconds();
        Duration::from_secs(now.saturating_sub(snapshot.fetched_at))
    }

    fn is_too_old(&self, snapshot: &Snapshot) -> bool {
        self.age(snapshot) > self.context.max_stale
    }

    fn lock(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
