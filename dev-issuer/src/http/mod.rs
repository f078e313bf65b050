//! The listener, and what every request passes before it reaches an endpoint.

mod gate;
mod loopback;
mod oauth_error;
mod params;
mod server;

pub(crate) use loopback::is_loopback_host;
pub(crate) use oauth_error::OAuthError;
pub(crate) use params::Params;
pub(crate) use server::Server;
