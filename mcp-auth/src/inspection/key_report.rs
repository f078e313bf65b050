//! One key of a set.

use serde::Serialize;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::jose::{VerificationKey, modulus_bits};

/// How many characters of a member are shown: the issuer chooses its length.
const MAX_TEXT: usize = 128;

/// A JSON Web Key without the key: how it is labelled, and whether it can verify tokens.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct KeyReport {
    /// Its `kid`.
    pub kid: Option<String>,
    /// Its `kty`.
    pub kty: Option<String>,
    /// Its curve.
    pub crv: Option<String>,
    /// The size of an RSA key, in bits.
    pub bits: Option<usize>,
    /// Its `alg`.
    pub alg: Option<String>,
    /// Its `use`.
    #[serde(rename = "use")]
    pub purpose: Option<String>,
    /// Its `issuer`, which Entra ID adds: only tokens of this issuer are signed with it.
    pub issuer: Option<String>,
    /// The algorithms that it verifies; none when it cannot be used.
    pub algorithms: Vec<Algorithm>,
    /// Why it cannot be used.
    pub fault: Option<String>,
}

impl KeyReport {
    /// `judged` is the key that verification makes of it, or why it makes none; `accepted` are the algorithms that are
    /// configured, and when it is empty, all are accepted.
    pub(super) fn new(
        jwk: &Value,
        judged: Result<VerificationKey, String>,
        accepted: &[Algorithm],
    ) -> Self {
        let (algorithms, fault) = match judged {
            Ok(key) => (accepted_algorithms_of(&key, accepted), None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        Self {
            kid: short_text_member(jwk, "kid"),
            kty: short_text_member(jwk, "kty"),
            crv: short_text_member(jwk, "crv"),
            bits: modulus_bits(jwk),
            alg: short_text_member(jwk, "alg"),
            purpose: short_text_member(jwk, "use"),
            issuer: short_text_member(jwk, "issuer"),
            algorithms,
            fault,
        }
    }

    /// Whether it is for encryption: many issuers publish such keys beside the others, and nobody
    /// has to act.
    pub fn is_for_encryption(&self) -> bool {
        self.purpose.as_deref() == Some("enc")
    }
}

fn short_text_member(jwk: &Value, name: &str) -> Option<String> {
    let text = jwk.get(name).and_then(Value::as_str)?;
    Some(text.chars().take(MAX_TEXT).collect())
}

fn accepted_algorithms_of(key: &VerificationKey, accepted: &[Algorithm]) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for &algorithm in Algorithm::ALL {
        if key.supports(algorithm) && (accepted.is_empty() || accepted.contains(&algorithm)) {
            algorithms.push(algorithm);
        }
    }
    algorithms
}
