//! The configuration as a whole.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ConnectConfig, DownstreamConfig, Limits, ProtectedResource, Secret, SharedStoreConfig, seconds,
};
use crate::scope::Scopes;

/// What a server protects and whom it trusts.
///
/// Two strings are enough; every other field has a safe default. It is checked as a whole when a
/// [`McpAuth`](crate::McpAuth) is made of it.
///
/// # Defaults
/// - `ca_files`: none
/// - `clock_tolerance`: 60 s
/// - `fetch_timeout`: 5 s
/// - `key_max_age`: 10 minutes
/// - `key_max_stale`: 24 hours
/// - `max_body_bytes`: 4 MiB
/// - `max_anonymous_body_bytes`: 64 KiB
/// - `body_timeout`: 30 seconds
/// - `max_token_bytes`: 16 KiB
/// - `max_token_claims`: 256
/// - `max_token_depth`: 16
/// - `max_token_header_bytes`: 4 KiB
/// - `token_cache_bytes`: 24 MiB
/// - `token_cache_max_age`: 5 minutes
/// - `handle_keys`: a new one at each start
/// - `shared_store`: none; what is revoked is known to this instance alone
/// - `request_state_max_age`: 1 hour
/// - `logout_path`: `/backchannel-logout`
/// - `shared_signals_path`: `/shared-signals`
/// - `limits`: none
/// - `downstreams`: none
/// - `connect`: none
/// - `downstream_cache_entries`: 100,000
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The resources this server protects; at least one.
    pub resources: Vec<ProtectedResource>,
    /// PEM files with certificate authorities that the built-in client trusts besides those of the
    /// operating system. They are read once, when the configuration is checked.
    pub ca_files: Vec<PathBuf>,
    /// How far clocks may be apart when `exp`, `nbf` and `iat` are checked; at most 300 s.
    /// In data: seconds.
    #[serde(with = "seconds")]
    pub clock_tolerance: Duration,
    /// How long one request to an authorization server may take, half of it for the connection. The requests for its
    /// metadata and keys together may take twice as long. In data: seconds.
    #[serde(with = "seconds")]
    pub fetch_timeout: Duration,
    /// After this long, or after `max-age` of the keys' `Cache-Control` if that is shorter (60 s
    /// at least), keys are refreshed in the background. In data: seconds.
    #[serde(with = "seconds")]
    pub key_max_age: Duration,
    /// For this long at most, known keys are used while their issuer is unreachable.
    /// In data: seconds.
    #[serde(with = "seconds")]
    pub key_max_stale: Duration,
    /// Longer bodies are refused, where a policy must read them; elsewhere the server decides.
    pub max_body_bytes: usize,
    /// Longer bodies of callers without a good token are refused, where a policy must read them to see whether what is
    /// called is public. The answer is the one that any other call without a good token gets.
    pub max_anonymous_body_bytes: usize,
    /// How long the body of a request may take to arrive: where a policy must read it, and where it is thrown away after
    /// a refusal. After that the connection is closed. In data: seconds.
    #[serde(with = "seconds")]
    pub body_timeout: Duration,
    /// Longer tokens are refused unread.
    pub max_token_bytes: usize,
    /// Tokens with more claims, or with more members in another object, are refused.
    pub max_token_claims: usize,
    /// Tokens whose header or claims have more objects and arrays inside each other are refused;
    /// the outermost counts. At most 127.
    pub max_token_depth: usize,
    /// Tokens with a longer header, as it is sent, are refused unread.
    pub max_token_header_bytes: usize,
    /// Memory for tokens that were accepted before, in bytes; 0 verifies every token anew.
    pub token_cache_bytes: usize,
    /// For this long at most, an accepted token is not verified again; never past its `exp`, and
    /// never past a change of its issuer's keys. In data: seconds.
    #[serde(with = "seconds")]
    pub token_cache_max_age: Duration,
    /// Secrets that seal what outlives a request, such as session identifiers: the first seals, all open, so that a new
    /// one is put before the old one and the old one taken away later. Each of 32 characters or more; 8 at most. The
    /// same for all instances of a server. None: a new one at each start, known to this instance alone. They are read,
    /// and never written.
    #[serde(skip_serializing)]
    pub handle_keys: Vec<Secret>,
    /// A file that holds such keys, one in each line. Read once, when the configuration is checked.
    pub handle_keys_file: Option<PathBuf>,
    /// What all instances of a server share.
    pub shared_store: Option<SharedStoreConfig>,
    /// For this long, a `requestState` that was sealed may come back (`seal_request_state` of a resource). In data:
    /// seconds.
    #[serde(with = "seconds")]
    pub request_state_max_age: Duration,
    /// The path where authorization servers with `back_channel_logout` send their logout tokens: one for all of them, at the
    /// origin of this server.
    pub logout_path: String,
    /// The path where authorization servers with `shared_signals` push their security events: one for all of them, at
    /// the origin of this server.
    pub shared_signals_path: String,
    /// After how many refusals a sender is answered 429.
    pub limits: Limits,
    /// The APIs that tools call for their callers, by the name that [`McpAuth::downstream`](crate::McpAuth::downstream) is
    /// given.
    pub downstreams: BTreeMap<String, DownstreamConfig>,
    /// Where users connect their accounts, for APIs with the grant `authorization_code`.
    pub connect: Option<ConnectConfig>,
    /// How many tokens for each of these APIs are kept; with more, the oldest go.
    pub downstream_cache_entries: usize,
}

