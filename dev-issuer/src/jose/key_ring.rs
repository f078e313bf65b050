//! Which keys sign, and which are published.
//!
//! Rotation separates the two: a key that was current stays published, so that tokens signed before can be verified, unless
//! the test wants it gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::{SigningKey, Verified, from_base64url};
use crate::algorithm::Algorithm;

/// The keys of the issuer: the current one of each algorithm, and every published one.
pub(crate) struct KeyRing {
    default: Algorithm,
    keys: Mutex<Keys>,
}

impl KeyRing {
    pub(crate) fn new(default: Algorithm) -> Self {
        let ring = Self { default, keys: Mutex::default() };
        ring.current(default);
        ring
    }

    /// The key that signs with `algorithm` now; made, and published, when first asked for.
    pub(crate) fn current(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        let mut keys = self.lock();
        if let Some(key) = keys.current.get(&algorithm) {
            return key.clone();
        }
        let key = Arc::new(SigningKey::generate(algorithm));
        keys.current.insert(algorithm, key.clone());
        keys.published.push(key.clone());
        key
    }

    pub(crate) fn rotate(&self, keep_old: bool) {
        {
            let mut keys = self.lock();
            keys.current.clear();
            if !keep_old {
                keys.published.clear();
            }
        }
        self.current(self.default);
    }

    /// The JWK Set (RFC 7517 §5).
    pub(crate) fn jwk_set(&self) -> Value {
        let keys: Vec<Value> = self.lock().published.iter().map(|key| key.jwk()).collect();
        json!({ "keys": keys })
    }

    /// What a JWS says that a published key has signed. The token may have expired.
    pub(crate) fn verify(&self, token: &str) -> Option<Verified> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        let header: Map<String, Value> = serde_json::from_slice(&from_base64url(header)?).ok()?;
        let kid = header.get("kid")?;
        let key = self.lock().published.iter().find(|key| *kid == key.kid).cloned()?;
        if *header.get("alg")? != key.algorithm.as_str() {
            return None;
        }
        key.verifies(message.as_bytes(), &from_base64url(signature)?).then_some(())?;
        let claims = serde_json::from_slice(&from_base64url(payload)?).ok()?;
        Some(Verified { header, claims })
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Keys {
    current: HashMap<Algorithm, Arc<SigningKey>>,
    published: Vec<Arc<SigningKey>>,
}
