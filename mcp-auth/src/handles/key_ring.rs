//! The keys that seal handles.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use zeroize::Zeroizing;

/// Keys, of which the first seals and all open.
pub(crate) struct KeyRing {
    keys: Vec<hmac::Key>,
}

impl KeyRing {
    /// The fewest bytes of a key: those of what it makes.
    pub(crate) const MIN_KEY_BYTES: usize = 32;
    /// The most keys: each is tried for a handle that is not the caller's.
    pub(crate) const MAX_KEYS: usize = 8;

    /// The ring of these keys.
    pub(crate) fn new<'k>(keys: impl IntoIterator<Item = &'k [u8]>) -> Self {
        Self { keys: keys.into_iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)).collect() }
    }

    /// A ring of one new key, for one instance as long as it runs; `None` when the system has no randomness.
    pub(crate) fn random() -> Option<Self> {
        let mut key = Zeroizing::new([0; Self::MIN_KEY_BYTES]);
        rand::fill(&mut *key).ok()?;
        Some(Self::new([key.as_slice()]))
    }

    /// The key that seals.
    pub(super) fn sealing(&self) -> Option<&hmac::Key> {
        self.keys.first()
    }

    /// The keys that open, the one that seals first.
    pub(super) fn opening(&self) -> impl Iterator<Item = &hmac::Key> {
        self.keys.iter()
    }
}

/// Shows no key.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys.len()).finish()
    }
}
