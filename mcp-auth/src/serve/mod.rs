//! WHAT DOES HTTP SEE? Every answer is decided here, once; adapters decide nothing.

#[cfg(feature = "axum")]
mod axum;
mod challenge;
mod cors;
mod decision;
mod layer;
mod resource;
#[cfg(feature = "rmcp3")]
mod rmcp;

pub(crate) use cors::AllowedOrigins;
pub use decision::{Decision, Forward, Reply};
pub use layer::{AuthFuture, AuthLayer, AuthService};
pub(crate) use resource::Resource;
