//! Reads the parameters of an authorization request.
//!
//! It is the only place where they are checked: what comes out may wait for the user and become a grant.

use super::recipient::Recipient;
use crate::clients::GrantType;
use crate::endpoints::requested::{requested_resources, requested_scopes};
use crate::grants::AuthorizationRequest;
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// The request, or the error that is sent to the recipient.
pub(super) fn parse(
    issuer: &Issuer,
    params: &Params,
    recipient: &Recipient,
) -> Result<AuthorizationRequest, OAuthError> {
    params.optional("state")?;
    if params.optional("request")?.is_some() {
        return Err(OAuthError::new("request_not_supported", "request is not supported"));
    }
    if params.optional("request_uri")?.is_some() {
        let description = "request_uri is not supported";
        return Err(OAuthError::new("request_uri_not_supported", description));
    }
    match params.required("response_type")? {
        "code" => {}
        _ => {
            let description = "the only response_type is code";
            return Err(OAuthError::new("unsupported_response_type", description));
        }
    }
    if params.optional("response_mode")?.is_some_and(|mode| mode != "query") {
        return Err(OAuthError::invalid_request("the only response_mode is query"));
    }
    recipient.client.may_use(GrantType::AuthorizationCode)?;
    if params.optional("prompt")? == Some("none") && recipient.needs_page(issuer) {
        return Err(OAuthError::new("interaction_required", "a user has to decide"));
    }
    Ok(AuthorizationRequest {
        client: recipient.client.clone(),
        redirect_uri: recipient.redirect_uri.clone(),
        state: recipient.state.clone(),
        scopes: requested_scopes(issuer, params)?,
        resources: resources(issuer, params)?,
        code_challenge: code_challenge(params)?,
        nonce: params.optional("nonce")?.map(str::to_owned),
        login_hint: params.optional("login_hint")?.map(str::to_owned),
    })
}

/// A client that asks for `openid` alone wants to know who signs in, and names no resource: its access token is for us.
fn resources(issuer: &Issuer, params: &Params) -> Result<Vec<String>, OAuthError> {
    let names_resource = params.repeated("resource").next().is_some();
    let is_sign_in = params.optional("scope")? == Some("openid") && !names_resource;
    if is_sign_in && issuer.settings.default_audience.is_none() {
        return Ok(vec![issuer.identifier.clone()]);
    }
    requested_resources(issuer, params)
}

/// RFC 7636, S256 only: base64url of a SHA-256 digest is 43 characters.
fn code_challenge(params: &Params) -> Result<String, OAuthError> {
    let challenge = params.required("code_challenge")?;
    if params.optional("code_challenge_method")? != Some("S256") {
        return Err(OAuthError::invalid_request("code_challenge_method must be S256"));
    }
    let is_base64url =
        challenge.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if challenge.len() != 43 || !is_base64url {
        return Err(OAuthError::invalid_request("code_challenge is not of S256"));
    }
    Ok(challenge.to_owned())
}
