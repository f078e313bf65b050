//! BYTES IN, BYTES OUT: signatures, keys and their encodings.
//!
//! Synchronous, no input or output, no clock. Everything here is reachable with bytes that a
//! stranger chose, so every function is total: it returns an error, it never panics.

mod base64url;
mod jwk;
mod jws;
mod known_headers;
#[cfg(test)]
mod rfc_examples;
mod roca;
mod scheme;
mod signing;
#[cfg(test)]
mod wycheproof;

pub(crate) use jwk::{VerificationKey, modulus_bits, set_member};
pub(crate) use jws::{
    Jws, JwsCopy, JwsError, MediaType, NamesIssuer, TokenLimits, VerifiedCopy, VerifiedJws,
};
pub(crate) use known_headers::KnownHeaders;
pub(crate) use signing::{Digest, SigningKey, random_id, sha256};
