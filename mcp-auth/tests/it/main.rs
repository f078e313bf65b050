//! The library through its real layer, with a development issuer on loopback.

#![cfg(feature = "axum")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adapter;
mod attacks;
mod bearer;
mod challenge;
mod configuration;
mod cors;
mod discovery;
mod explanation;
mod failing_hooks;
mod hostile;
mod hostile_issuer;
mod introspection;
mod issuer_inspection;
mod issuer_outage;
mod json_readers;
mod key_fetching;
mod key_rotation;
mod key_stampede;
mod limits;
mod logging;
mod mounting;
mod plain_json;
mod policy;
mod principal;
mod providers;
mod real_providers;
mod request_bodies;
#[cfg(feature = "rmcp3")]
mod rmcp;
mod scripted;
mod seen_tokens;
mod settings_vectors;
mod static_keys;
mod support;
mod token_cache;
mod tolerant_sets;
mod transition;
mod vectors;
