//! The revocation endpoint (RFC 7009).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::clients;
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// RFC 7009 §2. With a refresh token its whole grant is revoked, with an access token only the token.
pub(super) async fn revoke(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, OAuthError> {
    let params = Params::form(&headers, &body)?;
    let client = clients::authenticate(&issuer.clients, &headers, &params)?;
    let token = params.required("token")?;
    let access_token = issuer.access_token_claims(token);
    let mut grants = issuer.grants();
    if let Some(grant) = grants.grant_of_refresh_token(token).cloned() {
        if grant.client_id != client.id {
            return Err(issued_to_another_client());
        }
        grants.revoke(&grant.id);
    } else if let Some(claims) = access_token {
        if claims.get("client_id").and_then(Value::as_str) != Some(&client.id) {
            return Err(issued_to_another_client());
        }
        if let Some(jti) = claims.get("jti").and_then(Value::as_str) {
            grants.revoke_access_token(jti);
        }
    }
    // RFC 7009 §2.2: an unknown token is as good as revoked.
    Ok(StatusCode::OK)
}

fn issued_to_another_client() -> OAuthError {
    OAuthError::invalid_grant("the token was issued to another client")
}
