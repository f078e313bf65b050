//! One key of a set.

use serde::Serialize;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::jose::{VerificationKey, modulus_bits};

/// Characters of a member that are told.
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
    /// `accepted`: the algorithms that are configured; empty for all.
    pub(super) fn new(
        jwk: &Value,
        judged: Result<VerificationKey, String>,
        accepted: &[Algorithm],
    ) -> Self {
        let text = |name| {
            let text = jwk.get(name).and_then(Value::as_str);
            text.map(|text| text.chars().take(MAX_TEXT).collect())
        };
        let verifies = |key: &VerificationKey| {
            let wanted = |one: &&Algorithm| {
                key.supports(**one) && (accepted.is_empty() || accepted.contains(one))
            };
            Algorithm::ALL.iter().filter(wanted).copied().collect()
        };
        Self {
            kid: text("kid"),
            kty: text("kty"),
            crv: text("crv"),
            bits: modulus_bits(jwk),
            alg: text("alg"),
            purpose: text("use"),
            issuer: text("issuer"),
            algorithms: judged.as_ref().map(verifies).unwrap_or_default(),
            fault: judged.err(),
        }
    }

    /// Whether it is for encryption: many issuers publish such keys beside the others, and nobody
    /// has to act.
    pub fn is_for_encryption(&self) -> bool {
        self.purpose.as_deref() == Some("enc")
    }
}
