//! The introspection endpoint (RFC 7662), with signed answers (RFC 9701) for those who accept them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::clients;
use crate::clock::now;
use crate::issuer::Issuer;
use crate::mint::Mint;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// RFC 7662 §2. For confidential clients; any of them may ask about any token.
pub(super) async fn introspect(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let params = Params::form(&headers, &body)?;
    let client = clients::authenticate(&issuer.clients, &headers, &params)?;
    if client.secret.is_none() {
        return Err(OAuthError::invalid_client("introspection is for confidential clients"));
    }
    let token = params.required("token")?;
    let answer = match active_access_token(&issuer, token) {
        Some(mut claims) => {
            claims.insert("active".into(), json!(true));
            claims.insert("token_type".into(), json!("Bearer"));
            Value::Object(claims)
        }
        None => refresh_token(&issuer, token).unwrap_or(json!({ "active": false })),
    };
    if headers.get(header::ACCEPT).is_some_and(|accept| accept == SIGNED) {
        return Ok(signed(&issuer, &client.id, answer).into_response());
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// The media type of a signed answer.
const SIGNED: &str = "application/token-introspection+jwt";

/// RFC 9701 §5.
fn signed(issuer: &Arc<Issuer>, client_id: &str, answer: Value) -> impl IntoResponse + use<> {
    let token = Mint::new(issuer.clone())
        .without_user()
        .audience(client_id)
        .header("typ", "token-introspection+jwt")
        .claim("token_introspection", answer)
        .without("sub")
        .without("exp")
        .without("client_id");
    ([(header::CONTENT_TYPE, SIGNED), (header::CACHE_CONTROL, "no-store")], token.sign())
}

/// The claims of an access token of this issuer that is neither expired nor revoked.
pub(super) fn active_access_token(issuer: &Issuer, token: &str) -> Option<Map<String, Value>> {
    let claims = issuer.access_token_claims(token)?;
    let now = now();
    let is_expired = claims.get("exp").and_then(Value::as_u64).is_some_and(|exp| exp <= now);
    let is_early = claims.get("nbf").and_then(Value::as_u64).is_some_and(|nbf| nbf > now);
    let is_issued_here = claims.get("iss").is_none_or(|iss| *iss == json!(issuer.identifier));
    let is_own = is_issued_here && claims.contains_key("client_id");
    let is_revoked = match claims.get("jti").and_then(Value::as_str) {
        Some(jti) => issuer.grants().is_revoked(jti),
        None => false,
    };
    (is_own && !is_expired && !is_early && !is_revoked).then_some(claims)
}

fn refresh_token(issuer: &Issuer, token: &str) -> Option<Value> {
    let grants = issuer.grants();
    let grant = grants.grant_of_refresh_token(token)?;
    Some(json!({
        "active": true,
        "iss": issuer.identifier,
        "sub": grant.subject,
        "client_id": grant.client_id,
        "scope": grant.scopes.join(" "),
    }))
}
