//! The refresh token grant: new tokens, for the scopes granted or fewer.

use std::sync::Arc;

use super::token_response::{TokenAnswer, TokenResponse};
use crate::clients::Client;
use crate::endpoints::requested::{narrowed_resources, requested_scopes};
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// RFC 6749 §6, with rotation (OAuth 2.1 §4.3.1).
pub(super) fn exchange(
    issuer: &Arc<Issuer>,
    client: &Client,
    params: &Params,
) -> Result<TokenAnswer, OAuthError> {
    let refresh_token = params.required("refresh_token")?;
    let asks_for_scopes = params.optional("scope")?.is_some();
    let mut grants = issuer.grants();
    let grant = grants.grant_to_refresh(refresh_token, &client.id)?;
    let resources = narrowed_resources(&grant.resources, params)?;
    let scopes =
        if asks_for_scopes { requested_scopes(issuer, params)? } else { grant.scopes.clone() };
    if let Some(wider) = scopes.iter().find(|scope| !grant.scopes.contains(scope)) {
        return Err(OAuthError::invalid_scope(wider));
    }

    let mut response = TokenResponse::new(issuer, &client.id, &grant.subject);
    response.audiences = resources;
    response.scopes = scopes;
    response.refresh_token = grants.rotate_refresh_token(refresh_token);
    Ok(response.of_grant(&grant, &mut grants))
}
