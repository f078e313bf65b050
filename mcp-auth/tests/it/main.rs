//! The library through its real layer, with a development issuer on loopback.

#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adapters;
mod authenticate;
mod authorize;
mod configuration;
mod downstream;
mod issuer;
mod notice_vectors;
mod providers;
mod real_providers;
mod serve;
mod settings_vectors;
mod support;
mod user_grants;
mod vectors;
