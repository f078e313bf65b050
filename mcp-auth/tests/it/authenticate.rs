//! Who is calling: every way of sending a token, attacks on tokens, the cache, opaque tokens.

mod attacks;
mod bearer;
mod explanation;
mod introspection;
mod own_verifier;
mod principal;
mod revocation;
mod revocation_check;
#[cfg(all(unix, feature = "redis"))]
mod shared_store;
mod token_cache;
