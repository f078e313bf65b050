//! The metadata document and the JWK Set, which resource servers and clients read.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::clients::GrantType;
use crate::issuer::Issuer;

/// RFC 8414 and OpenID Connect Discovery: one document for both.
pub(super) async fn metadata(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let secret = ["client_secret_basic", "client_secret_post"];
    let with_secret_or_public = ["none", "client_secret_basic", "client_secret_post"];
    let mut document = json!({
        "issuer": issuer.identifier,
        "authorization_endpoint": issuer.url("/authorize"),
        "token_endpoint": issuer.url("/token"),
        "jwks_uri": issuer.url("/jwks"),
        "registration_endpoint": issuer.url("/register"),
        "introspection_endpoint": issuer.url("/introspect"),
        "revocation_endpoint": issuer.url("/revoke"),
        "userinfo_endpoint": issuer.url("/userinfo"),
        "scopes_supported": issuer.settings.scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "token_endpoint_auth_methods_supported": with_secret_or_public,
        "revocation_endpoint_auth_methods_supported": with_secret_or_public,
        "introspection_endpoint_auth_methods_supported": secret,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [issuer.settings.algorithm.as_str()],
        "claims_supported": ["sub", "name", "email"],
    });
    for (member, value) in &issuer.settings.metadata_override {
        document[member] = value.clone();
    }
    if let Some(members) = document.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    Json(document)
}

/// RFC 7517 §5.
pub(super) async fn jwks(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    Json(issuer.keys.jwk_set())
}
