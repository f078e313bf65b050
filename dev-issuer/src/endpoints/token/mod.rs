mod client_credentials;
mod code;
mod refresh;
mod response;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;

use crate::client::{self, GrantType};
use crate::core::Core;
use crate::http::{OAuthError, Params};

/// RFC 6749 §3.2.
pub(super) async fn token(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let params = Params::form(&headers, &body)?;
    let client = client::authenticate(&core.clients, &headers, &params)?;
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
        GrantType::AuthorizationCode => code::exchange(&core, &client, &params),
        GrantType::RefreshToken => refresh::exchange(&core, &client, &params),
        GrantType::ClientCredentials => client_credentials::exchange(&core, &client, &params),
    }
}

/// RFC 8707 §2.2: the resources asked for, all of which must have been granted; or all granted.
fn narrowed_resources(granted: &[String], params: &Params) -> Result<Vec<String>, OAuthError> {
    let wanted: Vec<String> = params.all("resource").map(str::to_owned).collect();
    if wanted.iter().any(|resource| !granted.contains(resource)) {
        return Err(OAuthError::invalid_target("resource was not granted"));
    }
    Ok(if wanted.is_empty() { granted.to_vec() } else { wanted })
}
