use std::sync::Arc;

use axum::response::Response;

use super::narrowed_resources;
use super::response::TokenResponse;
use crate::client::Client;
use crate::core::Core;
use crate::http::{OAuthError, Params};
use crate::scope;

/// RFC 6749 §6, with rotation (OAuth 2.1 §4.3.1).
pub(super) fn exchange(
    core: &Arc<Core>,
    client: &Client,
    params: &Params,
) -> Result<Response, OAuthError> {
    let refresh_token = params.required("refresh_token")?;
    let scope = params.one("scope")?;
    let mut grants = core.grants();
    let grant = grants.refreshable(refresh_token, &client.id)?;
    let resources = narrowed_resources(&grant.resources, params)?;
    let scopes = match scope {
        None => grant.scopes.clone(),
        Some(_) => scope::requested(&core.settings, scope)
            .map_err(|scope| OAuthError::invalid_scope(&scope))?,
    };
    if let Some(wider) = scopes.iter().find(|scope| !grant.scopes.contains(scope)) {
        return Err(OAuthError::invalid_scope(wider));
    }

    let mut response = TokenResponse::new(core, &client.id, &grant.subject);
    response.audiences = resources;
    response.scopes = scopes;
    response.refresh_token = grants.rotate(refresh_token);
    Ok(response.of_grant(&grant, &mut grants))
}
