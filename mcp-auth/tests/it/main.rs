//! The library through its real layer, with a development issuer on loopback.

#![cfg(feature = "axum")]

mod bearer;
mod challenge;
mod configuration;
mod cors;
mod discovery;
mod issuer_outage;
mod key_rotation;
mod logging;
mod mounting;
mod support;
mod transition;
mod vectors;
