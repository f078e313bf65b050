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
    /// How servers authenticate at the introspection endpoint.
    pub introspection_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// How clients authenticate at the token endpoint; `none` is for public clients.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Response types, such as `code`.
    pub response_types_supported: Option<Vec<String>>,
    /// Grant types; missing means `authorization_code` and `implicit`.
    pub grant_types_supported: Option<Vec<String>>,
    /// PKCE methods (RFC 7636), such as `S256`.
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// The scopes that clients may ask for.
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
    /// Reads the members in a metadata document.
    pub(super) fn read(document: &Value) -> Self {
        let has_metadata_document_clients =
            flag_member(document, "client_id_metadata_document_supported");
        let sends_iss = flag_member(document, "authorization_response_iss_parameter_supported");
        Self {
            authorization_endpoint: text_member(document, "authorization_endpoint"),
            token_endpoint: text_member(document, "token_endpoint"),
            registration_endpoint: text_member(document, "registration_endpoint"),
            introspection_endpoint: text_member(document, "introspection_endpoint"),
            introspection_endpoint_auth_methods_supported: list_member(
                document,
                "introspection_endpoint_auth_methods_supported",
            ),
            token_endpoint_auth_methods_supported: list_member(
                document,
                "token_endpoint_auth_methods_supported",
            ),
            response_types_supported: list_member(document, "response_types_supported"),
            grant_types_supported: list_member(document, "grant_types_supported"),
            code_challenge_methods_supported: list_member(
                document,
                "code_challenge_methods_supported",
            ),
            scopes_supported: list_member(document, "scopes_supported"),
            client_id_metadata_document_supported: has_metadata_document_clients,
            authorization_response_iss_parameter_supported: sends_iss,
            jwks_uri: text_member(document, "jwks_uri"),
            insecure_urls: members_with_insecure_urls(document),
        }
    }
}

fn text_member(document: &Value, name: &str) -> Option<String> {
    document.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The texts in a list; what is in it beside texts is left out.
fn list_member(document: &Value, name: &str) -> Option<Vec<String>> {
    let items = document.get(name).and_then(Value::as_array)?;
    Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn flag_member(document: &Value, name: &str) -> bool {
    document.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn members_with_insecure_urls(document: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for (name, value) in document.as_object().into_iter().flatten() {
        let names_url = name.ends_with("_endpoint") || name == "jwks_uri";
        if names_url && value.as_str().is_some_and(is_insecure_url) {
            names.push(name.clone());
        }
    }
    names
}

/// Whether a URL is neither `https` nor on loopback.
fn is_insecure_url(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    !scheme.eq_ignore_ascii_case("https") && !is_loopback(host_in(url))
}
