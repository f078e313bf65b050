//! How the opaque tokens of one authorization server are checked, as plain data.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Identity;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use super::{AuthorizationServer, Secret, key_source, seconds};
use crate::identifier::{PlainHttp, check_fetchable};
use crate::issuer::ClientCredentials;
use crate::jose::SigningKey;

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
    /// Where; absent: where the metadata says, or the well-known place of Google and GitHub.
    pub endpoint: Option<String>,
    /// How opaque tokens of this server begin, such as `gho_`. Empty: any opaque token, so of several
    /// servers only the last one may leave it empty.
    pub token_prefixes: Vec<String>,
    /// Who we are there. Required but for `google_tokeninfo` and `dangerous_userinfo`.
    pub client_id: String,
    /// How we prove it.
    pub auth_method: ClientAuthMethod,
    /// The secret, for `client_secret_basic` and `client_secret_post`. It is read, and never written.
    #[serde(skip_serializing)]
    pub client_secret: Option<Secret>,
    /// A file that holds the secret; white space around it is cut. Read once, when the configuration
    /// is checked.
    pub client_secret_file: Option<PathBuf>,
    /// A PEM file with a private key in PKCS #8 (`BEGIN PRIVATE KEY`), for `private_key_jwt`: RSA
    /// (RS256), P-256 (ES256), P-384 (ES384) or Ed25519 (EdDSA).
    pub private_key_file: Option<PathBuf>,
    /// The `kid` by which the server knows that key.
    pub private_key_id: Option<String>,
    /// A PEM file with a certificate chain and its private key, for `tls_client_auth`.
    pub certificate_file: Option<PathBuf>,
    /// Ask for a signed answer (RFC 9701) and accept no other.
    pub signed_response: bool,
    /// Ask about JWTs of this server too, after they were verified: a token that was revoked, or whose
    /// session ended, is then refused, at the price of a request for each token.
    pub also_jwts: bool,
    /// For this long at most, an answer is believed; never past the token's `exp`. 0 asks about every
    /// request. In data: seconds.
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

    /// What is needed to ask; `None` when a fault was found.
    pub(super) fn parse(
        &self,
        server: &AuthorizationServer,
        place: &str,
        faults: &mut Vec<String>,
    ) -> Option<ParsedIntrospection<'_>> {
        let before = faults.len();
        let mut fault = |text: String| faults.push(format!("{place}.introspection{text}"));
        let needs_client = self.method.needs_client();
        if needs_client && self.client_id.is_empty() {
            fault(".client_id: must be set".to_owned());
        }
        if let Some(url) = &self.endpoint {
            let plain_http = PlainHttp::configured(server.dangerous_allow_http);
            if let Err(wrong) = check_fetchable(url, plain_http) {
                fault(format!(".endpoint: {url:?} {}", key_source::http_hint(wrong)));
            }
        } else if self.method.is_in_metadata() && server.has_keys() && server.metadata.is_none() {
            fault(".endpoint: must be set, since no metadata is fetched".to_owned());
        }
        if self.token_prefixes.iter().any(String::is_empty) {
            fault(".token_prefixes: an empty prefix would match everything".to_owned());
        }
        if self.signed_response && self.method != IntrospectionMethod::Rfc7662 {
            fault(".signed_response: only RFC 7662 has signed answers (RFC 9701)".to_owned());
        }
        let has_secret = matches!(
            self.auth_method,
            ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost
        );
        if self.method == IntrospectionMethod::GithubCheckToken && !has_secret {
            fault(".auth_method: GitHub asks for a client secret".to_owned());
        }
        let mut credentials = Credentials { client: ClientCredentials::None, identity: None };
        if needs_client {
            match self.credentials() {
                Ok(found) => credentials = found,
                Err(wrong) => fault(wrong),
            }
        }
        let Credentials { client, identity } = credentials;
        (faults.len() == before).then_some(ParsedIntrospection { config: self, client, identity })
    }

    /// What proves who we are, or what is wrong with it.
    fn credentials(&self) -> Result<Credentials, String> {
        let only = |client| Ok(Credentials { client, identity: None });
        match self.auth_method {
            ClientAuthMethod::ClientSecretBasic => only(ClientCredentials::Basic(self.secret()?)),
            ClientAuthMethod::ClientSecretPost => only(ClientCredentials::Post(self.secret()?)),
            ClientAuthMethod::PrivateKeyJwt => only(ClientCredentials::PrivateKey {
                key: self.private_key()?,
                key_id: self.private_key_id.clone(),
            }),
            ClientAuthMethod::TlsClientAuth => {
                let identity = Some(self.identity()?);
                Ok(Credentials { client: ClientCredentials::Certificate, identity })
            }
            ClientAuthMethod::None => only(ClientCredentials::None),
        }
    }

    fn secret(&self) -> Result<Secret, String> {
        match (&self.client_secret, &self.client_secret_file) {
            (Some(_), Some(_)) => {
                Err(": `client_secret` and `client_secret_file` contradict each other".to_owned())
            }
            (Some(secret), None) if !secret.expose().is_empty() => Ok(secret.clone()),
            (None, Some(file)) => {
                let text = String::from_utf8(read("client_secret_file", file)?);
                let text =
                    text.map_err(|_| format!(".client_secret_file: {file:?} is not text"))?;
                Ok(Secret::new(text.trim()))
            }
            _ => Err(".client_secret: must be set, or `client_secret_file`".to_owned()),
        }
    }

    fn private_key(&self) -> Result<SigningKey, String> {
        let file = needed("private_key_file", self.private_key_file.as_deref())?;
        let pem = read("private_key_file", file)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem).ok();
        key.and_then(|der| SigningKey::from_pkcs8(der.secret_pkcs8_der())).ok_or_else(|| {
            format!(
                ".private_key_file: {file:?} holds no RSA, P-256, P-384 or Ed25519 key in PKCS #8"
            )
        })
    }

    fn identity(&self) -> Result<Identity, String> {
        let file = needed("certificate_file", self.certificate_file.as_deref())?;
        Identity::from_pem(&read("certificate_file", file)?).map_err(|_| {
            format!(".certificate_file: {file:?} must hold a certificate and its private key")
        })
    }
}

fn needed<'f>(field: &str, file: Option<&'f Path>) -> Result<&'f Path, String> {
    file.ok_or_else(|| format!(".{field}: must be set for this `auth_method`"))
}

fn read(field: &str, file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!(".{field}: {file:?} cannot be read: {error}"))
}

struct Credentials {
    client: ClientCredentials,
    identity: Option<Identity>,
}

/// An introspection that was checked.
pub(crate) struct ParsedIntrospection<'a> {
    pub(crate) config: &'a Introspection,
    pub(crate) client: ClientCredentials,
    /// The certificate that we show when we connect.
    pub(crate) identity: Option<Identity>,
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
    fn needs_client(self) -> bool {
        matches!(self, Self::Rfc7662 | Self::GithubCheckToken)
    }

    /// Whether the place is in the authorization server's metadata.
    fn is_in_metadata(self) -> bool {
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
