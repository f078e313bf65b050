//! The signature algorithms, one row each.

use std::fmt;

use aws_lc_rs::signature::{self as sig, ParsedPublicKey, RsaParameters, VerificationAlgorithm};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A JWS signature algorithm that a token may be signed with.
///
/// All of them are asymmetric: `none` and the `HS*` family cannot be expressed.
/// Written and read as its registered JOSE `alg` name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// EdDSA (RFC 8037), with Ed25519 keys.
    EdDsa,
    /// EdDSA on Ed25519 by its fully specified name (RFC 9864).
    Ed25519,
    /// ML-DSA-44 (FIPS 204).
    MlDsa44,
    /// ML-DSA-65 (FIPS 204).
    MlDsa65,
    /// ML-DSA-87 (FIPS 204).
    MlDsa87,
}

impl Algorithm {
    /// Every supported algorithm.
    pub const ALL: &'static [Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The algorithm with this registered `alg` name; names are case-sensitive.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name)
    }

    /// The registered `alg` name, such as `RS256`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The key type and curve (`kty`, `crv`) that keys of this algorithm have.
    pub(super) fn key_type(self) -> (&'static str, Option<&'static str>) {
        (self.row().kty, self.row().crv)
    }

    pub(super) fn scheme(self) -> Scheme {
        self.row().scheme
    }

    fn row(self) -> Row {
        use Scheme::{Ec, Raw, Rsa};
        let row = |name, kty, crv, scheme| Row { name, kty, crv, scheme };
        match self {
            Self::Rs256 => row("RS256", "RSA", None, Rsa(&sig::RSA_PKCS1_2048_8192_SHA256)),
            Self::Rs384 => row("RS384", "RSA", None, Rsa(&sig::RSA_PKCS1_2048_8192_SHA384)),
            Self::Rs512 => row("RS512", "RSA", None, Rsa(&sig::RSA_PKCS1_2048_8192_SHA512)),
            Self::Ps256 => row("PS256", "RSA", None, Rsa(&sig::RSA_PSS_2048_8192_SHA256)),
            Self::Ps384 => row("PS384", "RSA", None, Rsa(&sig::RSA_PSS_2048_8192_SHA384)),
            Self::Ps512 => row("PS512", "RSA", None, Rsa(&sig::RSA_PSS_2048_8192_SHA512)),
            Self::Es256 => row("ES256", "EC", Some("P-256"), Ec(&sig::ECDSA_P256_SHA256_FIXED, 32)),
            Self::Es384 => row("ES384", "EC", Some("P-384"), Ec(&sig::ECDSA_P384_SHA384_FIXED, 48)),
            Self::Es512 => row("ES512", "EC", Some("P-521"), Ec(&sig::ECDSA_P521_SHA512_FIXED, 66)),
            Self::EdDsa => row("EdDSA", "OKP", Some("Ed25519"), Raw(&sig::ED25519, "x")),
            Self::Ed25519 => row("Ed25519", "OKP", Some("Ed25519"), Raw(&sig::ED25519, "x")),
            Self::MlDsa44 => row("ML-DSA-44", "AKP", None, Raw(&sig::ML_DSA_44, "pub")),
            Self::MlDsa65 => row("ML-DSA-65", "AKP", None, Raw(&sig::ML_DSA_65, "pub")),
            Self::MlDsa87 => row("ML-DSA-87", "AKP", None, Raw(&sig::ML_DSA_87, "pub")),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| {
            de::Error::custom(format_args!("unsupported signature algorithm {name:?}"))
        })
    }
}

struct Row {
    name: &'static str,
    kty: &'static str,
    crv: Option<&'static str>,
    scheme: Scheme,
}

/// How a JWK becomes a prepared key for an algorithm.
#[derive(Clone, Copy)]
pub(super) enum Scheme {
    /// From the members `n` and `e`.
    Rsa(&'static RsaParameters),
    /// From the members `x` and `y`, each exactly this many bytes long.
    Ec(&'static dyn VerificationAlgorithm, usize),
    /// From the one member that holds the encoded public key.
    Raw(&'static dyn VerificationAlgorithm, &'static str),
}

/// A public key that is ready to verify with one algorithm.
pub(super) struct PreparedKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: ParsedPublicKey,
}
