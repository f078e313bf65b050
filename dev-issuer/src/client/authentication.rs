use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::form_urlencoded;

use super::{Client, Clients};
use crate::http::{OAuthError, Params};

/// The client of a request: by secret (`client_secret_basic` or `client_secret_post`), or a public
/// one by its `client_id` alone. One with a metadata document was met at the authorization endpoint.
pub(crate) fn authenticate(
    clients: &Clients,
    headers: &HeaderMap,
    params: &Params,
) -> Result<Arc<Client>, OAuthError> {
    let posted_id = params.one("client_id")?;
    let posted_secret = params.one("client_secret")?;
    let (id, secret) = match basic(headers)? {
        None => (posted_id.map(str::to_owned), posted_secret.map(str::to_owned)),
        Some((id, secret)) => {
            // RFC 6749 §2.3: one way per request.
            if posted_secret.is_some() || posted_id.is_some_and(|posted| posted != id) {
                return Err(OAuthError::invalid_request("the client authenticates in two ways"));
            }
            (Some(id), Some(secret))
        }
    };
    let id = id.ok_or_else(|| OAuthError::invalid_client("the client is not named"))?;
    let client = clients.find(&id)?;
    match (&client.secret, secret.filter(|secret| !secret.is_empty())) {
        (None, None) => Ok(client),
        (Some(expected), Some(secret))
            if verify_slices_are_equal(expected.as_bytes(), secret.as_bytes()).is_ok() =>
        {
            Ok(client)
        }
        (Some(_), None) => Err(OAuthError::invalid_client("the client secret is missing")),
        _ => Err(OAuthError::invalid_client("the client secret is wrong")),
    }
}

/// RFC 6749 §2.3.1: identifier and secret are form-encoded before they are joined.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, OAuthError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let malformed = || OAuthError::invalid_client("Authorization is not well-formed Basic");
    let credentials = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, credentials)| BASE64_STANDARD.decode(credentials.trim()).ok())
        .and_then(|credentials| String::from_utf8(credentials).ok())
        .ok_or_else(malformed)?;
    let (id, secret) = credentials.split_once(':').ok_or_else(malformed)?;
    let decode = |text: &str| {
        form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned())
    };
    Ok(Some((decode(id).unwrap_or_default(), decode(secret).unwrap_or_default())))
}
