//! What is known of an issuer at one time: its metadata and its keys.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::discovery::{discover, fetch_metadata};
use super::fetch::{DocumentKind, FetchFault, fetch_json};
use super::key_set::KeyMismatch;
use super::{Destination, HttpClient, KeySet, Metadata, MetadataPatch, UrlRules, Verified};
use crate::clock::Clock;
use crate::config::ServerType;
use crate::identifier::IssuerIdentifier;
use crate::jose::Jws;
use crate::spawner::Spawner;

/// Keys are not fetched more often than this, whatever `Cache-Control` says.
const MIN_FRESH: Duration = Duration::from_secs(60);

/// Where an issuer's keys come from.
pub(crate) enum KeySource {
    /// Metadata at the well-known URLs of the issuer.
    Discover(ServerType),
    /// Metadata at a URL given by hand.
    MetadataUrl(String),
    /// Metadata given by hand.
    Metadata(Arc<Metadata>),
    /// Keys given by hand, and with them metadata or none.
    Keys(Arc<KeySet>, Option<Arc<Metadata>>),
}

/// What fetching needs.
#[derive(Clone)]
pub(crate) struct FetchContext {
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) spawner: Spawner,
    /// For as many signatures that take long as may be checked there at once, too; `None`: for none.
    pub(crate) slow_checks: Option<Arc<Semaphore>>,
    pub(crate) patch: Option<MetadataPatch>,
    /// Which URLs a fetched document may name.
    pub(crate) url_rules: Arc<UrlRules>,
    /// Whether metadata without `jwks_uri` is of no use: not where all tokens may be opaque.
    pub(crate) needs_keys: bool,
    /// How long one request may take; four fifths of it are for all metadata documents together, and as much for the keys.
    pub(crate) timeout: Duration,
    /// After this long at the latest, the next request refreshes in the background.
    pub(crate) max_age: Duration,
    /// The last good keys are used for at most this long.
    pub(crate) max_stale: Duration,
}

/// Metadata and keys that belong together.
pub(super) struct Snapshot {
    /// Absent when the keys are given by hand and metadata is not.
    pub(super) metadata: Option<Arc<Metadata>>,
    pub(super) keys: Arc<KeySet>,
    /// Counts the changes of the keys; known when it is published.
    pub(super) key_generation: u64,
    /// When, in seconds since 1970.
    pub(super) fetched_at: u64,
    /// After this long a refresh is due.
    pub(super) fresh_for: Duration,
}

impl Snapshot {
    /// Asks for metadata, first where it was `found_before`, and for the keys it names; keys given by hand need no
    /// network.
    pub(super) async fn fetch(
        issuer: &IssuerIdentifier,
        source: &KeySource,
        found_before: Option<&str>,
        context: &FetchContext,
    ) -> Result<Self, FetchFault> {
        let metadata = match source {
            KeySource::Discover(server_type) => {
                Arc::new(discover(issuer, *server_type, found_before, context).await?)
            }
            KeySource::MetadataUrl(url) => {
                let place = Destination::configured(url.clone());
                let fetched = fetch_metadata(issuer, &place, context).await;
                Arc::new(fetched.map_err(|fault| fault.at(url))?)
            }
            KeySource::Metadata(metadata) => metadata.clone(),
            KeySource::Keys(keys, metadata) => {
                return Ok(Self::new(metadata.clone(), keys.clone(), None, context));
            }
        };
        if !metadata.has_keys() && !context.needs_keys {
            return Ok(Self::new(Some(metadata), Arc::new(KeySet::none()), None, context));
        }
        let jwks_uri = metadata.jwks_uri()?;
        let jwks = fetch_json(DocumentKind::Keys, jwks_uri, context).await;
        let jwks = jwks.map_err(|fault| fault.at(&jwks_uri.url))?;
        let keys = KeySet::read(&jwks.document, issuer.as_str())
            .map_err(|fault| FetchFault::from(fault).at(&jwks_uri.url))?;
        Ok(Self::new(Some(metadata), Arc::new(keys), jwks.fresh_for, context))
    }

    /// Whether no refresh is due.
    pub(super) fn is_fresh(&self, now: u64) -> bool {
        self.age(now) <= self.fresh_for
    }

    /// How far now is from when it was fetched. A clock that was set back does not make keys young again.
    pub(super) fn age(&self, now: u64) -> Duration {
        Duration::from_secs(now.abs_diff(self.fetched_at))
    }

    /// Verifies a signature with these keys.
    pub(super) fn verify<'j, T>(
        &self,
        jws: &'j Jws<'j, T>,
        now: u64,
    ) -> Result<Verified<'j, T>, KeyMismatch> {
        let jws = self.keys.verify(jws)?;
        Ok(Verified { jws, key_generation: self.key_generation, now })
    }

    fn new(
        metadata: Option<Arc<Metadata>>,
        keys: Arc<KeySet>,
        announced: Option<Duration>,
        context: &FetchContext,
    ) -> Self {
        let fresh_for = announced.unwrap_or(context.max_age).max(MIN_FRESH).min(context.max_age);
        let fetched_at = context.clock.unix_seconds();
        Self { metadata, keys, key_generation: 0, fetched_at, fresh_for }
    }
}
