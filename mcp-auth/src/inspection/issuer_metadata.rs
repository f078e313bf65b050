//! The members of the metadata that clients and servers act on.

use serde::Serialize;
use serde_json::Value;

use crate::identifier::{host_in, is_loopback};

/// Authorization server metadata (RFC 8414 §2), as far as MCP needs it, by registered names.
///
/// A member that is missing, or not of its type, is `None` or `false`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct IssuerMetadata {
    /// Where users sign in.
    pub authorization_endpoint: Option<String>,
    /// Where clients get tokens.
    pub token_endpoint: Option<String>,
    /// Where clients register themselves (RFC 7591).
    pub registration_endpoint: Option<String>,
    /// Where servers ask about tokens (RFC 7662).
    pub introspection_endpoint: Option<String>,
    /// How servers authenticate there.
    pub introspection_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// How clients authenticate at the token endpoint; `none` is for public clients.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Response types, such as `code`.
    pub response_types_supported: Option<Vec<String>>,
    /// Grant types; missing means `authorization_code` and `implicit`.
    pub grant_types_supported: Option<Vec<String>>,
    /// PKCE methods (RFC 7636), such as `S256`.
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Scopes.
    pub scopes_supported: Option<Vec<String>>,
    /// Whether a URL may be a client's identifier.
    pub client_id_metadata_document_supported: bool,
    /// Whether authorization responses carry `iss` (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
    /// Where its keys are.
    pub jwks_uri: Option<String>,
    /// Members that name a URL that is neither `https` nor on loopback.
    pub insecure_urls: Vec<String>,
}

impl IssuerMetadata {
    pub(super) fn read(document: &Value) -> Self {
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let texts = |name: &str| {
            let values = document.get(name).and_then(Value::as_array)?;
            Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        let flag = |name: &str| document.get(name).and_then(Value::as_bool).unwrap_or_default();
        Self {
            authorization_endpoint: text("authorization_endpoint"),
            token_endpoint: text("token_endpoint"),
            registration_endpoint: text("registration_endpoint"),
            introspection_endpoint: text("introspection_endpoint"),
            introspection_endpoint_auth_methods_supported: texts(
                "introspection_endpoint_auth_methods_supported",
            ),
            token_endpoint_auth_methods_supported: texts("token_endpoint_auth_methods_supported"),
            response_types_supported: texts("response_types_supported"),
            grant_types_supported: texts("grant_types_supported"),
            code_challenge_methods_supported: texts("code_challenge_methods_supported"),
            scopes_supported: texts("scopes_supported"),
            client_id_metadata_document_supported: flag("client_id_metadata_document_supported"),
            authorization_response_iss_parameter_supported: flag(
                "authorization_response_iss_parameter_supported",
            ),
            jwks_uri: text("jwks_uri"),
            insecure_urls: insecure_urls(document),
        }
    }
}

fn insecure_urls(document: &Value) -> Vec<String> {
    let is_url = |name: &str| name.ends_with("_endpoint") || name == "jwks_uri";
    let is_secure = |url: &str| {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        scheme.eq_ignore_ascii_case("https") || is_loopback(host_in(url))
    };
    let members = document.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| is_url(name))
        .filter(|(_, value)| value.as_str().is_some_and(|url| !is_secure(url)))
        .map(|(name, _)| name.clone())
        .collect()
}
