//! The library through its real layer, with a development issuer on loopback.

#![cfg(feature = "axum")]

mod bearer;
mod challenge;
mod configuration;
mod cors;
mod mounting;
mod support;
