//! A JSON Web Key (RFC 7517), checked once and prepared for every algorithm it may verify.

use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use serde_json::Value;

use super::base64url::base64url;
use super::roca;
use super::scheme::{PreparedKey, Scheme};
use crate::algorithm::Algorithm;

/// Smallest RSA modulus accepted, in bits (RFC 7518 §3.3).
const MIN_RSA_BITS: usize = 2048;
/// Largest RSA modulus accepted, in bits: verification time grows with it.
const MAX_RSA_BITS: usize = 8192;
/// Longest RSA exponent accepted, in bytes, for the same reason; nearly all are 65537.
const MAX_RSA_EXPONENT: usize = 4;

/// A public key that may verify signatures, parsed and prepared once.
pub(crate) struct VerificationKey {
    key_id: Option<Box<str>>,
    /// A bit for each algorithm it may verify: keys that do not fit are passed over without a look
    /// at anything else of them.
    algorithms: u32,
    is_slow: bool,
    prepared: Vec<PreparedKey>,
}

impl VerificationKey {
    /// Prepares a key, or says why it cannot verify signatures.
    pub(crate) fn from_jwk(jwk: &Value) -> Result<Self, JwkError> {
        let kty = member(jwk, "kty")?;
        check_use(jwk)?;
        let algorithms = algorithms_of(jwk, kty)?;
        let bits = algorithms.iter().fold(0, |bits, algorithm| bits | bit(*algorithm));
        let prepared = algorithms
            .into_iter()
            .map(|algorithm| Ok(PreparedKey { algorithm, key: prepare(jwk, algorithm.scheme())? }))
            .collect::<Result<_, JwkError>>()?;
        // A name only says which key to try first; without one it is as good a key of the issuer.
        let key_id = jwk.get("kid").and_then(Value::as_str).map(Into::into);
        Ok(Self { key_id, algorithms: bits, is_slow: is_slow(jwk), prepared })
    }

    /// The key's `kid`.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether `alg`, `kty`, `crv`, `use` and `key_ops` all allow this algorithm.
    pub(crate) fn supports(&self, algorithm: Algorithm) -> bool {
        self.algorithms & bit(algorithm) != 0
    }

    /// Whether one check takes more than 0.1 ms.
    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow
    }

    /// Whether `signature` over `message` was made with this key and algorithm.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.prepared
            .iter()
            .filter(|prepared| prepared.algorithm == algorithm)
            .any(|prepared| prepared.key.verify_sig(message, signature).is_ok())
    }
}

fn bit(algorithm: Algorithm) -> u32 {
    1 << algorithm as u32
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms = self.prepared.iter().map(|prepared| prepared.algorithm.name());
        f.debug_struct("VerificationKey")
            .field("key_id", &self.key_id)
            .field("algorithms", &algorithms.collect::<Vec<_>>())
            .finish()
    }
}

/// Why a JSON Web Key cannot verify token signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JwkError {
    /// `alg` names an algorithm that does not fit the key, or that is not supported.
    AlgorithmMismatch,
    /// An RSA key whose private key can be computed from it (CVE-2017-15361).
    FactorableRsa,
    /// The key is meant for something else: `use` is not `sig`, or `key_ops` lacks `verify`.
    NotForSignatures,
    /// The key material is refused: not on the curve, wrong length, or not a key at all.
    Rejected,
    /// `kty` or `crv` is not one that a supported algorithm uses.
    UnsupportedKeyType,
    /// A required member is missing or not of its type.
    WrongMember(&'static str),
    /// An RSA modulus that is even, below 2048 or above 8192 bits, or an exponent that is even, 1,
    /// or above 32 bits.
    WeakRsa,
}

impl fmt::Display for JwkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlgorithmMismatch => {
                f.write_str("`alg` does not fit the key or is not supported")
            }
            Self::FactorableRsa => {
                f.write_str("an RSA key that can be factored (ROCA, CVE-2017-15361): replace it")
            }
            Self::NotForSignatures => f.write_str("not a key for verifying signatures"),
            Self::Rejected => f.write_str("not a valid public key"),
            Self::UnsupportedKeyType => f.write_str("unsupported `kty` or `crv`"),
            Self::WrongMember(name) => write!(f, "member `{name}` is missing or malformed"),
            Self::WeakRsa => f.write_str(
                "RSA keys must have 2048 to 8192 bits and an odd exponent above 1 of at most 32",
            ),
        }
    }
}

