//! Bytes in, bytes out: signing keys and the JSON Web Key Set.

mod jwk_set;
mod key_ring;
mod signing_key;
mod verified;

pub(crate) use jwk_set::verify_with_jwk_set;
pub(crate) use key_ring::KeyRing;
pub(crate) use signing_key::SigningKey;
pub(crate) use verified::Verified;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The `typ` of an Identity Assertion JWT Authorization Grant.
pub(crate) const ID_JAG_TYP: &str = "oauth-id-jag+jwt";

/// base64url without padding (RFC 7515 §2).
pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of unpadded base64url, or `None`.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// A fresh unguessable string of `N` random bytes, base64url.
pub(crate) fn random<const N: usize>() -> String {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has a random source");
    base64url(bytes)
}
