//! One file for each endpoint, and the router that leads to them.
//!
//! [`Endpoint`](crate::endpoint::Endpoint) tells the paths apart too; a path that is added here is added there.

mod authorize;
mod control;
mod introspect;
mod metadata;
mod register;
mod requested;
mod revoke;
mod token;
mod userinfo;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::issuer::Issuer;

const MAX_BODY_BYTES: usize = 64 * 1024;

pub(crate) fn router(issuer: Arc<Issuer>) -> Router {
    let base = issuer.base_path();
    let well_known: BTreeSet<String> =
        issuer.settings.metadata_at.iter().map(|location| location.path(base)).collect();
    let mut router = Router::new()
        .route(&format!("{base}/jwks"), get(metadata::jwks))
        .route(&format!("{base}/authorize"), get(authorize::ask).post(authorize::decide))
        .route(&format!("{base}/token"), post(token::token))
        .route(&format!("{base}/register"), post(register::register))
        .route(&format!("{base}/introspect"), post(introspect::introspect))
        .route(&format!("{base}/revoke"), post(revoke::revoke))
        .route(&format!("{base}/userinfo"), get(userinfo::userinfo).post(userinfo::userinfo))
        .route(&format!("{base}/dev/mint"), get(control::describe_mint).post(control::mint))
        .route(&format!("{base}/dev/rotate"), post(control::rotate))
        .route(&format!("{base}/dev/mode"), post(control::mode))
        .route(&format!("{base}/dev/requests"), get(control::requests));

    for path in well_known {
        router = router.route(&path, get(metadata::metadata));
    }
    router.layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(issuer)
}
