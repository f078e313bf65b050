//! HOW DOES A FRAMEWORK ASK? Adapters carry out what [`McpAuth`](crate::McpAuth) decides, and decide nothing themselves.

#[cfg(feature = "axum")]
mod axum;
mod downstream;
#[cfg(feature = "rmcp3")]
mod rmcp;
mod tower;

pub use downstream::{DownstreamClient, DownstreamLayer};
#[cfg(feature = "rmcp3")]
pub use rmcp::{OptionalAuthInfo, requires};
pub use tower::{AuthFuture, AuthLayer, AuthService};
