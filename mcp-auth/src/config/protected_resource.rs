//! One protected resource as plain data.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::authorization_server::{AuthorizationServer, ParsedServer};
use super::policy::ScopePolicy;
use crate::authorize::Authorizer;
use crate::identifier::ResourceIdentifier;
use crate::scope::Scopes;

/// One protected resource: an MCP endpoint.
///
/// # Defaults
/// Every list is empty and every option absent, which means what each field says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProtectedResource {
    /// Its identifier: the URL that clients connect to. Required.
    pub resource: String,
    /// The issuers whose tokens are accepted; at least one. Each an issuer, or a table.
    #[serde(deserialize_with = "issuers_or_tables")]
    pub authorization_servers: Vec<AuthorizationServer>,
    /// Accepted `aud` values besides the resource identifier, compared exactly. Empty is best.
    pub audiences: Vec<String>,
    /// Scopes that every request needs. Empty: a valid token is enough.
    pub required_scopes: Scopes,
    /// Who may call what, beyond the required scopes. None: whoever has those may do everything.
    pub policy: Option<ScopePolicy>,
    /// In which form a refused tool call asks for more scopes.
    pub challenge_style: ChallengeStyle,
    /// `scopes_supported` of the metadata. Empty: the required scopes.
    pub scopes_supported: Scopes,
    /// Advertise and challenge `offline_access` where it is configured, against the
    /// specification's advice, for clients that ask for a refresh token only then.
    pub dangerous_advertise_offline_access: bool,
    /// Accepts access tokens whatever their `aud`, or without one, against the MCP specification: for
    /// moving from packages that skip the check. ID tokens are refused all the same. Warns at start-up.
    pub dangerous_accept_any_audience: bool,
    /// `resource_name` of the metadata: a name for people.
    pub resource_name: Option<String>,
    /// `resource_documentation` of the metadata: a URL for developers.
    pub resource_documentation: Option<String>,
    /// Web origins whose pages may call, such as `https://app.example.com`, or `*` for all.
    /// The resource's own origin always may. Requests from any other origin get a 403.
    pub allowed_origins: Vec<String>,
    /// Host names that requests may be addressed to, besides the resource's own and loopback.
    pub allowed_hosts: Vec<String>,
}

impl ProtectedResource {
    /// A resource and the issuers whose tokens it accepts.
    ///
    /// An issuer is its identifier, or an [`AuthorizationServer`] with settings of its own.
    pub fn new<S: Into<AuthorizationServer>>(
        resource: impl Into<String>,
        issuers: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            resource: resource.into(),
            authorization_servers: issuers.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// The identifiers in it; `None` when a fault was found.
    pub(super) fn parse(
        &self,
        place: &str,
        faults: &mut Vec<String>,
    ) -> Option<ParsedResource<'_>> {
        let faults_before = faults.len();
        let identifier = ResourceIdentifier::parse(&*self.resource)
            .map_err(|fault| faults.push(format!("{place}.resource: {:?} {fault}", self.resource)))
            .ok();
        if identifier.as_ref().is_some_and(|one| one.path().starts_with("/.well-known/")) {
            faults.push(format!("{place}.resource: /.well-known/ is for metadata"));
        }
        if self.authorization_servers.is_empty() {
            faults.push(format!("{place}.authorization_servers: at least one is needed"));
        }
        let mut servers = Vec::new();
        for (index, server) in self.authorization_servers.iter().enumerate() {
            let place = format!("{place}.authorization_servers[{index}]");
            servers.extend(server.parse(&place, faults));
            let others =
                self.authorization_servers.iter().enumerate().filter(|(at, _)| *at != index);
            let taken = |issuer: &&String| {
                **issuer == server.issuer
                    || others.clone().any(|(_, other)| {
                        other.issuer == **issuer || other.token_issuers.contains(issuer)
                    })
            };
            for issuer in server.token_issuers.iter().filter(taken) {
                faults.push(format!("{place}.token_issuers: {issuer:?} is there twice"));
            }
            let earlier = &self.authorization_servers[..index];
            if earlier.iter().any(|other| other.issuer == server.issuer) {
                faults.push(format!("{place}: {:?} is there twice", server.issuer));
            }
        }
        self.check_prefixes(place, faults);
        self.check_lists(place, faults);
        let policy_faults = self.policy.iter().flat_map(Authorizer::faults);
        faults.extend(policy_faults.map(|fault| format!("{place}.policy.{fault}")));
        let parsed = ParsedResource { config: self, identifier: identifier?, servers };
        (faults.len() == faults_before).then_some(parsed)
    }