impl Config {
    /// Adds a resource with its own issuers, audiences and scopes.
    #[must_use]
    pub fn protect_resource(mut self, resource: ProtectedResource) -> Self {
        self.resources.push(resource);
        self
    }

    /// Requires these scopes for every request to the resources added so far.
    #[must_use]
    pub fn with_required_scopes<S: AsRef<str>>(
        mut self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        let required_scopes: Scopes = scopes.into_iter().collect();
        for resource in &mut self.resources {
            resource.required_scopes = required_scopes.clone();
        }
        self
    }

    /// Lets pages of these web origins call the resources added so far.
    #[must_use]
    pub fn with_allowed_origins<S: Into<String>>(
        mut self,
        origins: impl IntoIterator<Item = S>,
    ) -> Self {
        let allowed_origins: Vec<String> = origins.into_iter().map(Into::into).collect();
        for resource in &mut self.resources {
            resource.allowed_origins = allowed_origins.clone();
        }
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            resources: Vec::new(),
            ca_files: Vec::new(),
            clock_tolerance: Duration::from_secs(60),
            fetch_timeout: Duration::from_secs(5),
            key_max_age: Duration::from_secs(600),
            key_max_stale: Duration::from_secs(24 * 3600),
            max_body_bytes: 4 * 1024 * 1024,
            max_anonymous_body_bytes: 64 * 1024,
            body_timeout: Duration::from_secs(30),
            max_token_bytes: 16 * 1024,
            max_token_claims: 256,
            max_token_depth: 16,
            max_token_header_bytes: 4 * 1024,
            token_cache_bytes: 24 * 1024 * 1024,
            token_cache_max_age: Duration::from_secs(300),
            handle_keys: Vec::new(),
            handle_keys_file: None,
            shared_store: None,
            request_state_max_age: Duration::from_secs(3600),
            logout_path: "/backchannel-logout".to_owned(),
            shared_signals_path: "/shared-signals".to_owned(),
            limits: Limits::default(),
            downstreams: BTreeMap::new(),
            connect: None,
            downstream_cache_entries: 100_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_are_refused() {
        let typo = json!({ "resources": [{ "required_scope": "a" }] });
        assert!(serde_json::from_value::<Config>(typo).is_err());
        let typo = json!({ "resources": [{ "authorization_servers": [{ "isuer": "a" }] }] });
        let error = serde_json::from_value::<Config>(typo).unwrap_err().to_string();
        assert!(error.contains("unknown field `isuer`"), "{error}");
    }

    #[test]
    fn data_and_back() {
        let config = Config::new("https://h.example/mcp", "https://as.example").unwrap();
        let data = serde_json::to_value(&config).unwrap();
        assert_eq!(serde_json::from_value::<Config>(data).unwrap(), config);
    }
}
