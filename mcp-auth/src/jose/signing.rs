//! The one thing that is signed here: a client assertion (RFC 7523), with a key of the operator's.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING as P256, ECDSA_P384_SHA384_FIXED_SIGNING as P384, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::algorithm::Algorithm;

/// A private key and the algorithm that it signs with.
pub(crate) struct SigningKey {
    pair: KeyPair,
    algorithm: Algorithm,
}

enum KeyPair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl KeyPair {
    fn ecdsa(curve: &'static EcdsaSigningAlgorithm, der: &[u8]) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(curve, der).map(Self::Ecdsa).ok()
    }

    fn ed25519(der: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self::Ed25519).ok()
    }

    fn rsa(der: &[u8]) -> Option<Self> {
        RsaKeyPair::from_pkcs8(der).map(Self::Rsa).ok()
    }
}

impl SigningKey {
    /// A key in PKCS #8: RSA signs RS256, P-256 and P-384 sign ES256 and ES384, Ed25519 EdDSA.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let (pair, algorithm) = KeyPair::ecdsa(&P256, der)
            .map(|pair| (pair, Algorithm::Es256))
            .or_else(|| Some((KeyPair::ecdsa(&P384, der)?, Algorithm::Es384)))
            .or_else(|| Some((KeyPair::ed25519(der)?, Algorithm::EdDsa)))
            .or_else(|| Some((KeyPair::rsa(der)?, Algorithm::Rs256)))?;
        Some(Self { pair, algorithm })
    }

    /// Whether both are the same key.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.public_key() == other.public_key()
    }

    fn public_key(&self) -> &[u8] {
        match &self.pair {
            KeyPair::Ecdsa(pair) => pair.public_key().as_ref(),
            KeyPair::Ed25519(pair) => pair.public_key().as_ref(),
            KeyPair::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// These claims as a compact JWS; `None` when the system has no randomness.
    pub(crate) fn sign(&self, key_id: Option<&str>, claims: &Value) -> Option<String> {
        let mut header = json!({ "alg": self.algorithm.name(), "typ": "JWT" });
        if let Some(key_id) = key_id {
            header["kid"] = key_id.into();
        }
        let signing_input = format!("{}.{}", encoded_part(&header), encoded_part(claims));
        let signature = self.signature(signing_input.as_bytes())?;
        Some(format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode_to_string(signature)))
    }

    fn signature(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            KeyPair::Ecdsa(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            KeyPair::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
            KeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

/// A part of a JWS: its JSON text in base64url.
fn encoded_part(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode_to_string(part.to_string())
}

/// 128 random bits as text; `None` when the system has no randomness.
pub(crate) fn random_id() -> Option<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode_to_string(bytes))
}

/// Stands for a token where the token itself should not be kept.
pub(crate) type Digest = [u8; 32];

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut all = Digest::default();
    all.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    all
}

#[cfg(test)]
mod tests {
    use rcgen::{
        KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    };

    use super::*;
    use crate::jose::{Jws, TokenLimits, VerificationKey};

    #[test]
    fn every_kind_of_key_signs_what_its_public_half_verifies() {
        let rows = [
            (&PKCS_RSA_SHA256, Algorithm::Rs256),
            (&PKCS_ECDSA_P256_SHA256, Algorithm::Es256),
            (&PKCS_ECDSA_P384_SHA384, Algorithm::Es384),
            (&PKCS_ED25519, Algorithm::EdDsa),
        ];
        for (kind, algorithm) in rows {
            let pair = KeyPair::generate_for(kind).unwrap();
            let key = SigningKey::from_pkcs8(&pair.serialize_der()).unwrap();
            assert_eq!(key.algorithm, algorithm);
            let token = key.sign(Some("k"), &json!({ "iss": "me" })).unwrap();
            let mut buffer = Vec::new();
            let jws = Jws::parse(&token, &TokenLimits::LARGEST, &mut buffer).unwrap();
            assert_eq!((jws.algorithm(), jws.key_id()), (algorithm, Some("k")));
            let public = VerificationKey::from_jwk(&jwk(algorithm, &pair)).unwrap();
            assert!(jws.verify(&public).is_some(), "{algorithm}");
        }
        assert!(SigningKey::from_pkcs8(b"garbage").is_none());
    }

    /// The public half, taken from its fixed place at the end of the raw key.
    fn jwk(algorithm: Algorithm, pair: &KeyPair) -> Value {
        let raw = pair.public_key_raw();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
        let (kty, crv) = algorithm.key_type();
        match kty {
            "EC" => {
                let (x, y) = raw[1..].split_at(raw.len() / 2);
                json!({ "kty": kty, "crv": crv, "x": text(x), "y": text(y) })
            }
            "OKP" => json!({ "kty": kty, "crv": crv, "x": text(raw) }),
            // RSAPublicKey: both numbers of a 2048 bit key have fixed places.
            _ => json!({ "kty": kty, "n": text(&raw[9..265]), "e": text(&raw[267..]) }),
        }
    }
}
