//! The store that several instances share, checked.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Faults, RedisConfig, SharedStoreConfig};
use crate::jose::Digest;
use crate::revocation::FeedLimits;
use crate::shared_store::SharedStore;
#[cfg(feature = "redis")]
use crate::{
    config::Secret,
    jose::sha256,
    shared_store::{RedisSettings, RedisStore},
    text::without_byte_order_mark,
};

/// A shared store that was checked.
pub(super) struct ParsedSharedStore {
    pub(super) store: Arc<dyn SharedStore>,
    pub(super) limits: FeedLimits,
    /// Of what the files say that name it; `None` for a store that code has given.
    pub(super) reached_by: Option<Digest>,
}

impl ParsedSharedStore {
    /// The configured store, or the given one; `None` where there is none, or a fault was found.
    pub(super) fn parse(
        config: &Config,
        given: Option<&Arc<dyn SharedStore>>,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let default = SharedStoreConfig::default();
        if config.shared_store.is_none() && given.is_none() {
            return None;
        }
        let settings = config.shared_store.as_ref().unwrap_or(&default);
        let mut store_faults = faults.below("shared_store");
        check_durations(settings, &mut store_faults);
        let limits = FeedLimits { max_stale: settings.max_stale, timeout: settings.timeout };
        let mut reached_by = None;
        let store = match (&settings.redis, given) {
            (Some(_), Some(_)) => {
                store_faults.add("redis", "contradicts the store that was given to the builder");
                None
            }
            (Some(redis), None) => {
                let mut redis_faults = store_faults.below("redis");
                redis_store(redis, config, settings, &mut redis_faults).map(|(made, digest)| {
                    reached_by = Some(digest);
                    made
                })
            }
            (None, Some(given)) => Some(given.clone()),
            (None, None) => {
                store_faults.add("redis", "must be set, unless a store is given to the builder");
                None
            }
        };
        Some(Self { store: store?, limits, reached_by })
    }
}

fn check_durations(settings: &SharedStoreConfig, faults: &mut Faults<'_>) {
    const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
    const SHORTEST_STALE: Duration = Duration::from_secs(5);
    if settings.timeout.is_zero() || settings.timeout > LONGEST_TIMEOUT {
        let most = LONGEST_TIMEOUT.as_secs();
        faults.add("timeout", format!("must be above 0, and {most} seconds at most"));
    }
    if settings.max_stale < SHORTEST_STALE {
        let fewest = SHORTEST_STALE.as_secs();
        faults.add("max_stale", format!("must be {fewest} seconds or more"));
    }
    if settings.longest_token_lifetime.as_secs() == 0 {
        faults.add("longest_token_lifetime", "must be a second or more");
    }
}

#[cfg(not(feature = "redis"))]
fn redis_store(
    _: &RedisConfig,
    _: &Config,
    _: &SharedStoreConfig,
    faults: &mut Faults<'_>,
) -> Option<(Arc<dyn SharedStore>, Digest)> {
    faults.add_here("this program was built without the feature `redis` of `mcp-auth`");
    None
}

#[cfg(feature = "redis")]
fn redis_store(
    redis: &RedisConfig,
    config: &Config,
    settings: &SharedStoreConfig,
    faults: &mut Faults<'_>,
) -> Option<(Arc<dyn SharedStore>, Digest)> {
    let faults_before = faults.count();
    if redis.prefix.is_empty() || redis.prefix.contains(['{', '}']) {
        faults.add("prefix", "must be set, without braces");
    }
    let url = read_url(redis, faults)?;
    let schemes = ["redis:", "rediss:", "unix:", "redis+unix:"];
    let is_known = schemes.iter().any(|scheme| url.expose().starts_with(scheme));
    // Of the last part of such a URL: certificates would not be looked at.
    if url.expose().contains("#insecure") {
        faults.add("url", "`#insecure` is refused: anybody could be Redis then");
    }
    let trusted_pem = trusted_pem(config);
    let (pem, address) = (trusted_pem.as_deref().unwrap_or_default(), url.expose().as_bytes());
    let reached_by = sha256(&[address, b"\n", pem].concat());
    let made = RedisStore::new(RedisSettings {
        url: url.expose().to_owned(),
        trusted_pem,
        prefix: redis.prefix.clone(),
        longest_answer: settings.timeout / 2,
        keep: settings.longest_token_lifetime,
    });
    if !is_known || made.is_none() {
        // Not shown: it may hold a password.
        faults.add("url", "is not like redis://host:6379, rediss://host:6380 or unix:///path");
    }
    if faults.count() > faults_before {
        return None;
    }
    Some((Arc::new(made?), reached_by))
}

#[cfg(feature = "redis")]
pub(super) fn read_url(redis: &RedisConfig, faults: &mut Faults<'_>) -> Option<Secret> {
    match (&redis.url, &redis.url_file) {
        (Some(_), Some(_)) => faults.add_here("`url` and `url_file` contradict each other"),
        (Some(url), None) => return Some(url.clone()),
        (None, None) => faults.add("url", "must be set, or `url_file`"),
        (None, Some(file)) => match std::fs::read(file) {
            Ok(bytes) => {
                let text = String::from_utf8(without_byte_order_mark(&bytes).to_vec());
                match text {
                    Ok(url) => return Some(Secret::new(url.trim())),
                    Err(_) => faults.add("url_file", format!("{file:?} is not text")),
                }
            }
            Err(error) => faults.add("url_file", format!("{file:?} cannot be read: {error}")),
        },
    }
    None
}

/// The certificate authorities of the configuration. Whether they can be read is said where all others read them.
#[cfg(feature = "redis")]
pub(super) fn trusted_pem(config: &Config) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for file in &config.ca_files {
        all.extend(std::fs::read(file).ok()?);
        all.push(b'\n');
    }
    (!all.is_empty()).then_some(all)
}