    /// Of several servers that are asked about opaque tokens, which one must be told by the token.
    fn check_prefixes(&self, place: &str, faults: &mut Vec<String>) {
        let servers = || self.authorization_servers.iter().enumerate();
        let takes_all = |server: &AuthorizationServer| {
            let introspection = server.introspection.as_ref();
            introspection.is_some_and(|one| one.token_prefixes.is_empty())
        };
        for (index, server) in servers().filter(|(_, server)| takes_all(server)) {
            let is_hidden = |other: &AuthorizationServer| {
                other.introspection.is_some() && other.token_header == server.token_header
            };
            if servers().any(|(other, server)| other > index && is_hidden(server)) {
                faults.push(format!(
                    "{place}.authorization_servers[{index}].introspection.token_prefixes: must not be empty, since others come after it"
                ));
            }
        }
    }

    fn check_lists(&self, place: &str, faults: &mut Vec<String>) {
        if self.audiences.iter().any(String::is_empty) {
            faults.push(format!("{place}.audiences: an empty audience would match nothing"));
        }
        for scope in self.required_scopes.malformed() {
            faults
                .push(format!("{place}.required_scopes: {scope:?} is not a scope (RFC 6749 §3.3)"));
        }
        if self.required_scopes.contains("offline_access")
            && !self.dangerous_advertise_offline_access
        {
            // It is not advertised, so no client would ever ask for it.
            faults.push(format!("{place}.required_scopes: `offline_access` cannot be required"));
        }
        for scope in self.scopes_supported.malformed() {
            faults.push(format!(
                "{place}.scopes_supported: {scope:?} is not a scope (RFC 6749 §3.3)"
            ));
        }
        if !self.scopes_supported.is_empty()
            && !self.scopes_supported.contains_all(&self.required_scopes)
        {
            faults.push(format!("{place}.scopes_supported: must contain the required scopes"));
        }
        for origin in self.allowed_origins.iter().filter(|origin| !is_origin(origin)) {
            faults.push(format!("{place}.allowed_origins: {origin:?} is not an origin such as https://app.example.com"));
        }
        for host in self.allowed_hosts.iter().filter(|host| !is_host(host)) {
            faults.push(format!("{place}.allowed_hosts: {host:?} is not a host name"));
        }
    }
}

/// In which form a refused tool call asks for more scopes. What is refused is the same in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChallengeStyle {
    /// A 401 or 403 with `WWW-Authenticate`, as the MCP specification has it.
    #[default]
    Http,
    /// A tool result with `isError` and `_meta["mcp/www_authenticate"]`, which ChatGPT acts on.
    ToolResult,
}

/// A resource that was checked.
pub(crate) struct ParsedResource<'a> {
    pub(crate) config: &'a ProtectedResource,
    pub(crate) identifier: ResourceIdentifier,
    pub(crate) servers: Vec<ParsedServer<'a>>,
}

/// A list in which a string stands for the issuer of an otherwise default server.
fn issuers_or_tables<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<AuthorizationServer>, D::Error> {
    struct OneServer(AuthorizationServer);

    impl<'de> Deserialize<'de> for OneServer {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(OneServerVisitor).map(Self)
        }
    }

    Vec::<OneServer>::deserialize(deserializer)
        .map(|servers| servers.into_iter().map(|server| server.0).collect())
}

struct OneServerVisitor;

impl<'de> Visitor<'de> for OneServerVisitor {
    type Value = AuthorizationServer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an issuer, or a table with `issuer`")
    }

    fn visit_str<E>(self, issuer: &str) -> Result<AuthorizationServer, E> {
        Ok(AuthorizationServer::new(issuer))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<AuthorizationServer, A::Error> {
        AuthorizationServer::deserialize(MapAccessDeserializer::new(table))
    }
}

/// RFC 6454: scheme, host and port; or `*`, or `null` for pages without an origin.
fn is_origin(text: &str) -> bool {
    let plain =
        |rest: &str| !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ', '*', ',']);
    text == "*"
        || text == "null"
        || text.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && plain(rest))
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}
