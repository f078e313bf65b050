//! A configuration as a whole, checked.

use std::sync::Arc;
use std::time::Duration;

use super::handle_keys::read_handle_keys;
use super::parsed_connect::{ParsedConnect, parse_connect};
use super::parsed_downstream::{ParsedDownstream, parse_downstreams};
use super::parsed_limits::parse_limits;
use super::parsed_resource::ParsedResource;
use super::parsed_shared_store::ParsedSharedStore;
use super::trust_anchors::read_trust_anchors;
use crate::config::{
    AuthorizationServer, Config, ConfigError, ConfigFault, Faults, ProtectedResource,
};
use crate::downstream::GrantVault;
use crate::handles::KeyRing;
use crate::identifier::{ResourceIdentifier, loosely};
use crate::issuer::TrustAnchors;
use crate::json::JsonLimits;
use crate::limits::AddressRange;
use crate::shared_store::SharedStore;

/// The largest `clock_tolerance`. A larger one is a fault, so that no setting lets a token live for longer than five
/// minutes after its `exp`.
const MAX_CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

/// A configuration that was checked.
pub(super) struct ParsedConfig<'a> {
    pub(super) resources: Vec<ParsedResource<'a>>,
    pub(super) trust_anchors: TrustAnchors,
    /// `None`: none are configured.
    pub(super) handle_keys: Option<KeyRing>,
    pub(super) trusted_proxies: Vec<AddressRange>,
    pub(super) shared_store: Option<ParsedSharedStore>,
    pub(super) downstreams: Vec<ParsedDownstream<'a>>,
    /// `None`: nowhere.
    pub(super) connect: Option<ParsedConnect<'a>>,
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

    /// Checks everything, with the files it names, and lists every fault at once.
    ///
    /// # Errors
    /// [`ConfigError`] with at least one fault.
    pub fn check(&self) -> Result<(), ConfigError> {
        ParsedConfig::parse(self, None, None, Vec::new()).map(|_| ())
    }
}

impl<'a> ParsedConfig<'a> {
    /// The configuration, checked; or every fault at once, those that were found elsewhere first.
    pub(super) fn parse(
        config: &'a Config,
        given_store: Option<&Arc<dyn SharedStore>>,
        given_vault: Option<&Arc<dyn GrantVault>>,
        found_elsewhere: Vec<ConfigFault>,
    ) -> Result<Self, ConfigError> {
        let mut found = found_elsewhere;
        let mut faults = Faults::of_all(&mut found);
        check_limits(config, &mut faults);
        let trust_anchors = read_trust_anchors(&config.ca_files, &mut faults);
        let handle_keys = read_handle_keys(config, &mut faults);
        let shared_store = ParsedSharedStore::parse(config, given_store, &mut faults);
        let trusted_proxies = parse_limits(&config.limits, &mut faults.below("limits"));
        let resources = parse_resources(config, &mut faults);
        check_issuers_agree(config, &mut faults);
        check_notice_paths(config, &mut faults);
        let downstreams = parse_downstreams(config, &mut faults);
        let connect = parse_connect(config, given_vault, &mut faults);
        if !found.is_empty() {
            return Err(ConfigError::new(found));
        }
        Ok(Self {
            resources,
            trust_anchors,
            handle_keys,
            trusted_proxies,
            shared_store,
            downstreams,
            connect,
        })
    }
}

fn check_limits(config: &Config, faults: &mut Faults<'_>) {
    const ABOVE_0: &str = "must be above 0";
    if config.clock_tolerance > MAX_CLOCK_TOLERANCE {
        let most = MAX_CLOCK_TOLERANCE.as_secs();
        faults.add("clock_tolerance", format!("at most {most} seconds are allowed"));
    }
    if config.fetch_timeout.is_zero() {
        faults.add("fetch_timeout", ABOVE_0);
    }
    if config.key_max_stale < config.key_max_age {
        faults.add("key_max_stale", "must not be below key_max_age");
    }
    let must_be_above_0 = [
        ("max_body_bytes", config.max_body_bytes == 0),
        ("max_anonymous_body_bytes", config.max_anonymous_body_bytes == 0),
        ("body_timeout", config.body_timeout.is_zero()),
        ("max_token_bytes", config.max_token_bytes == 0),
        ("max_token_claims", config.max_token_claims == 0),
    ];
    for (field, is_zero) in must_be_above_0 {
        if is_zero {
            faults.add(field, ABOVE_0);
        }
    }
    if config.request_state_max_age.as_secs() == 0 {
        faults.add("request_state_max_age", "must be 1 second or more");
    }
    let deepest = JsonLimits::LARGEST.depth;
    if !(1..=deepest).contains(&config.max_token_depth) {
        faults.add("max_token_depth", format!("must be 1 to {deepest}"));
    }
    if config.max_token_header_bytes == 0 {
        faults.add("max_token_header_bytes", ABOVE_0);
    }
    if config.resources.is_empty() {
        faults.add("resources", "at least one is needed");
    }
}

