//! The ways in which a token can be wrong, by name.
//!
//! Each is one attack or one fault that a resource server must notice; tests go through [`Broken::ALL`].

use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::jose::random;
use crate::unknown_name::UnknownName;

/// One named way for a token to be wrong. No resource server may accept any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Broken {
    /// `signature`: one bit of the signature differs.
    Signature,
    /// `payload`: the payload was changed after signing.
    Payload,
    /// `algorithm-none`: `alg: none`, with an empty signature.
    AlgorithmNone,
    /// `unknown-key-id`: a `kid` that was never published.
    UnknownKeyId,
    /// `foreign-key`: signed by a key that was never published, under a published `kid`.
    ForeignKey,
    /// `embedded-key`: signed by a key that was never published, which is in the header as `jwk`.
    EmbeddedKey,
    /// `hmac-with-public-key`: `alg: HS256`, with the published public key (PEM) as the secret.
    HmacWithPublicKey,
    /// `critical-header`: `crit` lists an extension that does not exist.
    CriticalHeader,
    /// `id-token`: an ID token with the audience of an access token.
    IdToken,
    /// `sender-constrained`: bound to a DPoP key by `cnf`, thus no bearer token.
    SenderConstrained,
    /// `duplicate-claim`: `sub` twice in the payload, with different values.
    DuplicateClaim,
    /// `padding`: base64 padding after the signature.
    Padding,
    /// `truncated`: no signature part at all.
    Truncated,
    /// `not-json`: a signed payload that is not JSON.
    NotJson,
}

impl Broken {
    /// Every way.
    pub const ALL: &'static [Self] = &[
        Self::Signature,
        Self::Payload,
        Self::AlgorithmNone,
        Self::UnknownKeyId,
        Self::ForeignKey,
        Self::EmbeddedKey,
        Self::HmacWithPublicKey,
        Self::CriticalHeader,
        Self::IdToken,
        Self::SenderConstrained,
        Self::DuplicateClaim,
        Self::Padding,
        Self::Truncated,
        Self::NotJson,
    ];

    /// The name that [`FromStr`] and `POST /dev/mint` take.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Payload => "payload",
            Self::AlgorithmNone => "algorithm-none",
            Self::UnknownKeyId => "unknown-key-id",
            Self::ForeignKey => "foreign-key",
            Self::EmbeddedKey => "embedded-key",
            Self::HmacWithPublicKey => "hmac-with-public-key",
            Self::CriticalHeader => "critical-header",
            Self::IdToken => "id-token",
            Self::SenderConstrained => "sender-constrained",
            Self::DuplicateClaim => "duplicate-claim",
            Self::Padding => "padding",
            Self::Truncated => "truncated",
            Self::NotJson => "not-json",
        }
    }

    pub(super) fn headers(self) -> Map<String, Value> {
        let headers = match self {
            Self::AlgorithmNone => json!({ "alg": "none" }),
            Self::HmacWithPublicKey => json!({ "alg": "HS256" }),
            Self::UnknownKeyId => json!({ "kid": format!("unknown-{}", random::<6>()) }),
            Self::CriticalHeader => json!({ "crit": ["example"], "example": true }),
            Self::IdToken => json!({ "typ": "JWT" }),
            _ => return Map::new(),
        };
        headers.as_object().cloned().unwrap_or_default()
    }

    pub(super) fn change(self, claims: &mut Map<String, Value>) {
        match self {
            Self::IdToken => {
                for access_only in ["client_id", "scope", "jti"] {
                    claims.remove(access_only);
                }
                claims.insert("nonce".into(), json!(random::<8>()));
                claims.insert("at_hash".into(), json!(random::<16>()));
                claims.insert("auth_time".into(), claims["iat"].clone());
            }
            Self::SenderConstrained => {
                claims.insert("cnf".into(), json!({ "jkt": random::<32>() }));
            }
            _ => {}
        }
    }
}

impl FromStr for Broken {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.iter().copied().find(|broken| broken.as_str() == name).ok_or_else(|| {
            UnknownName::new("broken", name, Self::ALL.iter().map(|one| one.as_str()))
        })
    }
}
