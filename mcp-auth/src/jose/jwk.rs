//! A JSON Web Key (RFC 7517), checked once and prepared for every algorithm it may verify.

use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use serde_json::Value;

use super::base64url::base64_of_key;
use super::roca;
use super::scheme::{PreparedKey, Scheme};
use crate::algorithm::Algorithm;
use crate::json::{type_in_words, wrong_type};

/// Smallest RSA modulus accepted, in bits (RFC 7518 §3.3).
const MIN_RSA_BITS: usize = 2048;
/// Largest RSA modulus accepted, in bits: verification time grows with it.
const MAX_RSA_BITS: usize = 8192;
/// Longest RSA exponent accepted, in bytes, for the same reason; nearly all are 65537.
const MAX_RSA_EXPONENT: usize = 4;
/// Bytes that a coordinate may be too short by. One in 256 begins with a zero byte, which libraries for numbers leave
/// out; one in four thousand millions with four. What is shorter still was cut.
const MAX_MISSING_ZEROS: usize = 4;

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
        if !jwk.is_object() {
            return Err(JwkError::NotAnObject(type_in_words(jwk)));
        }
        let kty = text_member(jwk, "kty")?;
        check_use(jwk)?;
        let algorithms = algorithms_of(jwk, kty)?;
        let bits = algorithms.iter().fold(0, |bits, algorithm| bits | bit(*algorithm));
        let prepared = algorithms
            .into_iter()
            .map(|algorithm| Ok(PreparedKey { algorithm, key: prepare(jwk, algorithm.scheme())? }))
            .collect::<Result<_, JwkError>>()?;
        // A name only says which key to try first; without one it is as good a key of the issuer.
        let key_id = set_member(jwk, "kid").and_then(Value::as_str).map(Into::into);
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
    /// A required member is not there, or not set.
    Missing(&'static str),
    /// Not an object, but this.
    NotAnObject(&'static str),
    /// A member that is not base64.
    NotBase64(&'static str),
    /// The key is meant for something else: `use` is not `sig`, or `key_ops` lacks `verify`.
    NotForSignatures,
    /// The key material is refused: not on the curve, or not a key at all.
    Rejected,
    /// `kty` or `crv` is not one that a supported algorithm uses.
    UnsupportedKeyType,
    /// An RSA modulus that is even, below 2048 or above 8192 bits, or an exponent that is even, 1,
    /// or above 32 bits.
    WeakRsa,
    /// A member with so many bytes, where others are needed.
    WrongLength { member: &'static str, found: usize, needed: usize },
    /// A member of one type, where another is needed; both in words.
    WrongType { member: &'static str, found: &'static str, needed: &'static str },
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
            Self::Missing(name) => write!(f, "`{name}` is missing"),
            Self::NotAnObject(found) => write!(f, "the key is {found}, an object is needed"),
            Self::NotBase64(name) => write!(f, "`{name}` is not base64url"),
            Self::NotForSignatures => f.write_str("not a key for verifying signatures"),
            Self::Rejected => f.write_str("not a valid public key"),
            Self::UnsupportedKeyType => f.write_str("unsupported `kty` or `crv`"),
            Self::WeakRsa => f.write_str(
                "RSA keys must have 2048 to 8192 bits and an odd exponent above 1 of at most 32",
            ),
            Self::WrongLength { member, found, needed } => {
                write!(f, "`{member}` has {found} bytes, {needed} are needed")
            }
            Self::WrongType { member, found, needed } => {
                f.write_str(&wrong_type(member, found, needed))
            }
        }
    }
}

impl std::error::Error for JwkError {}

/// RFC 7517 §4.2, §4.3: a key that declares a purpose is used for that purpose only.
fn check_use(jwk: &Value) -> Result<(), JwkError> {
    if optional_text_member(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(JwkError::NotForSignatures);
    }
    match set_member(jwk, "key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|op| op == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(JwkError::NotForSignatures),
        Some(other) => {
            let found = type_in_words(other);
            Err(JwkError::WrongType { member: "key_ops", found, needed: "an array" })
        }
    }
}

/// The algorithms a key may verify: the one it declares, else all that fit its type and curve.
fn algorithms_of(jwk: &Value, kty: &str) -> Result<Vec<Algorithm>, JwkError> {
    let crv = match kty {
        "EC" | "OKP" => optional_text_member(jwk, "crv")?,
        _ => None,
    };
    let all = Algorithm::ALL.iter().copied();
    let fitting: Vec<_> = all.filter(|algorithm| fits_key(*algorithm, kty, crv)).collect();
    if fitting.is_empty() {
        return Err(JwkError::UnsupportedKeyType);
    }
    let Some(name) = optional_text_member(jwk, "alg")? else {
        // An AKP key says which parameter set it is only in `alg`, which is required there.
        return if kty == "AKP" { Err(JwkError::Missing("alg")) } else { Ok(fitting) };
    };
    let declared = Algorithm::from_name(name)
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
            let (x, y) = (coordinate(jwk, "x", length)?, coordinate(jwk, "y", length)?);
            ParsedPublicKey::new(algorithm, [&[0x04][..], &x, &y].concat())
        }
        Scheme::Okp(algorithm, length) => {
            ParsedPublicKey::new(algorithm, coordinate(jwk, "x", length)?)
        }
        Scheme::Akp(algorithm, length) => {
            let key = bytes(jwk, "pub")?;
            check_length("pub", key.len(), length)?;
            ParsedPublicKey::new(algorithm, key)
        }
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

/// A coordinate as RFC 7518 §6.2.1.2 and RFC 8037 §2 write it, in exactly so many bytes. Libraries that take it for a
/// number leave zeros in front out, or put one there, which says that the number is not negative. Both are undone: the
/// number is the same.
fn coordinate(jwk: &Value, name: &'static str, length: usize) -> Result<Vec<u8>, JwkError> {
    let bytes = bytes(jwk, name)?;
    let excess = bytes.len().saturating_sub(length);
    let added_zeros = bytes.iter().take(excess).take_while(|byte| **byte == 0).count();
    let number = &bytes[added_zeros..];
    if number.len() > length || number.len() + MAX_MISSING_ZEROS < length {
        return Err(JwkError::WrongLength { member: name, found: bytes.len(), needed: length });
    }
    let mut padded = vec![0; length - number.len()];
    padded.extend_from_slice(number);
    Ok(padded)
}

fn check_length(member: &'static str, found: usize, needed: usize) -> Result<(), JwkError> {
    match found == needed {
        true => Ok(()),
        false => Err(JwkError::WrongLength { member, found, needed }),
    }
}

fn bytes(jwk: &Value, name: &'static str) -> Result<Vec<u8>, JwkError> {
    base64_of_key(text_member(jwk, name)?).ok_or(JwkError::NotBase64(name))
}

fn text_member<'a>(jwk: &'a Value, name: &'static str) -> Result<&'a str, JwkError> {
    optional_text_member(jwk, name)?.ok_or(JwkError::Missing(name))
}

fn optional_text_member<'a>(
    jwk: &'a Value,
    name: &'static str,
) -> Result<Option<&'a str>, JwkError> {
    match set_member(jwk, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let found = type_in_words(other);
            Err(JwkError::WrongType { member: name, found, needed: "a string" })
        }
    }
}