impl std::error::Error for JwkError {}

/// RFC 7517 §4.2, §4.3: a key that declares a purpose is used for that purpose only.
fn check_use(jwk: &Value) -> Result<(), JwkError> {
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err(JwkError::NotForSignatures);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|op| op == "verify") => Ok(()),
        Some(_) => Err(JwkError::NotForSignatures),
    }
}

/// The algorithms a key may verify: the one it declares, else all that fit its type and curve.
fn algorithms_of(jwk: &Value, kty: &str) -> Result<Vec<Algorithm>, JwkError> {
    let crv = jwk.get("crv").and_then(Value::as_str);
    let all = Algorithm::ALL.iter().copied();
    let fitting: Vec<_> = all.filter(|algorithm| fits_key(*algorithm, kty, crv)).collect();
    if fitting.is_empty() {
        return Err(JwkError::UnsupportedKeyType);
    }
    let Some(name) = jwk.get("alg") else {
        // An AKP key says which parameter set it is only in `alg`, which is required there.
        return if kty == "AKP" { Err(JwkError::WrongMember("alg")) } else { Ok(fitting) };
    };
    let declared = name
        .as_str()
        .and_then(Algorithm::from_name)
        .filter(|algorithm| fitting.contains(algorithm))
        .ok_or(JwkError::AlgorithmMismatch)?;
    // RFC 9864 §2.2: `EdDSA` and `Ed25519` are two names for one operation on an Ed25519 key.
    Ok(if kty == "OKP" { fitting } else { vec![declared] })
}

/// Whether keys of this type and curve are for this algorithm.
fn fits_key(algorithm: Algorithm, kty: &str, crv: Option<&str>) -> bool {
    match algorithm.key_type() {
        (wanted, None) => wanted == kty,
        (wanted, curve) => wanted == kty && curve == crv,
    }
}

fn prepare(jwk: &Value, scheme: Scheme) -> Result<ParsedPublicKey, JwkError> {
    match scheme {
        Scheme::Rsa(parameters) => {
            let (n, e) = (unsigned(jwk, "n")?, unsigned(jwk, "e")?);
            check_rsa(&n, &e)?;
            RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters)
        }
        Scheme::Ec(algorithm, length) => {
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            if x.len() != length || y.len() != length {
                return Err(JwkError::Rejected);
            }
            ParsedPublicKey::new(algorithm, [&[0x04][..], &x, &y].concat())
        }
        Scheme::Raw(algorithm, name) => ParsedPublicKey::new(algorithm, bytes(jwk, name)?),
    }
    .map_err(|_| JwkError::Rejected)
}

fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), JwkError> {
    let bits = bits_of(n);
    let good_modulus = (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) && is_odd(n);
    let good_exponent = is_odd(e) && e != [1] && e.len() <= MAX_RSA_EXPONENT;
    if !good_modulus || !good_exponent {
        return Err(JwkError::WeakRsa);
    }
    if roca::has_fingerprint(n) {
        return Err(JwkError::FactorableRsa);
    }
    Ok(())
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte % 2 == 1)
}

/// RSA with 2048 bits takes 25 µs, with 4096 bits 50, with 8192 bits 200; ML-DSA-87 takes 90, P-384 200 and
/// P-521 400.
fn is_slow(jwk: &Value) -> bool {
    let curve = jwk.get("crv").and_then(Value::as_str);
    matches!(curve, Some("P-384" | "P-521")) || modulus_bits(jwk).is_some_and(|bits| bits > 4096)
}

/// The size of an RSA key, in bits; `None` for other keys.
pub(crate) fn modulus_bits(jwk: &Value) -> Option<usize> {
    unsigned(jwk, "n")
        .ok()
        .filter(|_| jwk.get("kty").is_some_and(|kty| kty == "RSA"))
        .map(|n| bits_of(&n))
}

/// The bits of a number without zeros in front.
fn bits_of(number: &[u8]) -> usize {
    number.len() * 8 - number.first().map_or(0, |byte| byte.leading_zeros() as usize)
}

/// A Base64urlUInt; leading zero bytes, which some issuers add, do not change the number.
fn unsigned(jwk: &Value, name: &'static str) -> Result<Vec<u8>, JwkError> {
    let bytes = bytes(jwk, name)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes[zeros..].to_vec())
}

