//! BYTES IN, BYTES OUT: signatures, keys and their encodings.
//!
//! Synchronous, no input or output, no clock. Everything here is reachable with bytes that a
//! stranger chose, so every function is total: it returns an error, it never panics.

mod algorithm;
mod json;
mod jwk;
mod jws;

pub use algorithm::Algorithm;
pub(crate) use json::{Checked, Object, Text, read_object};
pub(crate) use jwk::VerificationKey;
pub(crate) use jws::{Jws, JwsError, SignatureVerified};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Decodes base64url as RFC 7515 §2 defines it: no padding, no white space, no stray bits.
fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
