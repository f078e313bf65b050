//! A secret in a configuration: it is never shown.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A secret. It is read like any text, and never written: not as data, not in logs. It is wiped when it
/// goes; the text that it was read from, and the requests that it was put into, are not.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// The text of the secret, for the request that needs it. It must not be logged.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Shows `Secret(…)`, so that no log has the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<S: Into<String>> From<S> for Secret {
    fn from(secret: S) -> Self {
        Self::new(secret)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
