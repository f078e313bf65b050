//! A JWK Set (RFC 7517 §5) as prepared keys.

use serde_json::Value;

use crate::jose::{Algorithm, VerificationKey};

/// Keys a set may hold; the rest is skipped, so that a set cannot grow memory without bound.
const MAX_KEYS: usize = 256;
/// Keys that are tried for one token, when its `kid` does not single one out.
const MAX_CANDIDATES: usize = 4;

/// An issuer's usable keys. One odd key never spoils the others.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<VerificationKey>);

impl KeySet {
    /// Prepares every usable key of a set, and logs the others.
    pub(crate) fn read(issuer: &str, document: &Value) -> Result<Self, String> {
        let keys = document.get("keys").and_then(Value::as_array).ok_or("no `keys` array")?;
        let keys: Vec<_> =
            keys.iter().take(MAX_KEYS).filter_map(|jwk| usable(issuer, jwk)).collect();
        if keys.is_empty() {
            return Err("no key in the set can verify signatures".to_owned());
        }
        Ok(Self(keys))
    }

    /// The keys that may have signed a token with this header.
    pub(crate) fn candidates(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &VerificationKey> {
        let fitting = move |key: &&VerificationKey| {
            // A key without `kid` may answer to any: some issuers name keys only in the token.
            let named = key_id.is_none() || key.key_id().is_none() || key.key_id() == key_id;
            named && key.supports(algorithm)
        };
        self.0.iter().filter(fitting).take(MAX_CANDIDATES)
    }
}

fn usable(issuer: &str, jwk: &Value) -> Option<VerificationKey> {
    VerificationKey::from_jwk(jwk)
        .inspect_err(|reason| {
            let kid = jwk.get("kid").and_then(Value::as_str);
            tracing::debug!(issuer, kid, %reason, "a key is skipped");
        })
        .ok()
}
