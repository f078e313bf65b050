use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::client;
use crate::core::Core;
use crate::http::{OAuthError, Params};

/// RFC 7009 §2. A refresh token takes its whole grant along, an access token only itself.
pub(super) async fn revoke(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, OAuthError> {
    let params = Params::form(&headers, &body)?;
    let client = client::authenticate(&core.clients, &headers, &params)?;
    let token = params.required("token")?;
    let foreign = || OAuthError::invalid_grant("the token was issued to another client");

    let access_token = core.access_token(token);
    let mut grants = core.grants();
    if let Some(grant) = grants.grant_of_refresh_token(token).cloned() {
        if grant.client_id != client.id {
            return Err(foreign());
        }
        grants.revoke(&grant.id);
    } else if let Some(claims) = access_token {
        let claim = |name| claims.get(name).and_then(Value::as_str);
        if claim("client_id") != Some(&client.id) {
            return Err(foreign());
        }
        if let Some(jti) = claim("jti") {
            grants.revoke_access_token(jti);
        }
    }
    // RFC 7009 §2.2: an unknown token is as good as revoked.
    Ok(StatusCode::OK)
}
