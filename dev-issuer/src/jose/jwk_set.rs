//! Verifies what another issuer has signed, with the JWK Set that it publishes.

use std::str::FromStr;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};

use super::signing_key::verification;
use super::{Verified, from_base64url};
use crate::algorithm::Algorithm;

/// What a JWS says whose signature fits the key of its `kid`. RFC 8725 §3.1: the key has to be one for `alg`.
pub(crate) fn verify_with_jwk_set(token: &str, jwk_set: &Value) -> Option<Verified> {
    let (message, encoded_signature) = token.rsplit_once('.')?;
    let (encoded_header, payload) = message.split_once('.')?;
    let header: Map<String, Value> =
        serde_json::from_slice(&from_base64url(encoded_header)?).ok()?;
    let kid = header.get("kid")?.as_str()?;
    let algorithm = Algorithm::from_str(header.get("alg")?.as_str()?).ok()?;
    let jwk = jwk_set["keys"].as_array()?.iter().find(|jwk| jwk["kid"] == kid)?;
    if jwk.get("alg").is_some_and(|alg| alg != algorithm.as_str()) {
        return None;
    }
    let signature = from_base64url(encoded_signature)?;
    is_signed(jwk, algorithm, message.as_bytes(), &signature)?;
    let claims = serde_json::from_slice(&from_base64url(payload)?).ok()?;
    Some(Verified { header, claims })
}

/// Something, when the key is one for the algorithm and the signature fits.
fn is_signed(jwk: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<()> {
    if let Some(rsa) = rsa_parameters(algorithm) {
        let is_rsa = jwk["kty"] == "RSA";
        let key = PublicKeyComponents { n: member(jwk, "n")?, e: member(jwk, "e")? };
        return (is_rsa && key.verify(rsa, message, signature).is_ok()).then_some(());
    }
    let (key_type, curve) = match algorithm {
        Algorithm::Es256 => ("EC", Some("P-256")),
        Algorithm::Es384 => ("EC", Some("P-384")),
        Algorithm::Es512 => ("EC", Some("P-521")),
        Algorithm::EdDsa | Algorithm::Ed25519 => ("OKP", Some("Ed25519")),
        _ => ("AKP", None),
    };
    if jwk["kty"] != key_type || curve.is_some_and(|curve| jwk["crv"] != curve) {
        return None;
    }
    let public_key = match key_type {
        // SEC 1 §2.3.3: 0x04, then x and y.
        "EC" => [vec![4], member(jwk, "x")?, member(jwk, "y")?].concat(),
        "OKP" => member(jwk, "x")?,
        _ => member(jwk, "pub")?,
    };
    let key = UnparsedPublicKey::new(verification(algorithm), public_key);
    key.verify(message, signature).ok()
}

/// A member of a key that is bytes.
fn member(jwk: &Value, name: &str) -> Option<Vec<u8>> {
    from_base64url(jwk[name].as_str()?)
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}
