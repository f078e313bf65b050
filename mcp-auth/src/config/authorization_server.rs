//! One authorization server as plain data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{BackChannelLogout, Introspection, SharedSignals};
use crate::algorithm::Algorithm;
use crate::identifier::{IdentifierError, IssuerIdentifier, PlainHttp};
use crate::principal::{Principal, PrincipalClaim};

/// An authorization server whose tokens are accepted.
///
/// In data, a string stands for its issuer with every default.
///
/// # Defaults
/// Metadata and keys are discovered, every supported algorithm is accepted, `typ` may be `JWT` or absent.
/// People are told from machines as docs/providers.md says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AuthorizationServer {
    /// Its issuer identifier, exactly as in its tokens' `iss`. Required.
    pub issuer: String,
    /// Which well-known documents are looked for.
    pub server_type: ServerType,
    /// The metadata's URL, when it is not at a well-known place.
    pub metadata_url: Option<String>,
    /// The metadata itself, when the provider serves none: RFC 8414 members, at least `issuer`
    /// and `jwks_uri`.
    pub metadata: Option<Map<String, Value>>,
    /// Its keys themselves, a JWK Set (RFC 7517 §5): then nothing is fetched, and a key is
    /// replaced by replacing the configuration.
    pub jwks: Option<Map<String, Value>>,
    /// A file that holds its keys, as `jwks` would; it is read once, when the configuration is checked.
    pub jwks_file: Option<PathBuf>,
    /// Hosts besides its own and that of `metadata_url` that may be at private addresses when its
    /// metadata names them as the place of its keys or of introspection, such as `keys.internal`. Public
    /// addresses need no permission.
    pub allowed_key_hosts: Vec<String>,
    /// Other `iss` values of its tokens, exact, for providers whose tokens do not name the issuer
    /// that their metadata names.
    pub token_issuers: Vec<String>,
    /// `aud` values of its tokens that are accepted besides the resource and its `audiences`, compared
    /// exactly. None is best.
    pub audiences: Vec<String>,
    /// For providers whose tokens name a client or a project in `aud` and not this resource: such `aud` values, accepted
    /// as those in `audiences` are. A token that was issued for another server with the same one is then accepted here
    /// too, and that server can use its callers' tokens here.
    pub dangerous_shared_audiences: Vec<String>,
    /// Claims whose values count as scopes beside `scope`, `scp` or `scopes`: names, or JSON Pointers
    /// (RFC 6901) such as `/realm_access/roles`. What a user may do is often more than what the client
    /// was granted: be sure.
    pub scope_claims: Vec<String>,
    /// The beginning of scopes that this provider leaves out in tokens, such as `api://notes/`. It is put before each
    /// scope of a token that has no `:` in it; clients ask for scopes with it.
    pub scope_prefix: Option<String>,
    /// Claims that must have one of these values: by name or JSON Pointer.
    pub required_claims: BTreeMap<String, Vec<Value>>,
    /// The claim by which its tokens say whether a person or a machine is calling. Absent: told by the
    /// claims that providers document for it.
    pub principal_claim: Option<PrincipalClaim>,
    /// What a caller is whose token does not say whether it is a person or a machine. `user` is right only where the
    /// tokens of all machines say so: otherwise machines are taken for people. Default: unknown, neither of both.
    pub default_principal: Principal,
    /// For providers that cannot name this resource in `aud`: clients whose access tokens are accepted
    /// without a look at their audience. A token that one of these clients got for another server is then
    /// accepted here too.
    pub dangerous_accept_clients: Vec<String>,
    /// Accepts tokens that name any issuer in `iss`, or rather every token that one of its keys signed: for code that
    /// has keys and checks the issuer itself. Its keys, or its metadata, must then be in the configuration, and no
    /// other server beside it. Warns at start-up.
    pub dangerous_accept_any_issuer: bool,
    /// How its opaque tokens are checked; absent: they are refused.
    pub introspection: Option<Introspection>,
    /// Accepts its logout tokens: whose session ends there is out here. Absent: they are refused.
    pub back_channel_logout: Option<BackChannelLogout>,
    /// Accepts its security events, which it pushes: whoever it tells of is out. Absent: they are refused.
    pub shared_signals: Option<SharedSignals>,
    /// The header that its tokens come in, as they are and without a scheme, instead of
    /// `Authorization: Bearer`: `Cf-Access-Jwt-Assertion`. Tokens of this server are then accepted
    /// there alone, and tokens of others not there.
    pub token_header: Option<String>,
    /// Accepted signature algorithms. Empty: all supported ones that fit the issuer's keys. ID tokens of
    /// `sign_in` must have one of each resource that trusts the issuer.
    pub algorithms: Vec<Algorithm>,
    /// Accept only tokens whose header `typ` is `at+jwt` (RFC 9068).
    pub require_at_jwt: bool,
    /// Accept only tokens that name a subject in `sub` (RFC 9068 §2.2); some issuers leave it out for machines.
    pub require_subject: bool,
    /// Allow `http` URLs of this server on hosts that are not loopback, such as inside a cluster.
    /// Whoever can change traffic on that network can then forge tokens.
    pub dangerous_allow_http: bool,
}

