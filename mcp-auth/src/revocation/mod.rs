//! Tokens that were good, and are refused since somebody said so: [`McpAuth::revoke`](crate::McpAuth::revoke), an issuer,
//! or a [`RevocationCheck`].

mod cutoffs;
mod feed;
mod outbox;
mod pause;
#[expect(clippy::module_inception, reason = "each type is in a file of its name")]
mod revocation;
mod revocation_check;
mod seen_once;

pub(crate) use cutoffs::Cutoffs;
pub(crate) use feed::{Feed, FeedLimits};
pub use revocation::Revocation;
pub use revocation_check::{RevocationCheck, RevocationCheckError};
pub(crate) use seen_once::{Seen, SeenOnce};
