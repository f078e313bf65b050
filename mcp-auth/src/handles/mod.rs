//! Handles that outlive a request, such as session identifiers: each is sealed for the caller who got it.
//!
//! A handle that a server gives out goes on with a tag behind it, and comes back with it. The tag says for whom, for which
//! resource and as what the handle was given; nobody else can use it, and nobody can make one. Nothing is stored, so every
//! instance with the same keys reads the tags of the others.

mod binding;
mod key_ring;
mod sealed_bytes;
mod sealer;
mod state_sealer;

pub(crate) use key_ring::KeyRing;
pub(crate) use sealed_bytes::SealedFor;
pub(crate) use sealer::{HandleKind, HandleSealer, StateOf};
pub use state_sealer::{StateError, StateSealer};
