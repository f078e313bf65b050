//! Configuration as plain data: the same fields in Rust, TOML, Python and JavaScript.

mod authorization_server;
mod introspection;
mod key_source;
mod protected_resource;
mod secret;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::authorization_server::ParsedServer;
pub use self::authorization_server::{AuthorizationServer, ServerType};
pub(crate) use self::introspection::ParsedIntrospection;
pub use self::introspection::{ClientAuthMethod, Introspection, IntrospectionMethod};
pub(crate) use self::protected_resource::ParsedResource;
pub use self::protected_resource::{ChallengeStyle, ProtectedResource};
pub use self::secret::Secret;
use crate::identifier::loosely;
use crate::issuer::TrustAnchors;
use crate::jose::TokenLimits;
use crate::json::JsonLimits;
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
/// - `token_cache_bytes`: 32 MiB
/// - `token_cache_max_age`: 5 minutes
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
    /// How long one request to an authorization server may take, half of it for the connection;
    /// all that are needed for its keys, twice as long. In data: seconds.
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
    /// The same for callers without a good token, who may call what is public. Strangers pay first: they get
    /// the refusal of any other call when their body is longer.
    pub max_anonymous_body_bytes: usize,
    /// How long the body of a request may take to come, where it must be read, or to be thrown away after a
    /// refusal; in data, seconds. After that the connection is closed.
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
}

impl Config {
    /// Protects one resource with one authorization server.
    ///
    /// `resource` is the URL clients connect to, such as `https://mcp.example.com/mcp`; `issuer`
    /// is the exact issuer identifier of the provider, slash at the end included if it has one.
    ///
    /// # Errors
    /// [`ConfigError`] lists everything that is wrong with the two.
    pub fn new(
        resource: impl Into<String>,
        issuer: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let config =
            Self::default().protect_resource(ProtectedResource::new(resource, [issuer.into()]));
        config.check()?;
        Ok(config)
    }

