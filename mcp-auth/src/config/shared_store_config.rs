//! What several instances of a server share, as plain data.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Secret, seconds};

/// A store that all instances of a server share: what is revoked on one is refused on all.
///
/// # Defaults
/// - `max_stale`: 5 minutes
/// - `timeout`: half a second
/// - `longest_token_lifetime`: 30 days
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SharedStoreConfig {
    /// Redis is the store; without it, one must be given to the builder.
    pub redis: Option<RedisConfig>,
    /// For this long at most, what is known of revocations counts while the store is away. Afterwards tokens are refused
    /// with 503, and open streams end. In data: seconds.
    #[serde(with = "seconds")]
    pub max_stale: Duration,
    /// How long a question to the store may take, half of it for connecting: no request waits longer. In data: seconds.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// How long an access token lives at most: revocations are kept so long. In data: seconds.
    #[serde(with = "seconds")]
    pub longest_token_lifetime: Duration,
}

impl Default for SharedStoreConfig {
    fn default() -> Self {
        Self {
            redis: None,
            max_stale: Duration::from_secs(300),
            timeout: Duration::from_millis(500),
            longest_token_lifetime: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

impl SharedStoreConfig {
    /// A Redis.
    pub fn redis(redis: RedisConfig) -> Self {
        Self { redis: Some(redis), ..Self::default() }
    }
}

/// A Redis (6.2 or newer), or a Valkey.
///
/// # Defaults
/// - `prefix`: `mcp-auth`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RedisConfig {
    /// `redis://`, `rediss://` (TLS) or `unix://`, with user, password and number of the database where there are some. It
    /// is read, and never written.
    #[serde(skip_serializing)]
    pub url: Option<Secret>,
    /// A file that holds that URL, in place of it; white space around it is cut. Read when the configuration is
    /// checked, and again at each reload: another address or password counts from then on.
    pub url_file: Option<PathBuf>,
    /// How all keys in Redis begin. Instances with the same one share what they know.
    pub prefix: String,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self { url: None, url_file: None, prefix: "mcp-auth".to_owned() }
    }
}

impl RedisConfig {
    /// The Redis at this URL.
    pub fn new(url: impl Into<Secret>) -> Self {
        Self { url: Some(url.into()), ..Self::default() }
    }
}
