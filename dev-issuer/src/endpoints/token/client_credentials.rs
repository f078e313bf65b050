use std::sync::Arc;

use axum::response::Response;

use super::response::TokenResponse;
use crate::client::Client;
use crate::core::Core;
use crate::endpoints::authorize::resources;
use crate::http::{OAuthError, Params};
use crate::scope;

/// RFC 6749 §4.4: confidential clients only.
pub(super) fn exchange(
    core: &Arc<Core>,
    client: &Client,
    params: &Params,
) -> Result<Response, OAuthError> {
    if client.secret.is_none() {
        return Err(OAuthError::invalid_client("a public client has no credentials"));
    }
    // RFC 9068 §2.2: without a resource owner, sub is the client.
    let mut response = TokenResponse::new(core, &client.id, &client.id);
    response.audiences = resources(core, params)?;
    response.scopes = scope::requested(&core.settings, params.one("scope")?)
        .map_err(|scope| OAuthError::invalid_scope(&scope))?;
    Ok(response.of_client())
}
