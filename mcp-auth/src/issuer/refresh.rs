//! The control path: an issuer's metadata and keys, fetched lazily and never in the way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::task::{AbortHandle, JoinError};

use super::budget::Budget;
use super::discovery::{discover, fetch_json, well_known_urls};
use super::key_set::KeyMismatch;
use super::{HttpClient, KeySet, Metadata, MetadataPatch};
use crate::clock::Clock;
use crate::config::ServerType;
use crate::error::Unavailable;
use crate::identifier::{IssuerIdentifier, PlainHttp};
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
    /// Which plain `http` URLs a fetched document may name.
    pub(crate) plain_http: PlainHttp,
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

impl From<Unavailable> for VerifyError {
    fn from(reason: Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

/// A signature that one of the issuer's keys made.
pub(crate) struct Verified {
    pub(crate) proof: SignatureVerified,
    /// Which keys were in use.
    pub(crate) key_generation: u64,
}

struct Snapshot {
    metadata: Arc<Metadata>,
    keys: KeySet,
    /// Counts the changes of the keys.
    key_generation: u64,
    fetched_at: u64,
}

impl Snapshot {
    fn verify(&self, jws: &Jws<'_>) -> Result<Verified, KeyMismatch> {
        let proof = self.keys.verify(jws)?;
        Ok(Verified { proof, key_generation: self.key_generation })
    }
}

type Outcome = Result<(), Unavailable>;
type Flight = Shared<BoxFuture<'static, Outcome>>;

struct Control {
    /// The refresh under way, or the last one.
    flight: Option<(Flight, AbortHandle)>,
    /// Whether the last refresh failed.
    failed: bool,
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
    /// None: the budget is spent. Whether the last one failed.
    Spent { failed: bool },
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
    pub(crate) async fn verify(self: &Arc<Self>, jws: &Jws<'_>) -> Result<Verified, VerifyError> {
        let mut seen = self.current();
        let mut refreshes_left = 2;
        loop {
            let error = match seen.as_ref().map(|known| known.verify(jws)) {
                Some(Ok(verified)) => return Ok(verified),
                Some(Err(KeyMismatch::Forged)) => return Err(VerifyError::BadSignature),
                Some(Err(KeyMismatch::NotNamed)) => VerifyError::BadSignature,
                Some(Err(KeyMismatch::NoKey)) => VerifyError::UnknownKey,
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
                Refresh::Spent { failed: true } => return Err(self.asked_too_often().into()),
                Refresh::Spent { failed: false } => return Err(error),
            };
            seen = self.current();
        }
    }

    /// Which keys are in use: it changes when they do. `None` when there are none to be believed.
    pub(crate) fn key_generation(self: &Arc<Self>) -> Option<u64> {
        self.current().map(|snapshot| snapshot.key_generation)
    }

    /// The metadata document, fetched if there is none yet.
    pub(crate) async fn metadata(self: &Arc<Self>) -> Result<Arc<Metadata>, Unavailable> {
        if self.current().is_none() {
            match self.refresh(None) {
                Refresh::Started(flight) | Refresh::Joined(flight) => flight.await?,
                Refresh::Landed => {}
                Refresh::Spent { .. } => return Err(self.asked_too_often()),
            }
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

    /// Joins the refresh under way, or starts one as the budget allows.
    fn refresh(self: &Arc<Self>, seen: Option<&Arc<Snapshot>>) -> Refresh {
        let mut control = self.lock();
        // A flight that is over but still here was cancelled or panicked.
        if let Some((flight, _)) = control.flight.as_ref().filter(|(_, task)| !task.is_finished()) {
            return Refresh::Joined(flight.clone());
        }
        let latest = self.snapshot.load_full().filter(|latest| !self.is_too_old(latest));
        if latest.is_some() && latest.as_ref().map(Arc::as_ptr) != seen.map(Arc::as_ptr) {
            return Refresh::Landed;
        }
        if !control.budget.take(self.context.clock.unix_seconds()) {
            return Refresh::Spent { failed: control.failed };
        }
        // Its own task: a client that hangs up must not abort what others wait for.
        let task = tokio::spawn(Arc::clone(self).fetch());
        let handle = task.abort_handle();
        let identifier = self.identifier.clone();
        let ended = move |error: JoinError| {
            let reason =
                if error.is_panic() { "the refresh panicked" } else { "the refresh was aborted" };
            Unavailable::new(&identifier, reason, RETRY_AFTER)
        };
        let flight = task.map(|joined| joined.map_err(ended).and_then(|outcome| outcome));
        let flight = flight.boxed().shared();
        // Until it succeeds, which it may never do.
        control.failed = true;
        control.flight = Some((flight.clone(), handle));
        Refresh::Started(flight)
    }

    async fn fetch(self: Arc<Self>) -> Outcome {
        // Several requests, each with its own timeout, must not add up.
        let limit = self.context.timeout * 2;
        let fetched = tokio::time::timeout(limit, self.fetch_snapshot()).await;
        let fetched =
            fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs_f32())));
        match fetched {
            Ok(snapshot) => {
                tracing::debug!(issuer = %self.identifier, keys = ?snapshot.keys, "keys refreshed");
                self.snapshot.store(Some(Arc::new(snapshot)));
                self.lock().failed = false;
                Ok(())
            }
            Err(reason) => {
                tracing::warn!(issuer = %self.identifier, reason, "keys could not be refreshed");
                Err(self.unavailable(&reason))
            }
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
        let key_generation = match &*self.snapshot.load() {
            Some(known) if known.keys.is_same_as(&keys) => known.key_generation,
            Some(known) => known.key_generation + 1,
            None => 0,
        };
        let fetched_at = self.context.clock.unix_seconds();
        Ok(Snapshot { metadata, keys, key_generation, fetched_at })
    }

    async fn discover(&self, candidates: &[String]) -> Result<Arc<Metadata>, String> {
        discover(&self.identifier, candidates, &self.context).await.map(Arc::new)
    }

    fn unavailable(&self, reason: &str) -> Unavailable {
        let wait = self.lock().budget.wait(self.context.clock.unix_seconds());
        Unavailable::new(&self.identifier, reason, wait.max(RETRY_AFTER))
    }

    fn asked_too_often(&self) -> Unavailable {
        self.unavailable("asked too often without an answer")
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
