//! The authorization code grant: a code for tokens, once.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use super::token_response::{TokenAnswer, TokenResponse};
use crate::clients::{Client, GrantType};
use crate::clock::now;
use crate::endpoints::requested::narrowed_resources;
use crate::issuer::Issuer;
use crate::jose::base64url;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// RFC 6749 §4.1.3 with PKCE (RFC 7636 §4.6).
pub(super) fn exchange(
    issuer: &Arc<Issuer>,
    client: &Client,
    params: &Params,
) -> Result<TokenAnswer, OAuthError> {
    let verifier = params.required("code_verifier")?;
    let redirect_uri = params.optional("redirect_uri")?;
    let mut grants = issuer.grants();
    let (code, grant) = grants.redeem(params.required("code")?, &client.id, now())?;
    // OAuth 2.1 §4.1.3 does without redirect_uri; RFC 6749 clients send the same one again.
    if redirect_uri.is_some_and(|uri| uri != code.redirect_uri) {
        return Err(OAuthError::invalid_grant("redirect_uri is not that of the request"));
    }
    let challenge = base64url(digest(&SHA256, verifier.as_bytes()));
    if verify_slices_are_equal(challenge.as_bytes(), code.code_challenge.as_bytes()).is_err() {
        return Err(OAuthError::invalid_grant("code_verifier does not fit code_challenge"));
    }
    let resources = narrowed_resources(&grant.resources, params)?;
    let refresh_token = client
        .grant_types
        .contains(&GrantType::RefreshToken)
        .then(|| grants.new_refresh_token(&grant.id));

    let mut response = TokenResponse::new(issuer, &client.id, &grant.subject);
    response.audiences = resources;
    response.scopes = grant.scopes.clone();
    response.refresh_token = refresh_token;
    Ok(response.of_grant(&grant, &mut grants))
}
