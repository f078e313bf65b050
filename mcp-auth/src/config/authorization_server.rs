//! One authorization server as plain data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::identifier::{IdentifierError, IssuerIdentifier, PlainHttp, check_fetchable};
use crate::issuer::{Metadata, MetadataSource};
use crate::jose::Algorithm;

/// An authorization server whose tokens are accepted.
///
/// In data, a string stands for its issuer with every default.
///
/// # Defaults
/// Metadata is discovered, every supported algorithm is accepted, `typ` may be `JWT` or absent.
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
    /// Accepted signature algorithms. Empty: all supported ones that fit the issuer's keys.
    pub algorithms: Vec<Algorithm>,
    /// Accept only tokens whose header `typ` is `at+jwt` (RFC 9068).
    pub require_at_jwt: bool,
    /// Allow `http` URLs of this server on hosts that are not loopback, such as inside a cluster.
    /// Whoever can change traffic on that network can then forge tokens.
    pub dangerous_allow_http: bool,
}

impl AuthorizationServer {
    /// A server that is found by its issuer identifier alone.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), ..Self::default() }
    }

    /// Whether both lead to the same metadata and keys.
    pub(super) fn is_found_like(&self, other: &Self) -> bool {
        self.server_type == other.server_type
            && self.metadata_url == other.metadata_url
            && self.metadata == other.metadata
            && self.dangerous_allow_http == other.dangerous_allow_http
    }

    /// The issuer and where its metadata comes from; `None` when a fault was found.
    pub(super) fn parse(&self, place: &str, faults: &mut Vec<String>) -> Option<ParsedServer<'_>> {
        let plain_http = PlainHttp::configured(self.dangerous_allow_http);
        let identifier = IssuerIdentifier::parse_with(self.issuer.clone(), plain_http)
            .map_err(|fault| {
                faults.push(format!("{place}.issuer: {:?} {}", self.issuer, http_hint(fault)))
            })
            .ok();
        let source = match (&self.metadata_url, &self.metadata) {
            (None, None) => Some(MetadataSource::Discover(self.server_type)),
            (Some(url), None) => check_fetchable(url, plain_http)
                .map_err(|fault| {
                    faults.push(format!("{place}.metadata_url: {url:?} {}", http_hint(fault)))
                })
                .ok()
                .map(|()| MetadataSource::Url(url.clone())),
            (None, Some(document)) => {
                // Judged together with the issuer, whose own fault is listed already.
                let document = Value::Object(document.clone());
                Metadata::read(identifier.as_ref()?, &document, plain_http)
                    .map_err(|fault| faults.push(format!("{place}.metadata: {fault}")))
                    .ok()
                    .map(|metadata| MetadataSource::Document(Arc::new(metadata)))
            }
            (Some(_), Some(_)) => {
                faults
                    .push(format!("{place}: `metadata` and `metadata_url` contradict each other"));
                None
            }
        };
        Some(ParsedServer { config: self, identifier: identifier?, source: source? })
    }
}

/// An authorization server that was checked.
pub(crate) struct ParsedServer<'a> {
    pub(crate) config: &'a AuthorizationServer,
    pub(crate) identifier: IssuerIdentifier,
    pub(crate) source: MetadataSource,
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

fn http_hint(fault: IdentifierError) -> String {
    match fault {
        IdentifierError::Insecure => format!("{fault} (or set `dangerous_allow_http`)"),
        _ => fault.to_string(),
    }
}
