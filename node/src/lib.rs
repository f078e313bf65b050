//! The native half of the npm package `mcp-auth-node`: the library for one call per request.
//!
//! Nothing is decided here. JavaScript hands over strings and gets a decision; where an authorization
//! server has to be asked first, it gets a `Pending` and asks again.

mod auth;
pub mod command;
pub mod config;
mod downstream;
mod functions;
mod known_callers;
pub mod log;
mod outcome;
mod owner;
mod pending;
mod request;
mod response;
mod revocation_check;
mod runtime;
mod stream;
mod testing;
