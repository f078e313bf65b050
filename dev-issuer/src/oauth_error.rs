//! The errors that OAuth endpoints answer with, and how they look on the wire.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An OAuth error: a registered code and one sentence. As a response it is RFC 6749 §5.2 JSON.
#[derive(Clone, Debug)]
pub(crate) struct OAuthError {
    pub(crate) error: &'static str,
    pub(crate) description: String,
}

impl OAuthError {
    pub(crate) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, description: description.into().chars().map(printable).collect() }
    }

    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub(crate) fn invalid_client(description: impl Into<String>) -> Self {
        Self::new("invalid_client", description)
    }

    pub(crate) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }

    pub(crate) fn invalid_scope(scope: &str) -> Self {
        Self::new("invalid_scope", format!("scope {scope} cannot be granted"))
    }

    /// RFC 8707 §2.
    pub(crate) fn invalid_target(description: impl Into<String>) -> Self {
        Self::new("invalid_target", description)
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.error, "error_description": self.description }));
        let no_store = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
        if self.error == "invalid_client" {
            let challenge = [(header::WWW_AUTHENTICATE, r#"Basic realm="dev-issuer""#)];
            return (StatusCode::UNAUTHORIZED, challenge, no_store, body).into_response();
        }
        (StatusCode::BAD_REQUEST, no_store, body).into_response()
    }
}

/// RFC 6749 §5.2: error_description has no quotes, backslashes, controls or non-ASCII.
fn printable(c: char) -> char {
    match c {
        ' '..='!' | '#'..='[' | ']'..='~' => c,
        _ => '?',
    }
}
