use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::client;
use crate::core::{Core, now};
use crate::http::{OAuthError, Params};
use crate::mint::Mint;

/// RFC 7662 §2. For confidential clients; any of them may ask about any token.
pub(super) async fn introspect(
    State(core): State<Arc<Core>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let params = Params::form(&headers, &body)?;
    let client = client::authenticate(&core.clients, &headers, &params)?;
    if client.secret.is_none() {
        return Err(OAuthError::invalid_client("introspection is for confidential clients"));
    }
    let token = params.required("token")?;
    let answer = match active_access_token(&core, token) {
        Some(mut claims) => {
            claims.insert("active".into(), json!(true));
            claims.insert("token_type".into(), json!("Bearer"));
            Value::Object(claims)
        }
        None => refresh_token(&core, token).unwrap_or(json!({ "active": false })),
    };
    if headers.get(header::ACCEPT).is_some_and(|accept| accept == SIGNED) {
        return Ok(signed(&core, &client.id, answer).into_response());
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// The media type of a signed answer.
const SIGNED: &str = "application/token-introspection+jwt";

/// RFC 9701 §5.
fn signed(core: &Arc<Core>, client_id: &str, answer: Value) -> impl IntoResponse + use<> {
    let answer = Mint::new(core.clone())
        .without_user()
        .audience(client_id)
        .header("typ", "token-introspection+jwt")
        .claim("token_introspection", answer)
        .without("sub")
        .without("exp")
        .without("client_id");
    ([(header::CONTENT_TYPE, SIGNED), (header::CACHE_CONTROL, "no-store")], answer.sign())
}

/// The claims of an access token of this issuer that is neither expired nor revoked.
pub(super) fn active_access_token(core: &Core, token: &str) -> Option<Map<String, Value>> {
    let claims = core.access_token(token)?;
    let now = now();
    let is_expired = claims.get("exp").and_then(Value::as_u64).is_some_and(|exp| exp <= now);
    let is_early = claims.get("nbf").and_then(Value::as_u64).is_some_and(|nbf| nbf > now);
    let is_own = claims.get("iss").is_none_or(|iss| *iss == json!(core.issuer));
    let is_own = is_own && claims.contains_key("client_id");
    let jti = claims.get("jti").and_then(Value::as_str);
    let is_revoked = jti.is_some_and(|jti| core.grants().is_revoked(jti));
    (is_own && !is_expired && !is_early && !is_revoked).then_some(claims)
}

fn refresh_token(core: &Core, token: &str) -> Option<Value> {
    let grants = core.grants();
    let grant = grants.grant_of_refresh_token(token)?;
    Some(json!({
        "active": true,
        "iss": core.issuer,
        "sub": grant.subject,
        "client_id": grant.client_id,
        "scope": grant.scopes.join(" "),
    }))
}
