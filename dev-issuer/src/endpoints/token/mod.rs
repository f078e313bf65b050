//! The token endpoint: authenticates the client, then leaves the answer to the file of the grant type.

mod client_credentials;
mod code;
mod refresh;
mod token_response;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;

use crate::clients::{self, GrantType};
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// RFC 6749 §3.2.
pub(super) async fn token(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let params = Params::form(&headers, &body)?;
    let client = clients::authenticate(&issuer.clients, &headers, &params)?;
    let grant_type = GrantType::from_name(params.required("grant_type")?).ok_or_else(|| {
        OAuthError::new("unsupported_grant_type", "this grant_type is not supported")
    })?;
    client.may_use(grant_type)?;
    if grant_type == GrantType::ClientCredentials && headers.contains_key(header::ORIGIN) {
        // A page in the developer's browser must not get a token without anyone's consent.
        return Err(OAuthError::new(
            "unauthorized_client",
            "web pages have no credentials of their own",
        ));
    }
    match grant_type {
        GrantType::AuthorizationCode => code::exchange(&issuer, &client, &params),
        GrantType::RefreshToken => refresh::exchange(&issuer, &client, &params),
        GrantType::ClientCredentials => client_credentials::exchange(&issuer, &client, &params),
    }
}
