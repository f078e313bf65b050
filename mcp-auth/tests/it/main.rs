//! The library through its real layer, with a development issuer on loopback.

#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod bearer;
mod challenge;
mod configuration;
mod cors;
mod discovery;
mod issuer_outage;
mod key_rotation;
mod logging;
mod mounting;
#[cfg(feature = "rmcp3")]
mod rmcp;
mod support;
mod token_cache;
mod transition;
mod vectors;
