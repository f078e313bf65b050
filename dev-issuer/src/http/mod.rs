//! The listener, and what every request passes before it reaches an endpoint.

mod gate;
mod server;

pub(crate) use server::Server;
