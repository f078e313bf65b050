//! The client credentials grant: a client for itself, without a user.

use std::sync::Arc;

use super::token_response::{TokenAnswer, TokenResponse};
use crate::clients::Client;
use crate::endpoints::requested::{requested_resources, requested_scopes};
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// RFC 6749 §4.4.
pub(super) fn exchange(
    issuer: &Arc<Issuer>,
    client: &Client,
    params: &Params,
) -> Result<TokenAnswer, OAuthError> {
    // RFC 9068 §2.2: without a resource owner, sub is the client.
    let mut response = TokenResponse::new(issuer, &client.id, &client.id);
    response.audiences = requested_resources(issuer, params)?;
    response.scopes = requested_scopes(issuer, params)?;
    Ok(response.without_user())
}
