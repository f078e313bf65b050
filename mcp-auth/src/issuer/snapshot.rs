//! The keys of an issuer at one time, and where they come from.

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
#[derive(Clone)]
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

impl KeySource {
    /// Whether both are the same place, or the same documents given by hand.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Discover(server_type), Self::Discover(other_type)) => server_type == other_type,
            (Self::MetadataUrl(url), Self::MetadataUrl(other_url)) => url == other_url,
            (Self::Metadata(given), Self::Metadata(other_given)) => {
                given.content == other_given.content
            }
            (Self::Keys(keys, given), Self::Keys(other_keys, other_given)) => {
                let content = given.as_ref().map(|metadata| &metadata.content);
                let other_content = other_given.as_ref().map(|metadata| &metadata.content);
                keys.is_same_as(other_keys) && content == other_content
            }
            _ => false,
        }
    }
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

impl FetchContext {
    /// Whether both believe the same documents, however long they wait for them and keep them.
    pub(super) fn trusts_like(&self, other: &Self) -> bool {
        self.needs_keys == other.needs_keys && self.url_rules == other.url_rules
    }

    /// Whether both wait and keep as long, on the same connections.
    pub(super) fn is_as_patient_as(&self, other: &Self) -> bool {
        self.timeout == other.timeout
            && self.max_age == other.max_age
            && self.max_stale == other.max_stale
            && Arc::ptr_eq(&self.http, &other.http)
    }
}

/// The keys of an issuer.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub(super) keys: Arc<KeySet>,
    /// Counts the changes of the keys; known when it is published.
    pub(super) key_generation: u64,
    /// When, in seconds since 1970.
    pub(super) fetched_at: u64,
    /// After this long a refresh is due.
    pub(super) fresh_for: Duration,
}

impl KeySource {
    /// Asks for the metadata, first where it was `found_before`, unless it is given by hand; `None` when keys are and
    /// it is not.
    pub(super) async fn metadata(
        &self,
        issuer: &IssuerIdentifier,
        found_before: Option<&str>,
        context: &FetchContext,
    ) -> Result<Option<Arc<Metadata>>, FetchFault> {
        let fetched = match self {
            Self::Discover(server_type) => {
                discover(issuer, *server_type, found_before, context).await?
            }
            Self::MetadataUrl(url) => {
                let place = Destination::configured(url.clone());
                let metadata = fetch_metadata(issuer, &place, context).await;
                metadata.map_err(|fault| fault.at(url))?
            }
            Self::Metadata(metadata) => return Ok(Some(metadata.clone())),
            Self::Keys(_, metadata) => return Ok(metadata.clone()),
        };
        Ok(Some(Arc::new(fetched)))
    }
}

impl Snapshot {
    /// Asks for the keys that the metadata names; keys given by hand need no network.
    pub(super) async fn fetch(
        metadata: Option<&Metadata>,
        issuer: &IssuerIdentifier,
        source: &KeySource,
        context: &FetchContext,
    ) -> Result<Self, FetchFault> {
        if let KeySource::Keys(keys, _) = source {
            return Ok(Self::new(keys.clone(), None, context));
        }
        let metadata = metadata.ok_or_else(|| "there is no metadata".to_owned())?;
        if !metadata.has_keys() && !context.needs_keys {
            return Ok(Self::new(Arc::new(KeySet::none()), None, context));
        }
        let jwks_uri = metadata.jwks_uri()?;
        let jwks = fetch_json(DocumentKind::Keys, jwks_uri, context).await;
        let jwks = jwks.map_err(|fault| fault.at(&jwks_uri.url))?;
        let keys = KeySet::read(&jwks.document, issuer.as_str())
            .map_err(|fault| FetchFault::from(fault).at(&jwks_uri.url))?;
        Ok(Self::new(Arc::new(keys), jwks.fresh_for, context))
    }

    /// The same keys, for which a refresh is due after this time at the latest.
    pub(super) fn fresh_for_at_most(&self, max_age: Duration) -> Arc<Self> {
        Arc::new(Self { fresh_for: self.fresh_for.min(max_age), ..self.clone() })
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

    fn new(keys: Arc<KeySet>, announced: Option<Duration>, context: &FetchContext) -> Self {
        let fresh_for = announced.unwrap_or(context.max_age).max(MIN_FRESH).min(context.max_age);
        let fetched_at = context.clock.unix_seconds();
        Self { keys, key_generation: 0, fetched_at, fresh_for }
    }
}
