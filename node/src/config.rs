//! Configuration and paths, of which the library knows everything.

use mcp_auth::decision::MetadataDocument;
use mcp_auth::settings::ServerType;
use mcp_auth::{Config, ConfigError};
use napi::Error;
use napi::bindgen_prelude::{Function, Result};
use napi_derive::napi;
use serde_json::json;

use crate::request;

/// The error that JavaScript makes a `ConfigError` of: its text is JSON.
pub(crate) fn config_error(error: &ConfigError) -> Error {
    let faults: Vec<_> = error.faults.iter().map(ToString::to_string).collect();
    Error::from_reason(json!({ "message": error.to_string(), "faults": faults }).to_string())
}

/// The configuration that is in the environment, in JSON. `read` gives a variable's value.
#[napi]
pub fn config_from_env(read: Function<'_, String, Option<String>>) -> Result<String> {
    // What cannot be read is not set.
    let config = Config::from_env_with(|name| read.call(name.to_owned()).ok().flatten())
        .map_err(|error| config_error(&error))?;
    Ok(serde_json::to_string(&config)?)
}

/// Which metadata document a request for this target, a path or a URL, is for: `protected_resource`,
/// `authorization_server` or none.
#[napi]
pub fn metadata_document_at(target: String) -> Option<&'static str> {
    let path = request::path_of(&target)?;
    MetadataDocument::at(&path).map(MetadataDocument::name)
}

/// Where an issuer has its metadata, by the standard of its type, `oauth` or `oidc`.
#[napi]
pub fn issuer_metadata_url(issuer: String, server_type: String) -> Result<String> {
    let url = match &*server_type {
        "oauth" => ServerType::Oauth.metadata_url(&issuer),
        "oidc" => ServerType::Oidc.metadata_url(&issuer),
        other => return Err(Error::from_reason(format!("`{other}` is no type of server"))),
    };
    url.map_err(|fault| Error::from_reason(format!("the issuer `{issuer}` {fault}")))
}
