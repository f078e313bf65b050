//! The keys of an issuer.

use serde::Serialize;
use serde_json::Value;

use super::{FaultKind, KeyReport};
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
    /// What is the matter, for programs: where it is the request or the way, the keys need no correction.
    pub fault_kind: Option<FaultKind>,
    /// Every key that was looked at.
    pub keys: Vec<KeyReport>,
    /// How many more there are, which are not used.
    pub ignored: usize,
    /// The algorithms that tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
}

impl KeySetReport {
    /// For an issuer without keys, whose tokens are opaque.
    pub(super) fn not_needed() -> Self {
        Self {
            jwks_uri: None,
            fault: None,
            fault_kind: None,
            keys: Vec::new(),
            ignored: 0,
            algorithms: Vec::new(),
        }
    }

    /// For an issuer whose keys cannot be had, with the reason.
    pub(super) fn unavailable(
        jwks_uri: Option<String>,
        kind: FaultKind,
        reason: impl Into<String>,
    ) -> Self {
        let (fault, fault_kind) = (Some(reason.into()), Some(kind));
        Self { jwks_uri, fault, fault_kind, ..Self::not_needed() }
    }

    /// Reads a JWK Set. `accepted` are the algorithms that are configured; when it is empty, all are accepted.
    pub(super) fn read(
        jwks_uri: Option<String>,
        document: &Value,
        issuer: &str,
        accepted: &[Algorithm],
    ) -> Self {
        let mut keys = Vec::new();
        for (jwk, judged) in KeySet::judge(document, issuer).into_iter().flatten() {
            keys.push(KeyReport::new(jwk, judged, accepted));
        }
        let algorithms = algorithms_of(&keys);
        let fault = match KeySet::read(document, issuer) {
            Err(reason) => Some(reason),
            Ok(_) if algorithms.is_empty() => {
                Some("the algorithms of its keys are none of those in `algorithms`".to_owned())
            }
            Ok(_) => None,
        };
        let fault_kind = fault.as_ref().map(|_| FaultKind::Unusable);
        let ignored = KeySet::ignored(document);
        Self { jwks_uri, fault, fault_kind, keys, ignored, algorithms }
    }
}

/// The algorithms that tokens may be signed with: every key's, in the order of [`Algorithm::ALL`].
fn algorithms_of(keys: &[KeyReport]) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for &algorithm in Algorithm::ALL {
        if keys.iter().any(|key| key.algorithms.contains(&algorithm)) {
            algorithms.push(algorithm);
        }
    }
    algorithms
}
