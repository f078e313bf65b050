//! One protected resource as plain data.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::{AuthorizationServer, ScopePolicy};
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
    /// Who may call what, beyond the required scopes. None: a caller who has those may do everything.
    pub policy: Option<ScopePolicy>,
    /// Arguments of tools that clients repeat in headers (`x-mcp-header`, MCP 2026-07-28): tool, name of the header
    /// without `Mcp-Param-`, and the argument, by its name or a JSON Pointer. What is not here is learnt from the
    /// lists that the server gives; a tool that is here keeps what is here, also nothing.
    pub mirrored_arguments: BTreeMap<String, BTreeMap<String, String>>,
    /// Refuse requests about tasks of which this instance does not know who made them: for servers with one instance,
    /// or whose requests are routed by `Mcp-Name`.
    pub known_tasks_only: bool,
    /// Let whoever has a session identifier use the session, whoever they are. Otherwise each `Mcp-Session-Id` of the
    /// server's is sealed for the caller who got it, and unknown (404) to everybody else. For servers that bind
    /// sessions themselves. Warns at start-up.
    pub dangerous_unbound_sessions: bool,
    /// Seal the identifiers of tasks for the caller whose call made them: another caller's is unknown (-32602) and does
    /// not reach the server. Every body is read then.
    pub seal_task_ids: bool,
    /// Seal the `requestState` of an answer for the caller, the method and what was called: anybody else's, or in
    /// another request, is refused (-32602), and so is one that is older than `request_state_max_age`. Every body is read
    /// then.
    pub seal_request_state: bool,
    /// Seal the identifiers of events for the caller and the session whose stream has them: with another caller's, or in
    /// another session, no stream is taken up again (404).
    pub seal_event_ids: bool,
    /// In which form a refused tool call asks for more scopes.
    pub challenge_style: ChallengeStyle,
    /// `scopes_supported` of the metadata. Empty: the required scopes.
    pub scopes_supported: Scopes,
    /// Advertise and challenge `offline_access` where it is configured, against the
    /// specification's advice, for clients that ask for a refresh token only then.
    pub dangerous_advertise_offline_access: bool,
    /// Accepts access tokens without a look at their `aud`, and those without one, against the MCP specification: for
    /// moving from packages that skip the check. ID tokens are still refused. Warns at start-up.
    pub dangerous_accept_any_audience: bool,
    /// `resource_name` of the metadata: a name for people.
    pub resource_name: Option<String>,
    /// `resource_documentation` of the metadata: a URL for developers.
    pub resource_documentation: Option<String>,
    /// `resource_policy_uri` of the metadata: a page that says what clients may do with the data.
    pub resource_policy_uri: Option<String>,
    /// `resource_tos_uri` of the metadata: a page with the terms of service.
    pub resource_tos_uri: Option<String>,
    /// Members of the metadata for people in other languages, under their whole names: `resource_name#de`
    /// (RFC 9728 §2.1).
    pub localized: BTreeMap<String, String>,
    /// `jwks_uri` of the metadata: the keys of the resource itself, with which it signs. Tokens are verified by those
    /// of their issuers.
    pub jwks_uri: Option<String>,
    /// `resource_signing_alg_values_supported` of the metadata: what the resource signs with.
    pub resource_signing_alg_values_supported: Vec<String>,
    /// `authorization_details_types_supported` of the metadata (RFC 9396). It is said, and nothing is decided by it.
    pub authorization_details_types_supported: Vec<String>,
    /// `tls_client_certificate_bound_access_tokens` of the metadata. Bound tokens are refused all the same, so `true`
    /// warns at start-up.
    pub tls_client_certificate_bound_access_tokens: Option<bool>,
    /// `dpop_signing_alg_values_supported` of the metadata. Bound tokens are refused all the same, so any value warns
    /// at start-up.
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// `dpop_bound_access_tokens_required` of the metadata. Bound tokens are refused all the same, so `true` warns at
    /// start-up.
    pub dpop_bound_access_tokens_required: Option<bool>,
    /// `signed_metadata` of the metadata: a JWT that the operator signed. Clients believe it before the other members.
    pub signed_metadata: Option<String>,
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
}

/// In which form a refused tool call asks for more scopes. The form does not change what is refused.
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