impl AuthorizationServer {
    /// A server that is found by its issuer identifier alone.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), ..Self::default() }
    }

    /// Whether the configuration holds its keys, so that they are not fetched.
    pub(crate) fn has_keys(&self) -> bool {
        self.jwks.is_some() || self.jwks_file.is_some()
    }

    /// Whether both lead to the same metadata and keys.
    pub(crate) fn is_found_like(&self, other: &Self) -> bool {
        self.server_type == other.server_type
            && self.metadata_url == other.metadata_url
            && self.metadata == other.metadata
            && self.jwks == other.jwks
            && self.jwks_file == other.jwks_file
            && self.introspection.is_some() == other.introspection.is_some()
            && self.allowed_key_hosts == other.allowed_key_hosts
            && self.dangerous_allow_http == other.dangerous_allow_http
    }
}

impl<S: Into<String>> From<S> for AuthorizationServer {
    fn from(issuer: S) -> Self {
        Self::new(issuer)
    }
}

/// Which discovery documents an authorization server serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ServerType {
    /// Look for both, in the order of the MCP specification.
    #[default]
    Any,
    /// OpenID Connect Discovery only.
    Oidc,
    /// OAuth 2.0 Authorization Server Metadata (RFC 8414) only.
    Oauth,
}

impl ServerType {
    /// The URL of an issuer's metadata by the standard of this type; with [`ServerType::Any`] that of RFC 8414, where it
    /// is looked for first.
    ///
    /// For programs that fetch the document themselves. The issuer may use `http`: whether to fetch from it is for the
    /// program to decide.
    ///
    /// ```
    /// use mcp_auth::settings::ServerType;
    ///
    /// let issuer = "https://auth.example.com/oidc";
    /// let oidc = ServerType::Oidc.metadata_url(issuer).unwrap();
    /// assert_eq!(oidc, "https://auth.example.com/oidc/.well-known/openid-configuration");
    /// let oauth = ServerType::Oauth.metadata_url(issuer).unwrap();
    /// assert_eq!(oauth, "https://auth.example.com/.well-known/oauth-authorization-server/oidc");
    /// ```
    ///
    /// # Errors
    /// [`IdentifierError`] when the issuer is no URL that can be one.
    pub fn metadata_url(self, issuer: &str) -> Result<String, IdentifierError> {
        let issuer = IssuerIdentifier::parse_with(issuer.to_owned(), PlainHttp::Anywhere)?;
        Ok(match self {
            Self::Any | Self::Oauth => issuer.oauth_metadata_url(),
            Self::Oidc => issuer.oidc_metadata_url(),
        })
    }
}