    /// Reads one resource from the environment: `MCP_AUTH_RESOURCE`, `MCP_AUTH_ISSUER` (several:
    /// comma-separated) and `MCP_AUTH_SCOPES` (required scopes, space-separated; may be unset).
    ///
    /// # Errors
    /// [`ConfigError`] lists every variable that is missing or wrong.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_env_with(|name| std::env::var(name).ok())
    }

    /// Reads what [`Config::from_env`] reads from variables that are kept elsewhere: `read` gives the value of one, or
    /// `None` when it is not set.
    ///
    /// # Errors
    /// [`ConfigError`] lists every variable that is missing or wrong.
    pub fn from_env_with(read: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::from_variables(
            &read("MCP_AUTH_RESOURCE").unwrap_or_default(),
            &read("MCP_AUTH_ISSUER").unwrap_or_default(),
            &read("MCP_AUTH_SCOPES").unwrap_or_default(),
        )
    }

    fn from_variables(resource: &str, issuers: &str, scopes: &str) -> Result<Self, ConfigError> {
        let missing = [("MCP_AUTH_RESOURCE", resource), ("MCP_AUTH_ISSUER", issuers)]
            .into_iter()
            .filter(|(_, value)| value.trim().is_empty());
        let faults: Vec<_> = missing.map(|(name, _)| format!("{name}: must be set")).collect();
        if !faults.is_empty() {
            return Err(ConfigError { faults });
        }
        let issuers = issuers.split(',').map(str::trim).filter(|issuer| !issuer.is_empty());
        let config = Self::default()
            .protect_resource(ProtectedResource::new(resource.trim(), issuers))
            .with_required_scopes(Scopes::parse(scopes).iter());
        config.check()?;
        Ok(config)
    }

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
        let scopes: Scopes = scopes.into_iter().collect();
        self.resources.iter_mut().for_each(|resource| resource.required_scopes = scopes.clone());
        self
    }

    /// Lets pages of these web origins call the resources added so far.
    #[must_use]
    pub fn with_allowed_origins<S: Into<String>>(
        mut self,
        origins: impl IntoIterator<Item = S>,
    ) -> Self {
        let origins: Vec<String> = origins.into_iter().map(Into::into).collect();
        self.resources.iter_mut().for_each(|resource| resource.allowed_origins = origins.clone());
        self
    }

    /// Checks everything, with the files it names, and lists every fault at once.
    ///
    /// # Errors
    /// [`ConfigError`] with at least one fault.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.parse().map(|_| ())
    }

    pub(crate) fn token_limits(&self) -> TokenLimits {
        let json = JsonLimits { depth: self.max_token_depth, members: self.max_token_claims };
        TokenLimits {
            token_bytes: self.max_token_bytes,
            header_bytes: self.max_token_header_bytes,
            json,
        }
    }

    /// What was checked, or every fault at once.
    pub(crate) fn parse(&self) -> Result<ParsedConfig<'_>, ConfigError> {
        self.parse_beside(Vec::new())
    }

    /// The same, with faults that were found elsewhere.
    pub(crate) fn parse_beside(
        &self,
        mut faults: Vec<String>,
    ) -> Result<ParsedConfig<'_>, ConfigError> {
        self.check_limits(&mut faults);
        let trust_anchors = TrustAnchors::read(&self.ca_files, &mut faults);
        let resources = self.parse_resources(&mut faults);
        self.check_issuers_agree(&mut faults);
        if faults.is_empty() {
            Ok(ParsedConfig { resources, trust_anchors })
        } else {
            Err(ConfigError { faults })
        }
    }

    fn parse_resources(&self, faults: &mut Vec<String>) -> Vec<ParsedResource<'_>> {
        let mut parsed: Vec<ParsedResource<'_>> = Vec::new();
        for (index, resource) in self.resources.iter().enumerate() {
            let place = format!("resources[{index}]");
            let Some(resource) = resource.parse(&place, faults) else { continue };
            // The path of a request says which resource is meant; its host is never read.
            let path = resource.identifier.path().trim_end_matches('/').to_owned();
            let paths =
                parsed.iter().map(|earlier| earlier.identifier.path().trim_end_matches('/'));
            for earlier in paths {
                if earlier == path {
                    faults.push(format!("{place}.resource: the path {path:?} is taken by another"));
                } else if loosely(earlier) == loosely(&path) {
                    faults.push(format!(
                        "{place}.resource: routers may take the path {path:?} for {earlier:?}, which is another resource's; they must differ in more than their spelling"
                    ));
                }
            }
            parsed.push(resource);
        }
        parsed
    }

    fn check_limits(&self, faults: &mut Vec<String>) {
        let tolerance = MAX_CLOCK_TOLERANCE.as_secs();
        let rows = [
            (
                self.clock_tolerance > MAX_CLOCK_TOLERANCE,
                format!("clock_tolerance: at most {tolerance} seconds are allowed"),
            ),
            (self.fetch_timeout.is_zero(), "fetch_timeout: must be above 0".to_owned()),
            (
                self.key_max_stale < self.key_max_age,
                "key_max_stale: must not be below key_max_age".to_owned(),
            ),
            (self.max_body_bytes == 0, "max_body_bytes: must be above 0".to_owned()),
            (
                self.max_anonymous_body_bytes == 0,
                "max_anonymous_body_bytes: must be above 0".to_owned(),
            ),
            (self.body_timeout.is_zero(), "body_timeout: must be above 0".to_owned()),
            (self.max_token_bytes == 0, "max_token_bytes: must be above 0".to_owned()),
            (self.max_token_claims == 0, "max_token_claims: must be above 0".to_owned()),
            (
                !(1..=JsonLimits::LARGEST.depth).contains(&self.max_token_depth),
                format!("max_token_depth: must be 1 to {}", JsonLimits::LARGEST.depth),
            ),
            (
                self.max_token_header_bytes == 0,
                "max_token_header_bytes: must be above 0".to_owned(),
            ),
            (self.resources.is_empty(), "resources: at least one is needed".to_owned()),
        ];
        faults.extend(rows.into_iter().filter_map(|(wrong, fault)| wrong.then_some(fault)));
    }

    /// Issuers are shared between resources, so their own settings must be the same everywhere.
    fn check_issuers_agree(&self, faults: &mut Vec<String>) {
        let all: Vec<_> =
            self.resources.iter().flat_map(|one| &one.authorization_servers).collect();
        for (index, server) in all.iter().enumerate() {
            let contradicts = |other: &&&AuthorizationServer| {
                other.issuer == server.issuer && !other.is_found_like(server)
            };
            if all[..index].iter().any(|other| contradicts(&other)) {
                let issuer = &server.issuer;
                faults.push(format!("authorization_servers: {issuer:?} is configured in two ways"));
            }
        }
    }
}

