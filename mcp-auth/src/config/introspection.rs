//! How the opaque tokens of one authorization server are checked, as plain data.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Secret, seconds};

/// Asks the authorization server about tokens that cannot be verified here.
///
/// # Defaults
/// RFC 7662 introspection at the endpoint that the metadata names, as a client with a secret
/// (`client_secret_basic`), for every token that is not a signed JWT; an answer is believed for 60 s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Introspection {
    /// What is asked, and how the answer is read.
    pub method: IntrospectionMethod,
    /// The URL that is asked. Absent: the one that the metadata names, or that of Google or GitHub.
    pub endpoint: Option<String>,
    /// How opaque tokens of this server begin, such as `gho_`. Empty: any opaque token, so of several
    /// servers only the last one may leave it empty.
    pub token_prefixes: Vec<String>,
    /// Our identifier as a client of this server. Required but for `google_tokeninfo` and `dangerous_userinfo`.
    pub client_id: String,
    /// How we prove that we are this client.
    pub auth_method: ClientAuthMethod,
    /// The secret, for `client_secret_basic` and `client_secret_post`. It is read, and never written.
    #[serde(skip_serializing)]
    pub client_secret: Option<Secret>,
    /// A file that holds the secret; white space around it is cut, and nothing else in it is a fault. Read once,
    /// when the configuration is checked.
    pub client_secret_file: Option<PathBuf>,
    /// A PEM file with a private key in PKCS #8 (`BEGIN PRIVATE KEY`), for `private_key_jwt`: RSA
    /// (RS256), P-256 (ES256), P-384 (ES384) or Ed25519 (EdDSA).
    pub private_key_file: Option<PathBuf>,
    /// The `kid` by which the server knows that key.
    pub private_key_id: Option<String>,
    /// A PEM file with a certificate chain and its private key, for `tls_client_auth`.
    pub certificate_file: Option<PathBuf>,
    /// Ask for a signed answer (RFC 9701) and accept no other. The `algorithms` of the server hold for it too.
    pub signed_response: bool,
    /// Ask about JWTs of this server too, after they were verified: a token that was revoked, or whose
    /// session ended, is then refused, at the price of a request for each token.
    pub also_jwts: bool,
    /// For this long at most, an answer is believed; never past the token's `exp`. 0 asks about every
    /// request. While a stream is open, it is asked for again as often, but every five seconds at most. In data: seconds.
    #[serde(with = "seconds")]
    pub cache_max_age: Duration,
}

impl Default for Introspection {
    fn default() -> Self {
        Self {
            method: IntrospectionMethod::default(),
            endpoint: None,
            token_prefixes: Vec::new(),
            client_id: String::new(),
            auth_method: ClientAuthMethod::default(),
            client_secret: None,
            client_secret_file: None,
            private_key_file: None,
            private_key_id: None,
            certificate_file: None,
            signed_response: false,
            also_jwts: false,
            cache_max_age: Duration::from_secs(60),
        }
    }
}

impl Introspection {
    /// RFC 7662 introspection with a client secret.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<Secret>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: Some(client_secret.into()),
            ..Self::default()
        }
    }
}

/// What is asked about an opaque token, and how the answer is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IntrospectionMethod {
    /// OAuth 2.0 Token Introspection (RFC 7662).
    #[default]
    Rfc7662,
    /// Google's `tokeninfo`.
    GoogleTokeninfo,
    /// GitHub's "check a token".
    GithubCheckToken,
    /// The UserInfo endpoint of OpenID Connect: who can read it with this token is let in.
    ///
    /// Weaker than all others: it does not say for whom the token was issued, which scopes it has, or
    /// when it expires. **A token that any other service got from the same provider is accepted.**
    DangerousUserinfo,
}

impl IntrospectionMethod {
    /// Whether it is asked as a client that proves who it is.
    pub(crate) fn needs_client(self) -> bool {
        matches!(self, Self::Rfc7662 | Self::GithubCheckToken)
    }

    /// Whether the place is in the authorization server's metadata.
    pub(crate) fn is_in_metadata(self) -> bool {
        matches!(self, Self::Rfc7662 | Self::DangerousUserinfo)
    }
}

/// How a client proves who it is: the registered names of RFC 7591 and RFC 8705.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientAuthMethod {
    /// By its secret, in the `Authorization` header (RFC 6749 §2.3.1).
    #[default]
    ClientSecretBasic,
    /// By its secret, in the form (RFC 6749 §2.3.1).
    ClientSecretPost,
    /// By a JWT that it signs (RFC 7523).
    PrivateKeyJwt,
    /// By the certificate that it connects with (RFC 8705 §2).
    TlsClientAuth,
    /// Not at all: its identifier alone.
    None,
}
