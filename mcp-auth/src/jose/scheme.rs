//! What keys of each signature algorithm look like, and what verifies with them: one row each.

use aws_lc_rs::signature::{self as sig, ParsedPublicKey, RsaParameters, VerificationAlgorithm};

use crate::algorithm::Algorithm;

impl Algorithm {
    /// The key type and curve (`kty`, `crv`) that keys of this algorithm have.
    pub(super) fn key_type(self) -> (&'static str, Option<&'static str>) {
        (self.row().kty, self.row().crv)
    }

    pub(super) fn scheme(self) -> Scheme {
        self.row().scheme
    }

    fn row(self) -> Row {
        use Scheme::{Akp, Ec, Okp, Rsa};
        match self {
            Self::Rs256 => Row::new("RSA", None, Rsa(&sig::RSA_PKCS1_2048_8192_SHA256)),
            Self::Rs384 => Row::new("RSA", None, Rsa(&sig::RSA_PKCS1_2048_8192_SHA384)),
            Self::Rs512 => Row::new("RSA", None, Rsa(&sig::RSA_PKCS1_2048_8192_SHA512)),
            Self::Ps256 => Row::new("RSA", None, Rsa(&sig::RSA_PSS_2048_8192_SHA256)),
            Self::Ps384 => Row::new("RSA", None, Rsa(&sig::RSA_PSS_2048_8192_SHA384)),
            Self::Ps512 => Row::new("RSA", None, Rsa(&sig::RSA_PSS_2048_8192_SHA512)),
            Self::Es256 => Row::new("EC", Some("P-256"), Ec(&sig::ECDSA_P256_SHA256_FIXED, 32)),
            Self::Es384 => Row::new("EC", Some("P-384"), Ec(&sig::ECDSA_P384_SHA384_FIXED, 48)),
            Self::Es512 => Row::new("EC", Some("P-521"), Ec(&sig::ECDSA_P521_SHA512_FIXED, 66)),
            Self::EdDsa => Row::new("OKP", Some("Ed25519"), Okp(&sig::ED25519, 32)),
            Self::Ed25519 => Row::new("OKP", Some("Ed25519"), Okp(&sig::ED25519, 32)),
            Self::MlDsa44 => Row::new("AKP", None, Akp(&sig::ML_DSA_44, 1312)),
            Self::MlDsa65 => Row::new("AKP", None, Akp(&sig::ML_DSA_65, 1952)),
            Self::MlDsa87 => Row::new("AKP", None, Akp(&sig::ML_DSA_87, 2592)),
        }
    }
}

struct Row {
    kty: &'static str,
    crv: Option<&'static str>,
    scheme: Scheme,
}

impl Row {
    fn new(kty: &'static str, crv: Option<&'static str>, scheme: Scheme) -> Self {
        Self { kty, crv, scheme }
    }
}

/// How a JWK becomes a prepared key for an algorithm.
#[derive(Clone, Copy)]
pub(super) enum Scheme {
    /// From the members `n` and `e`.
    Rsa(&'static RsaParameters),
    /// From the members `x` and `y`, each this many bytes long.
    Ec(&'static dyn VerificationAlgorithm, usize),
    /// From the member `x`, this many bytes long.
    Okp(&'static dyn VerificationAlgorithm, usize),
    /// From the member `pub`, exactly this many bytes long.
    Akp(&'static dyn VerificationAlgorithm, usize),
}

/// A public key that is ready to verify with one algorithm.
pub(super) struct PreparedKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: ParsedPublicKey,
}
