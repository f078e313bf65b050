//! FROM A CONFIGURATION TO RUNNING PARTS. `config` is data; here it is checked, and here the files are read that it
//! names.
//!
//! 1. `parsed_config`, `parsed_downstream`, `parsed_limits`, `parsed_resource`, `parsed_server` and `parsed_introspection` check one part of the
//!    configuration each: what is wrong is listed, and what is right is parsed into what running code needs.
//!    `key_source`, `credentials` and `trust_anchors` read keys, secrets and certificates for them; `metadata_members`
//!    checks what a resource says of itself.
//!    `json_config` reads a configuration that is written as JSON, and `unreadable_config` says where it cannot be read.
//! 2. `builder` is what a user fills in beside the configuration: code, such as a clock or an HTTP client. `hooks` keeps it,
//!    for the configurations that come later.
//! 3. `assembler` puts the parts together that answer requests; it cannot fail. They are a `serving`, of which the next one
//!    takes over what did not change. `warnings` names every setting that weakens a check.
//!
//! Integration tests: `configuration`, `static_keys`, `introspection`.

mod assembler;
mod builder;
mod credentials;
mod environment;
mod handle_keys;
mod hooks;
mod json_config;
mod key_source;
mod metadata_members;
mod parsed_config;
mod parsed_connect;
mod parsed_downstream;
mod parsed_introspection;
mod parsed_limits;
mod parsed_resource;
mod parsed_server;
mod parsed_shared_store;
mod serving;
mod trust_anchors;
mod unreadable_config;
mod warnings;

pub use builder::McpAuthBuilder;
pub(crate) use hooks::Hooks;
pub(crate) use serving::Serving;