/// A configuration that was checked.
pub(crate) struct ParsedConfig<'a> {
    pub(crate) resources: Vec<ParsedResource<'a>>,
    pub(crate) trust_anchors: TrustAnchors,
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
            token_cache_bytes: 32 * 1024 * 1024,
            token_cache_max_age: Duration::from_secs(300),
        }
    }
}

/// Tokens that expired longer ago are refused whatever is configured.
const MAX_CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

/// Everything that is wrong with a configuration.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// One line per fault, each starting with the field it is about.
    pub faults: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n- {fault}"))
    }
}

/// The same text: it is what a `main` that returns the error prints.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// Durations as whole or fractional seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(value.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_strings_are_enough() {
        let config = Config::new("https://h.example/mcp", "https://as.example/").unwrap();
        assert_eq!(config.resources[0].authorization_servers[0].issuer, "https://as.example/");
    }

    #[test]
    fn every_fault_is_listed_at_once() {
        let error = Config::new("", "http://as.example").unwrap_err();
        assert_eq!(error.faults.len(), 2, "{error}");
        let config: Config = serde_json::from_value(json!({
            "clock_tolerance": 301,
            "resources": [
                { "resource": "h", "required_scopes": "a\\b", "allowed_origins": ["app.example"] },
                { "resource": "https://h.example", "authorization_servers": [
                    "https://as.example",
                    { "issuer": "https://as.example", "metadata_url": "https://as.example/m",
                      "metadata": { "issuer": "https://other.example" } },
                ] },
                { "resource": "https://h.example/c", "authorization_servers": [
                    { "issuer": "https://c.example", "metadata": { "issuer": "https://d.example" } },
                    { "issuer": "https://e.example", "metadata": { "issuer": "https://e.example" } },
                ] },
            ],
        }))
        .unwrap();
        let error = config.check().unwrap_err();
        let fields: Vec<_> =
            error.faults.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
        let second = "resources[1].authorization_servers[1]";
        let expected = [
            "clock_tolerance",
            "resources[0].resource",
            "resources[0].authorization_servers",
            "resources[0].required_scopes",
            "resources[0].allowed_origins",
            second,
            "resources[1].authorization_servers[1].metadata",
            second,
            "resources[2].authorization_servers[0].metadata",
            "resources[2].authorization_servers[1].metadata",
            "authorization_servers",
        ];
        assert_eq!(fields, expected, "{error}");
    }

    #[test]
    fn the_environment_is_read_whole() {
        let error = Config::from_variables("", " ", "a").unwrap_err();
        assert_eq!(
            error.faults,
            ["MCP_AUTH_RESOURCE: must be set", "MCP_AUTH_ISSUER: must be set"]
        );
        let issuers = "https://a.example, https://b.example/,";
        let config = Config::from_variables("https://h.example/mcp", issuers, "a b").unwrap();
        assert_eq!(config.resources[0].authorization_servers[1].issuer, "https://b.example/");
        assert_eq!(config.resources[0].required_scopes.to_string(), "a b");
    }

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
