//! Reads what proves to an authorization server who we are.

use std::path::Path;

use reqwest::Identity;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::config::{ClientAuthMethod, ClientSettings, Faults, Secret};
use crate::issuer::ClientCredentials;
use crate::jose::{Digest, SigningKey, sha256};
use crate::text::without_byte_order_mark;

/// What proves who we are: to an endpoint in each request, or on the connection by a certificate.
pub(super) struct Credentials {
    pub(super) client: ClientCredentials,
    /// The certificate that we show when we connect.
    pub(super) identity: Option<ClientCertificate>,
}

/// A certificate with its key, and the digest of the file that both were read from.
pub(super) struct ClientCertificate {
    pub(super) identity: Identity,
    pub(super) digest: Digest,
}

impl Credentials {
    /// Reads the credentials that the configured `auth_method` needs; `None` when a fault was found.
    pub(super) fn read(config: &ClientSettings<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let client = match config.auth_method {
            ClientAuthMethod::ClientSecretBasic => {
                ClientCredentials::Basic(read_secret(config, faults)?)
            }
            ClientAuthMethod::ClientSecretPost => {
                ClientCredentials::Post(read_secret(config, faults)?)
            }
            ClientAuthMethod::PrivateKeyJwt => ClientCredentials::PrivateKey {
                key: read_private_key(config, faults)?,
                key_id: config.private_key_id.map(str::to_owned),
            },
            ClientAuthMethod::TlsClientAuth => {
                let identity = Some(read_identity(config, faults)?);
                return Some(Self { client: ClientCredentials::Certificate, identity });
            }
            ClientAuthMethod::None => ClientCredentials::None,
        };
        Some(Self { client, identity: None })
    }
}

fn read_secret(config: &ClientSettings<'_>, faults: &mut Faults<'_>) -> Option<Secret> {
    match (config.client_secret, config.client_secret_file) {
        (Some(_), Some(_)) => {
            faults.add_here("`client_secret` and `client_secret_file` contradict each other");
            None
        }
        (Some(secret), None) if !secret.expose().is_empty() => Some(secret.clone()),
        (None, Some(file)) => {
            let bytes = read_file("client_secret_file", file, faults)?;
            let Ok(text) = String::from_utf8(bytes) else {
                faults.add("client_secret_file", format!("{file:?} is not text"));
                return None;
            };
            if text.trim().is_empty() {
                faults.add("client_secret_file", format!("{file:?} is empty"));
                return None;
            }
            Some(Secret::new(text.trim()))
        }
        _ => {
            faults.add("client_secret", "must be set, or `client_secret_file`");
            None
        }
    }
}

fn read_private_key(config: &ClientSettings<'_>, faults: &mut Faults<'_>) -> Option<SigningKey> {
    const FIELD: &str = "private_key_file";
    let file = named_file(FIELD, config.private_key_file, faults)?;
    let pem = read_file(FIELD, file, faults)?;
    let key = signing_key_in(&pem);
    if key.is_none() {
        let reason = format!("{file:?} holds no RSA, P-256, P-384 or Ed25519 key in PKCS #8");
        faults.add(FIELD, reason);
    }
    key
}

fn signing_key_in(pem: &[u8]) -> Option<SigningKey> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
    SigningKey::from_pkcs8(der.secret_pkcs8_der())
}

fn read_identity(
    config: &ClientSettings<'_>,
    faults: &mut Faults<'_>,
) -> Option<ClientCertificate> {
    const FIELD: &str = "certificate_file";
    let file = named_file(FIELD, config.certificate_file, faults)?;
    let pem = read_file(FIELD, file, faults)?;
    let identity = Identity::from_pem(&pem);
    if identity.is_err() {
        let reason = format!("{file:?} must hold a certificate and its private key");
        faults.add(FIELD, reason);
    }
    Some(ClientCertificate { identity: identity.ok()?, digest: sha256(&pem) })
}

/// The file that this field names; a fault when it names none, because the `auth_method` needs the file.
fn named_file<'c>(
    field: &str,
    file: Option<&'c Path>,
    faults: &mut Faults<'_>,
) -> Option<&'c Path> {
    if file.is_none() {
        faults.add(field, "must be set for this `auth_method`");
    }
    file
}

fn read_file(field: &str, file: &Path, faults: &mut Faults<'_>) -> Option<Vec<u8>> {
    match std::fs::read(file) {
        Ok(bytes) => Some(without_byte_order_mark(&bytes).to_vec()),
        Err(error) => {
            faults.add(field, format!("{file:?} cannot be read: {error}"));
            None
        }
    }
}
