//! What a client says about itself, checked.

use serde_json::{Map, Value, json};

use super::GrantType;
use super::redirect_uris::may_be_registered;
use crate::oauth_error::OAuthError;

/// What a client says about itself may be this long, registered or in a document.
pub(crate) const MAX_METADATA_BYTES: usize = 10 * 1024;

/// What a client says about itself (RFC 7591 §2), in a registration or a metadata document.
#[derive(Clone, Debug)]
pub(crate) struct ClientMetadata {
    pub(crate) client_name: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) grant_types: Vec<GrantType>,
    /// Whether `token_endpoint_auth_method` needs a secret.
    pub(crate) is_confidential: bool,
    /// All of it, with the defaults filled in.
    pub(crate) document: Map<String, Value>,
}

impl ClientMetadata {
    /// Without `grant_types` a client may use codes and refresh tokens.
    pub(crate) fn parse(mut document: Map<String, Value>) -> Result<Self, OAuthError> {
        let redirect_uris = strings(&document, "redirect_uris")?.unwrap_or_default();
        if let Some(bad) = redirect_uris.iter().find(|uri| !may_be_registered(uri)) {
            return Err(OAuthError::new("invalid_redirect_uri", format!("{bad} is not allowed")));
        }

        let names = strings(&document, "grant_types")?
            .unwrap_or_else(|| vec!["authorization_code".into(), "refresh_token".into()]);
        let grant_types = names
            .iter()
            .map(|name| GrantType::from_name(name).ok_or_else(|| unsupported("grant_types")))
            .collect::<Result<Vec<_>, _>>()?;
        document.insert("grant_types".into(), json!(names));
        let uses_codes = grant_types.contains(&GrantType::AuthorizationCode);
        if uses_codes && redirect_uris.is_empty() {
            return Err(OAuthError::new("invalid_redirect_uri", "redirect_uris is missing"));
        }

        let response_types = strings(&document, "response_types")?
            .unwrap_or_else(|| if uses_codes { vec!["code".into()] } else { Vec::new() });
        if response_types.iter().any(|response_type| response_type != "code") {
            return Err(unsupported("response_types"));
        }
        document.insert("response_types".into(), json!(response_types));

        let client_name = string(&document, "client_name")?;
        let method = string(&document, "token_endpoint_auth_method")?;
        let is_confidential = match method.as_deref() {
            Some("none") => false,
            None | Some("client_secret_basic" | "client_secret_post") => true,
            Some(_) => return Err(unsupported("token_endpoint_auth_method")),
        };
        Ok(Self { client_name, redirect_uris, grant_types, is_confidential, document })
    }
}

fn string(document: &Map<String, Value>, member: &str) -> Result<Option<String>, OAuthError> {
    match document.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.clone())),
        Some(_) => Err(invalid(format!("{member} must be a string"))),
    }
}

fn strings(document: &Map<String, Value>, member: &str) -> Result<Option<Vec<String>>, OAuthError> {
    let values = match document.get(member) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(values)) => values.iter().map(|v| v.as_str().map(str::to_owned)),
        Some(_) => return Err(invalid(format!("{member} must be an array"))),
    };
    match values.collect::<Option<Vec<_>>>() {
        Some(strings) => Ok(Some(strings)),
        None => Err(invalid(format!("{member} must hold strings"))),
    }
}

fn unsupported(member: &str) -> OAuthError {
    invalid(format!("{member} has a value that is not supported"))
}

fn invalid(description: String) -> OAuthError {
    OAuthError::new("invalid_client_metadata", description)
}
