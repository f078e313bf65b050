//! The registration endpoint (RFC 7591).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::clients::{ClientMetadata, MAX_METADATA_BYTES};
use crate::clock::now;
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;

/// RFC 7591 §3. Open to everyone.
pub(super) async fn register(
    State(issuer): State<Arc<Issuer>>,
    body: Bytes,
) -> Result<Response, OAuthError> {
    if body.len() > MAX_METADATA_BYTES {
        return Err(OAuthError::new("invalid_client_metadata", "the metadata is over 10 KiB"));
    }
    let sent = serde_json::from_slice(&body)
        .map_err(|_| OAuthError::new("invalid_client_metadata", "the body is no JSON object"))?;
    let metadata = ClientMetadata::parse(sent)?;
    let mut document = metadata.document.clone();
    let client = issuer.clients.register(metadata);

    document.insert("client_id".into(), json!(client.id));
    document.insert("client_id_issued_at".into(), json!(now()));
    if let Some(secret) = &client.secret {
        document.entry("token_endpoint_auth_method").or_insert(json!("client_secret_basic"));
        document.insert("client_secret".into(), json!(secret));
        // RFC 7591 §3.2.1: 0, it never expires.
        document.insert("client_secret_expires_at".into(), json!(0));
    }
    let no_store = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    Ok((StatusCode::CREATED, no_store, Json(document)).into_response())
}
