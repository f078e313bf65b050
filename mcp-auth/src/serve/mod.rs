//! WHAT DOES HTTP SEE? Every answer is decided here, once; adapters decide nothing.

#[cfg(feature = "axum")]
mod axum;
mod body_kind;
mod challenge;
mod cors;
mod decision;
mod event_stream;
mod filtered_events;
mod layer;
mod list_filter;
mod list_rules;
mod list_trace;
mod mcp_headers;
mod open_request;
mod pending_decision;
mod protected_body;
mod resource;
mod response;
mod response_filter;
#[cfg(feature = "rmcp3")]
mod rmcp;

pub(crate) use cors::AllowedOrigins;
pub use decision::{Decision, Forward, Reply};
pub use layer::{AuthFuture, AuthLayer, AuthService};
pub(crate) use list_rules::ListRules;
#[cfg(test)]
pub(crate) use mcp_headers::check as check_mcp_headers;
pub(crate) use open_request::OpenRequest;
pub use pending_decision::PendingDecision;
pub use protected_body::ProtectedBody;
pub(crate) use resource::{BodyLimits, Resource};
pub use response_filter::{Passage, ResponseFilter};
#[cfg(feature = "rmcp3")]
pub use rmcp::OptionalAuthInfo;
