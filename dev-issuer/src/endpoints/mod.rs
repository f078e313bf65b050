//! One file per endpoint.

mod authorize;
mod control;
mod introspect;
mod metadata;
mod register;
mod revoke;
mod token;
mod userinfo;

pub(crate) use authorize::AuthorizationRequest;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::core::Core;

const MAX_BODY_BYTES: usize = 64 * 1024;

pub(crate) fn router(core: Arc<Core>) -> Router {
    let base = core.base_path();
    let at = |endpoint: &str| format!("{base}{endpoint}");
    let well_known: BTreeSet<String> =
        core.settings.metadata_at.iter().map(|location| location.path(base)).collect();

    let mut router = Router::new();
    for path in well_known {
        router = router.route(&path, get(metadata::metadata));
    }
    router
        .route(&at("/jwks"), get(metadata::jwks))
        .route(&at("/authorize"), get(authorize::ask).post(authorize::decide))
        .route(&at("/token"), post(token::token))
        .route(&at("/register"), post(register::register))
        .route(&at("/introspect"), post(introspect::introspect))
        .route(&at("/revoke"), post(revoke::revoke))
        .route(&at("/userinfo"), get(userinfo::userinfo).post(userinfo::userinfo))
        .route(&at("/dev/mint"), post(control::mint))
        .route(&at("/dev/rotate"), post(control::rotate))
        .route(&at("/dev/mode"), post(control::mode))
        .route(&at("/dev/requests"), get(control::requests))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(core)
}