/// A member that says something. Libraries that write an object with a field for each member write null, an empty
/// text or an empty list for those that were not set, and no member of a key means anything by these.
pub(crate) fn set_member<'a>(jwk: &'a Value, name: &str) -> Option<&'a Value> {
    match jwk.get(name)? {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(list) if list.is_empty() => None,
        value => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as REFERENCE;
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
            (with(p256(), "crv", json!("P-384")), wrong_length("x", 32, 48)),
            (with(p256(), "crv", json!("secp256k1")), JwkError::UnsupportedKeyType),
            (with(p256(), "x", json!("AAAA")), wrong_length("x", 3, 32)),
            (with(p256(), "y", p256()["x"].clone()), JwkError::Rejected),
            (with(p256(), "x", json!("f83O=")), JwkError::NotBase64("x")),
            (json!({ "kty": "oct", "k": "AAAA" }), JwkError::UnsupportedKeyType),
            (json!({ "kty": "AKP", "pub": "AAAA" }), JwkError::Missing("alg")),
            (json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }), JwkError::WeakRsa),
            (with(rsa(), "e", json!("")), JwkError::Missing("e")),
            (with(rsa(), "e", json!("AQ")), JwkError::WeakRsa),
            (with(rsa(), "e", json!("AAAB")), JwkError::WeakRsa),
            (with(rsa(), "e", json!("AQAA")), JwkError::WeakRsa),
            // Verification time grows with the exponent and with the modulus.
            (with(rsa(), "e", json!("Af____8")), JwkError::WeakRsa),
            (with(rsa(), "e", rsa()["n"].clone()), JwkError::WeakRsa),
            (with(rsa(), "n", json!("_".repeat(4 * 344))), JwkError::WeakRsa),
            (with(rsa(), "n", json!(format!("{}A", "_".repeat(342)))), JwkError::WeakRsa),
            (json!({}), JwkError::Missing("kty")),
            (with(rsa(), "kty", json!(null)), JwkError::Missing("kty")),
            (with(rsa(), "n", json!(null)), JwkError::Missing("n")),
            (with(rsa(), "key_ops", json!([null])), JwkError::NotForSignatures),
            (with(rsa(), "key_ops", json!([""])), JwkError::NotForSignatures),
            (with(rsa(), "use", json!(" ")), JwkError::NotForSignatures),
        ];
        for (jwk, expected) in rows {
            assert_eq!(error(&jwk), expected, "{jwk}");
        }
    }

    #[test]
    fn a_member_of_a_wrong_type_is_named_with_its_type() {
        let rows = [
            (with(rsa(), "n", json!(["AQAB"])), "`n` is an array, a string is needed"),
            (with(rsa(), "use", json!(["sig"])), "`use` is an array, a string is needed"),
            (with(rsa(), "key_ops", json!("verify")), "`key_ops` is a string, an array is needed"),
            (with(rsa(), "alg", json!({})), "`alg` is an object, a string is needed"),
            (with(rsa(), "kty", json!(7)), "`kty` is a number, a string is needed"),
            (with(p256(), "crv", json!(256)), "`crv` is a number, a string is needed"),
            (with(p256(), "y", json!(true)), "`y` is a boolean, a string is needed"),
            (json!(null), "the key is null, an object is needed"),
            (json!([rsa()]), "the key is an array, an object is needed"),
        ];
        for (jwk, expected) in rows {
            assert_eq!(error(&jwk).to_string(), expected);
        }
    }

    #[test]
    fn members_that_are_not_set_say_nothing() {
        let names =
            ["use", "alg", "key_ops", "kid", "x5c", "x5t", "x5u", "x5t#S256", "crv", "vendor"];
        for name in names {
            for unset in [json!(null), json!(""), json!([])] {
                let key = VerificationKey::from_jwk(&with(rsa(), name, unset.clone())).unwrap();
                assert!(key.supports(Algorithm::Rs256) && key.supports(Algorithm::Ps512), "{name}");
                assert_eq!(key.key_id(), None, "{name} {unset}");
            }
        }
    }

    #[test]
    fn zeros_in_front_of_coordinates_do_not_matter() {
        let ed25519 = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        for (key, member, length) in [(p256(), "x", 32), (p256(), "y", 32), (ed25519, "x", 32)] {
            let exact = base64_of_key(key[member].as_str().unwrap()).unwrap();
            for zeros in [1, 2, 7] {
                let longer = [&vec![0; zeros][..], &exact].concat();
                let with_zeros = with(key.clone(), member, json!(REFERENCE.encode(&longer)));
                assert_eq!(coordinate(&with_zeros, member, length).unwrap(), exact);
                VerificationKey::from_jwk(&with_zeros).unwrap();
            }
            let longer = [&[1][..], &exact].concat();
            let no_zero = with(key, member, json!(REFERENCE.encode(&longer)));
            assert_eq!(error(&no_zero), wrong_length(member, 33, 32));
        }
        for missing in 0..=MAX_MISSING_ZEROS {
            let number = vec![7; 66 - missing];
            let jwk = json!({ "y": REFERENCE.encode(&number) });
            let padded = [vec![0; missing], number].concat();
            assert_eq!(coordinate(&jwk, "y", 66).unwrap(), padded);
        }
        // A key of small order, with which anyone can sign: not one that zeros were left out of.
        for short in ["AA", "AAAA", "AQ"] {
            let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": short });
            assert!(matches!(error(&jwk), JwkError::WrongLength { member: "x", needed: 32, .. }));
        }
        let akp = json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA" });
        assert_eq!(error(&akp).to_string(), "`pub` has 3 bytes, 1312 are needed");
    }

    fn wrong_length(member: &'static str, found: usize, needed: usize) -> JwkError {
        JwkError::WrongLength { member, found, needed }
    }
}
