//! Who sends a request to the token, introspection or revocation endpoint.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::form_urlencoded;

use super::{Client, Clients};
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// The client of a request: by secret (`client_secret_basic` or `client_secret_post`), or a public
/// one by its `client_id` alone. One with a metadata document was met at the authorization endpoint.
pub(crate) fn authenticate(
    clients: &Clients,
    headers: &HeaderMap,
    params: &Params,
) -> Result<Arc<Client>, OAuthError> {
    let posted_id = params.optional("client_id")?;
    let posted_secret = params.optional("client_secret")?;
    let credentials = match basic(headers)? {
        None => Credentials {
            id: posted_id
                .ok_or_else(|| OAuthError::invalid_client("the client is not named"))?
                .to_owned(),
            secret: posted_secret.unwrap_or_default().to_owned(),
        },
        Some(credentials) => {
            // RFC 6749 §2.3: one way per request.
            if posted_secret.is_some() || posted_id.is_some_and(|posted| posted != credentials.id) {
                return Err(OAuthError::invalid_request("the client authenticates in two ways"));
            }
            credentials
        }
    };
    let client = clients.find(&credentials.id)?;
    let secret = Some(credentials.secret).filter(|secret| !secret.is_empty());
    match (&client.secret, secret) {
        (None, None) => Ok(client),
        (Some(expected), Some(given))
            if verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_ok() =>
        {
            Ok(client)
        }
        (Some(_), None) => Err(OAuthError::invalid_client("the client secret is missing")),
        _ => Err(OAuthError::invalid_client("the client secret is wrong")),
    }
}

/// What a client says of itself in a request.
struct Credentials {
    id: String,
    /// Empty for a public client.
    secret: String,
}

/// The credentials of `client_secret_basic`, if the request has an `Authorization` header.
fn basic(headers: &HeaderMap) -> Result<Option<Credentials>, OAuthError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    match parse_basic(value) {
        Some(credentials) => Ok(Some(credentials)),
        None => Err(OAuthError::invalid_client("Authorization is not well-formed Basic")),
    }
}

fn parse_basic(value: &HeaderValue) -> Option<Credentials> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    Some(Credentials { id: form_decoded(id), secret: form_decoded(secret) })
}

/// RFC 6749 §2.3.1: identifier and secret are form-encoded before they are joined.
fn form_decoded(text: &str) -> String {
    match form_urlencoded::parse(text.as_bytes()).next() {
        Some((decoded, _)) => decoded.into_owned(),
        None => String::new(),
    }
}
