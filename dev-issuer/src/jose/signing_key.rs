//! A private key of any algorithm, and its public half as a JWK.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, PqdsaKeyPair,
    PqdsaSigningAlgorithm, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Value, json};

use super::{base64url, random};
use crate::algorithm::Algorithm;

/// A private key, its `kid` and the one algorithm it signs with.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    pair: Pair,
}

impl SigningKey {
    pub(crate) fn generate(algorithm: Algorithm) -> Self {
        let kid = format!("{algorithm}-{}", random::<6>());
        let pair = Pair::generate(algorithm).expect("aws-lc-rs generates keys for its algorithms");
        Self { kid, algorithm, pair }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(self.algorithm, message).expect("a generated key signs")
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(verification(self.algorithm), self.pair.public_key())
            .verify(message, signature)
            .is_ok()
    }

    /// The public key as a JWK (RFC 7517), with `use`, `alg` and `kid`.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = self.pair.jwk(self.algorithm);
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.algorithm.as_str());
        jwk["use"] = json!("sig");
        jwk
    }

    /// The public key as X.509 SubjectPublicKeyInfo, DER.
    pub(crate) fn public_key_der(&self) -> Vec<u8> {
        let der = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::MlDsa(pair) => pair.public_key().as_der(),
        };
        der.expect("a generated key has a DER form").as_ref().to_vec()
    }

    /// OpenID Connect Core §3.1.3.6: the left half of the hash that belongs to `alg`.
    pub(crate) fn at_hash(&self, access_token: &str) -> String {
        let hash = match self.algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => &SHA256,
            Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => &SHA384,
            _ => &SHA512,
        };
        let digest = digest::digest(hash, access_token.as_bytes());
        base64url(&digest.as_ref()[..digest.as_ref().len() / 2])
    }
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

impl Pair {
    fn generate(algorithm: Algorithm) -> Result<Self, Unspecified> {
        match algorithm {
            Algorithm::Es256 => Self::ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => Self::ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Es512 => Self::ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDsa | Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Self::Ed25519),
            Algorithm::MlDsa44 => Self::ml_dsa(&signature::ML_DSA_44_SIGNING),
            Algorithm::MlDsa65 => Self::ml_dsa(&signature::ML_DSA_65_SIGNING),
            Algorithm::MlDsa87 => Self::ml_dsa(&signature::ML_DSA_87_SIGNING),
            _ => RsaKeyPair::generate(KeySize::Rsa2048).map(Self::Rsa),
        }
    }

    fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Self, Unspecified> {
        EcdsaKeyPair::generate(algorithm).map(Self::Ecdsa)
    }

    fn ml_dsa(algorithm: &'static PqdsaSigningAlgorithm) -> Result<Self, Unspecified> {
        PqdsaKeyPair::generate(algorithm).map(Self::MlDsa)
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let encoding = match algorithm {
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)?;
                Ok(signature)
            }
            Self::Ecdsa(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::MlDsa(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature)?;
                Ok(signature)
            }
        }
    }

    fn public_key(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::Ecdsa(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::MlDsa(pair) => pair.public_key().as_ref(),
        }
    }

    fn jwk(&self, algorithm: Algorithm) -> Value {
        match self {
            Self::Rsa(pair) => json!({
                "kty": "RSA",
                "n": base64url(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": base64url(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Self::Ecdsa(pair) => {
                let curve = match algorithm {
                    Algorithm::Es384 => "P-384",
                    Algorithm::Es512 => "P-521",
                    _ => "P-256",
                };
                // SEC 1 §2.3.3: 0x04, then x and y of equal length.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y) })
            }
            Self::Ed25519(_) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(self.public_key()) })
            }
            Self::MlDsa(_) => json!({ "kty": "AKP", "pub": base64url(self.public_key()) }),
        }
    }
}

pub(super) fn verification(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDsa | Algorithm::Ed25519 => &signature::ED25519,
        Algorithm::MlDsa44 => &signature::ML_DSA_44,
        Algorithm::MlDsa65 => &signature::ML_DSA_65,
        Algorithm::MlDsa87 => &signature::ML_DSA_87,
    }
}
