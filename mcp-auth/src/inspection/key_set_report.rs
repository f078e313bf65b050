//! The keys of an issuer.

use serde::Serialize;
use serde_json::Value;

use super::KeyReport;
use crate::algorithm::Algorithm;
use crate::issuer::KeySet;

/// An issuer's keys.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct KeySetReport {
    /// Where they are; `None` when they are given by hand, or nobody knows.
    pub jwks_uri: Option<String>,
    /// Why no token can be verified with them; `None` when one can.
    pub fault: Option<String>,
    /// Every key that was looked at.
    pub keys: Vec<KeyReport>,
    /// How many more there are, which are not used.
    pub ignored: usize,
    /// The algorithms that tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
}

impl KeySetReport {
    /// There is none, and tokens are opaque.
    pub(super) fn not_needed() -> Self {
        Self { jwks_uri: None, fault: None, keys: Vec::new(), ignored: 0, algorithms: Vec::new() }
    }

    pub(super) fn unavailable(jwks_uri: Option<String>, fault: impl Into<String>) -> Self {
        Self { jwks_uri, fault: Some(fault.into()), ..Self::not_needed() }
    }

    pub(super) fn read(
        jwks_uri: Option<String>,
        document: &Value,
        issuer: &str,
        accepted: &[Algorithm],
    ) -> Self {
        let judged = KeySet::judge(document, issuer).into_iter().flatten();
        let keys: Vec<_> =
            judged.map(|(jwk, judged)| KeyReport::new(jwk, judged, accepted)).collect();
        let algorithms = algorithms_of(&keys);
        let none_accepted = "the algorithms of its keys are none of those in `algorithms`";
        let fault = KeySet::read(document, issuer)
            .err()
            .or_else(|| algorithms.is_empty().then(|| none_accepted.to_owned()));
        Self { jwks_uri, fault, keys, ignored: KeySet::ignored(document), algorithms }
    }
}

/// The algorithms that tokens may be signed with: every key's, in the order of [`Algorithm::ALL`].
fn algorithms_of(keys: &[KeyReport]) -> Vec<Algorithm> {
    let of_some_key = |one: &&Algorithm| keys.iter().any(|key| key.algorithms.contains(*one));
    Algorithm::ALL.iter().filter(of_some_key).copied().collect()
}
