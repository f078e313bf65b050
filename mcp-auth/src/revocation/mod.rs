//! Tokens that were good, and are refused since somebody said so: [`McpAuth::revoke`](crate::McpAuth::revoke).

mod cutoffs;
mod feed;
mod outbox;
mod pause;
#[expect(clippy::module_inception, reason = "each type is in a file of its name")]
mod revocation;

pub(crate) use cutoffs::Cutoffs;
pub(crate) use feed::{Feed, FeedLimits};
pub use revocation::Revocation;
