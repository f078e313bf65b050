use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::introspect::active_access_token;
use crate::core::Core;

/// OpenID Connect Core §5.3: `sub`, and what the scopes allow to see.
pub(super) async fn userinfo(State(core): State<Arc<Core>>, headers: HeaderMap) -> Response {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        return refuse(StatusCode::UNAUTHORIZED, "Bearer");
    };
    let Some(mut claims) = active_access_token(&core, token.trim()) else {
        return refuse(StatusCode::UNAUTHORIZED, r#"Bearer error="invalid_token""#);
    };
    let scope = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    let has = |wanted| scope.split(' ').any(|scope| scope == wanted);
    if !has("openid") {
        let challenge = r#"Bearer error="insufficient_scope", scope="openid""#;
        return refuse(StatusCode::FORBIDDEN, challenge);
    }
    let visible = [("sub", true), ("name", has("profile")), ("email", has("email"))];
    let answer: Map<String, Value> = visible
        .into_iter()
        .filter(|(_, is_visible)| *is_visible)
        .filter_map(|(claim, _)| Some((claim.to_owned(), claims.remove(claim)?)))
        .collect();
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

fn refuse(status: StatusCode, challenge: &'static str) -> Response {
    (status, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
}
