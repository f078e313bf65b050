//! The client credentials grant: a client for itself, without a user.

use std::sync::Arc;

use axum::response::Response;

use super::token_response::TokenResponse;
use crate::clients::Client;
use crate::endpoints::requested::{requested_resources, requested_scopes};
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// RFC 6749 §4.4: confidential clients only.
pub(super) fn exchange(
    issuer: &Arc<Issuer>,
    client: &Client,
    params: &Params,
) -> Result<Response, OAuthError> {
    if client.secret.is_none() {
        return Err(OAuthError::invalid_client("a public client has no credentials"));
    }
    // RFC 9068 §2.2: without a resource owner, sub is the client.
    let mut response = TokenResponse::new(issuer, &client.id, &client.id);
    response.audiences = requested_resources(issuer, params)?;
    response.scopes = requested_scopes(issuer, params)?;
    Ok(response.of_client())
}
