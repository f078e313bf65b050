//! The signature algorithms that this issuer signs with.

use std::fmt;
use std::str::FromStr;

use crate::unknown_name::UnknownName;

/// A JWS signature algorithm, by its JOSE `alg` name. The default is [`Algorithm::Es256`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// `RS256`: RSA PKCS #1 v1.5 with SHA-256, 2048-bit key.
    Rs256,
    /// `RS384`: RSA PKCS #1 v1.5 with SHA-384, 2048-bit key.
    Rs384,
    /// `RS512`: RSA PKCS #1 v1.5 with SHA-512, 2048-bit key.
    Rs512,
    /// `PS256`: RSA PSS with SHA-256, 2048-bit key.
    Ps256,
    /// `PS384`: RSA PSS with SHA-384, 2048-bit key.
    Ps384,
    /// `PS512`: RSA PSS with SHA-512, 2048-bit key.
    Ps512,
    /// `ES256`: ECDSA on P-256 with SHA-256.
    #[default]
    Es256,
    /// `ES384`: ECDSA on P-384 with SHA-384.
    Es384,
    /// `ES512`: ECDSA on P-521 with SHA-512.
    Es512,
    /// `EdDSA`: Ed25519 under its older name (RFC 8037).
    EdDsa,
    /// `Ed25519`: Ed25519 under its newer name (RFC 9864).
    Ed25519,
    /// `ML-DSA-44` (FIPS 204).
    MlDsa44,
    /// `ML-DSA-65` (FIPS 204).
    MlDsa65,
    /// `ML-DSA-87` (FIPS 204).
    MlDsa87,
}

impl Algorithm {
    /// Every algorithm this issuer signs with.
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

    /// The registered `alg` value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .iter()
            .copied()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or_else(|| UnknownName::new("alg", name, Self::ALL.iter().map(|one| one.as_str())))
    }
}
