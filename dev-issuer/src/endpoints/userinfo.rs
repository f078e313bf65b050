//! The UserInfo endpoint of OpenID Connect.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::introspect::active_access_token;
use crate::issuer::Issuer;

/// OpenID Connect Core §5.3: `sub`, and what the scopes allow to see.
pub(super) async fn userinfo(State(issuer): State<Arc<Issuer>>, headers: HeaderMap) -> Response {
    let Some(token) = bearer_token(&headers) else {
        return refuse(StatusCode::UNAUTHORIZED, "Bearer");
    };
    let Some(mut claims) = active_access_token(&issuer, token) else {
        return refuse(StatusCode::UNAUTHORIZED, r#"Bearer error="invalid_token""#);
    };
    let scope = claims.get("scope").and_then(Value::as_str).unwrap_or_default().to_owned();
    let scopes: Vec<&str> = scope.split(' ').collect();
    if !scopes.contains(&"openid") {
        let challenge = r#"Bearer error="insufficient_scope", scope="openid""#;
        return refuse(StatusCode::FORBIDDEN, challenge);
    }
    let mut answer = Map::new();
    for (claim, scope_for_it) in [("sub", "openid"), ("name", "profile"), ("email", "email")] {
        if scopes.contains(&scope_for_it)
            && let Some(value) = claims.remove(claim)
        {
            answer.insert(claim.to_owned(), value);
        }
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn refuse(status: StatusCode, challenge: &'static str) -> Response {
    (status, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
}
