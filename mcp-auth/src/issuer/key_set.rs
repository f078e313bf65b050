//! A JWK Set (RFC 7517 §5) as prepared keys.

use std::fmt;

use serde_json::Value;

use crate::jose::{Jws, SignatureVerified, VerificationKey};

/// Keys a set may hold; the rest is skipped, so that a set cannot grow memory without bound.
const MAX_KEYS: usize = 256;
/// Keys that are tried for one token, when its `kid` does not single one out.
const MAX_CANDIDATES: usize = 4;

/// An issuer's usable keys. One odd key never spoils the others.
pub(crate) struct KeySet {
    keys: Vec<VerificationKey>,
    /// The document they came from.
    document: String,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}

impl KeySet {
    /// Prepares every usable key of a set, and logs the others.
    pub(crate) fn read(issuer: &str, document: &Value) -> Result<Self, String> {
        let keys = document.get("keys").and_then(Value::as_array).ok_or("no `keys` array")?;
        let keys: Vec<_> =
            keys.iter().take(MAX_KEYS).filter_map(|jwk| usable(issuer, jwk)).collect();
        if keys.is_empty() {
            return Err("no key in the set can verify signatures".to_owned());
        }
        Ok(Self { keys, document: document.to_string() })
    }

    /// Looks for the key that made a token's signature.
    pub(crate) fn verify(&self, jws: &Jws<'_>) -> Result<SignatureVerified, KeyMismatch> {
        let mut mismatch = KeyMismatch::NoKey;
        for key in self.keys(jws, |key| key.key_id().is_some() && key.key_id() == jws.key_id()) {
            if let Some(verified) = jws.verify(key) {
                return Ok(verified);
            }
            mismatch = KeyMismatch::Forged;
        }
        if mismatch == KeyMismatch::Forged {
            return Err(mismatch);
        }
        // A token may name no key, and a set may have keys without a name.
        for key in self.keys(jws, |key| jws.key_id().is_none() || key.key_id().is_none()) {
            if let Some(verified) = jws.verify(key) {
                return Ok(verified);
            }
            mismatch = KeyMismatch::NotNamed;
        }
        Err(mismatch)
    }

    /// Whether both were read from the same document.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.document == other.document
    }

    fn keys(
        &self,
        jws: &Jws<'_>,
        wanted: impl Fn(&VerificationKey) -> bool,
    ) -> impl Iterator<Item = &VerificationKey> {
        let algorithm = jws.algorithm();
        self.keys
            .iter()
            .filter(move |key| key.supports(algorithm) && wanted(key))
            .take(MAX_CANDIDATES)
    }
}

/// Why a set has no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyMismatch {
    /// The key that the token names did not make the signature.
    Forged,
    /// The set has no key that could have made it.
    NoKey,
    /// The token names no key of the set, and none of those without a name made it.
    NotNamed,
}

fn usable(issuer: &str, jwk: &Value) -> Option<VerificationKey> {
    VerificationKey::from_jwk(jwk)
        .inspect_err(|reason| {
            let kid = jwk.get("kid").and_then(Value::as_str);
            tracing::debug!(issuer, kid, %reason, "a key is skipped");
        })
        .ok()
}
