//! WHAT DOES HTTP SEE? Every answer is decided here, once; adapters decide nothing.
//!
//! [`resource`] is the way of a request: its head, its caller, a [`Decision`]. Where that depends on the body, the decision
//! is a [`PendingDecision`]. [`challenge`] makes the answer to whoever is refused, and [`decision_log`] the line for the
//! operator. [`response`] is the way back.

mod annotations;
mod challenge;
mod cors;
mod decision;
mod decision_log;
mod exchange;
mod held_bytes;
mod known_tasks;
mod limited;
mod log_value;
mod mcp_headers;
mod metadata_document;
mod mirrored_arguments;
mod notice_request;
mod pending_decision;
mod resource;
mod response;
mod sealed_handles;
mod sessions;
mod splice;
mod standing;
mod succession;
mod token_explanation;
mod unlisted_rules;

pub(crate) use cors::AllowedOrigins;
pub use decision::{Decision, Forward, Reply};
pub(crate) use held_bytes::HeldBytes;
pub use log_value::LogValue;
#[cfg(test)]
pub(crate) use mcp_headers::{
    check as check_mcp_headers, check_arguments as check_argument_headers,
};
#[cfg(test)]
pub(crate) use mirrored_arguments::MirroredArguments;
pub(crate) use notice_request::{decide_notice, warn_of_closed_path};
pub use pending_decision::PendingDecision;
pub(crate) use pending_decision::announced_length;
pub(crate) use resource::{BodyLimits, Resource};
pub(crate) use response::poll_start;
pub use response::{Passage, ProtectedBody, ResponseFilter, StreamEnd};
pub(crate) use sealed_handles::SealedHandles;
pub use token_explanation::TokenExplanation;
