//! The issuer over real sockets, one module per behaviour.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authorization_errors;
mod client_credentials;
mod client_id_metadata_document;
mod code_flow;
mod consent_page;
mod control;
mod id_jag;
mod introspection;
mod keys;
mod loopback_only;
mod metadata;
mod mint;
mod modes;
mod on_behalf_of;
mod refresh;
mod registration;
mod revocation;
mod support;
mod token_exchange;
mod token_modes;
