//! The issuer over real sockets, one module per behaviour.

mod authorization_errors;
mod client_credentials;
mod client_id_metadata_document;
mod code_flow;
mod consent_page;
mod control;
mod introspection;
mod keys;
mod loopback_only;
mod metadata;
mod mint;
mod modes;
mod refresh;
mod registration;
mod revocation;
mod support;