fn parse_resources<'a>(config: &'a Config, faults: &mut Faults<'_>) -> Vec<ParsedResource<'a>> {
    let mut parsed: Vec<ParsedResource<'a>> = Vec::new();
    for (index, resource_config) in config.resources.iter().enumerate() {
        let mut resource_faults = faults.below_item("resources", index);
        if let Some(resource) = ParsedResource::parse(resource_config, &mut resource_faults) {
            check_path_is_free(&resource, &parsed, &mut resource_faults);
            parsed.push(resource);
        }
    }
    parsed
}

/// The path of a request says which resource is meant, and its host is never read: so no two resources may have paths
/// that are one to some router.
fn check_path_is_free(
    resource: &ParsedResource<'_>,
    earlier_resources: &[ParsedResource<'_>],
    faults: &mut Faults<'_>,
) {
    let path = resource.identifier.path().trim_end_matches('/');
    for earlier in earlier_resources {
        let earlier_path = earlier.identifier.path().trim_end_matches('/');
        if earlier_path == path {
            faults.add("resource", format!("the path {path:?} is taken by another"));
        } else if loosely(earlier_path) == loosely(path) {
            let reason = format!(
                "routers may take the path {path:?} for {earlier_path:?}, which is another resource's; they must differ in more than their spelling"
            );
            faults.add("resource", reason);
        }
    }
}

/// Where notices are received is nothing else, for any router.
fn check_notice_paths(config: &Config, faults: &mut Faults<'_>) {
    let paths = [
        ("logout_path", &config.logout_path),
        ("shared_signals_path", &config.shared_signals_path),
    ];
    for (field, path) in paths {
        if !is_plain_path(path) {
            let reason = format!(
                "{path:?} is no path such as \"/backchannel-logout\", of letters, digits and - . _ ~"
            );
            faults.add(field, reason);
        } else if path.starts_with("/.well-known/") {
            faults.add(field, "/.well-known/ is for metadata");
        }
        let mut servers = config.resources.iter().flat_map(|one| &one.authorization_servers);
        let is_used =
            servers.any(|one| one.back_channel_logout.is_some() || one.shared_signals.is_some());
        if is_used && config.resources.iter().any(|resource| is_at(resource, path)) {
            faults.add(field, format!("the path {path:?} is taken by a resource"));
        }
    }
    if config.logout_path == config.shared_signals_path {
        faults.add("shared_signals_path", "must differ from `logout_path`");
    }
}

/// Whether every router reads the path in the same way.
pub(super) fn is_plain_path(path: &str) -> bool {
    let Some(below_root) = path.strip_prefix('/') else { return false };
    below_root.split('/').all(|segment| {
        let is_plain =
            segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        is_plain && !matches!(segment, "" | "." | "..")
    })
}

/// Whether some router takes the path for that of the resource.
pub(super) fn is_at(resource: &ProtectedResource, path: &str) -> bool {
    let identifier = ResourceIdentifier::parse(&*resource.resource);
    identifier.is_ok_and(|parsed| loosely(parsed.path()) == loosely(path))
}

/// Issuers are shared between resources, so their own settings must be the same everywhere.
fn check_issuers_agree(config: &Config, faults: &mut Faults<'_>) {
    let mut earlier: Vec<&AuthorizationServer> = Vec::new();
    for server in config.resources.iter().flat_map(|one| &one.authorization_servers) {
        let is_contradicted = earlier
            .iter()
            .any(|other| other.issuer == server.issuer && !other.is_found_like(server));
        if is_contradicted {
            let issuer = &server.issuer;
            faults.add("authorization_servers", format!("{issuer:?} is configured in two ways"));
        }
        earlier.push(server);
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
        let fields: Vec<_> = error.faults().iter().map(|fault| &*fault.path).collect();
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
}