fn bytes(jwk: &Value, name: &'static str) -> Result<Vec<u8>, JwkError> {
    base64url(member(jwk, name)?).ok_or(JwkError::WrongMember(name))
}

fn member<'a>(jwk: &'a Value, name: &'static str) -> Result<&'a str, JwkError> {
    jwk.get(name).and_then(Value::as_str).ok_or(JwkError::WrongMember(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // RFC 7515 appendix A.3.1, public part.
    fn p256() -> Value {
        json!({ "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" })
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk[name] = value;
        jwk
    }

    fn error(jwk: &Value) -> JwkError {
        VerificationKey::from_jwk(jwk).unwrap_err()
    }

    // RFC 7515 appendix A.2.1, public part.
    fn rsa() -> Value {
        json!({ "kty": "RSA", "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" })
    }

    #[test]
    fn a_key_supports_what_its_type_and_curve_allow() {
        let key = VerificationKey::from_jwk(&p256()).unwrap();
        assert!(key.supports(Algorithm::Es256));
        assert!(!key.supports(Algorithm::Es384) && !key.supports(Algorithm::Rs256));
    }

    #[test]
    fn ed25519_goes_by_both_of_its_names() {
        // RFC 8037 appendix A.2.
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let key = VerificationKey::from_jwk(&jwk).unwrap();
        assert!(key.supports(Algorithm::EdDsa) && key.supports(Algorithm::Ed25519));
    }

    #[test]
    fn zeros_in_front_of_rsa_numbers_do_not_matter() {
        let key = VerificationKey::from_jwk(&with(rsa(), "e", json!("AAEAAQ"))).unwrap();
        assert!(key.supports(Algorithm::Rs256) && key.supports(Algorithm::Ps512));
    }

    #[test]
    fn refusals_say_why() {
        let rows = [
            (with(p256(), "use", json!("enc")), JwkError::NotForSignatures),
            (with(p256(), "key_ops", json!(["sign"])), JwkError::NotForSignatures),
            (with(p256(), "alg", json!("RS256")), JwkError::AlgorithmMismatch),
            (with(p256(), "alg", json!("HS256")), JwkError::AlgorithmMismatch),
            (with(p256(), "crv", json!("P-384")), JwkError::Rejected),
            (with(p256(), "crv", json!("secp256k1")), JwkError::UnsupportedKeyType),
            (with(p256(), "x", json!("AAAA")), JwkError::Rejected),
            (with(p256(), "x", json!("f83O=")), JwkError::WrongMember("x")),
            (json!({ "kty": "oct", "k": "AAAA" }), JwkError::UnsupportedKeyType),
            (json!({ "kty": "AKP", "pub": "AAAA" }), JwkError::WrongMember("alg")),
            (json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }), JwkError::WeakRsa),
            (with(rsa(), "e", json!("")), JwkError::WeakRsa),
            (with(rsa(), "e", json!("AQ")), JwkError::WeakRsa),
            (with(rsa(), "e", json!("AAAB")), JwkError::WeakRsa),
            (with(rsa(), "e", json!("AQAA")), JwkError::WeakRsa),
            // Verification time grows with the exponent and with the modulus.
            (with(rsa(), "e", json!("Af____8")), JwkError::WeakRsa),
            (with(rsa(), "e", rsa()["n"].clone()), JwkError::WeakRsa),
            (with(rsa(), "n", json!("_".repeat(4 * 344))), JwkError::WeakRsa),
            (with(rsa(), "n", json!(format!("{}A", "_".repeat(342)))), JwkError::WeakRsa),
            (with(rsa(), "n", json!(["AQAB"])), JwkError::WrongMember("n")),
            (with(rsa(), "use", json!(["sig"])), JwkError::NotForSignatures),
            (with(rsa(), "key_ops", json!("verify")), JwkError::NotForSignatures),
            (with(rsa(), "alg", json!(["RS256"])), JwkError::AlgorithmMismatch),
            (with(rsa(), "alg", json!(null)), JwkError::AlgorithmMismatch),
            (json!({}), JwkError::WrongMember("kty")),
            (json!(null), JwkError::WrongMember("kty")),
            (json!([rsa()]), JwkError::WrongMember("kty")),
        ];
        for (jwk, expected) in rows {
            assert_eq!(error(&jwk), expected, "{jwk}");
        }
    }
}
