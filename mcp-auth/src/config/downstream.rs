//! The APIs that tools call for their callers, as plain data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ClientAuthMethod, Secret};
use crate::scope::Scopes;

/// An API that tools call for their callers, and how a token for it is had: for
/// [`McpAuth::downstream`](crate::McpAuth::downstream).
///
/// # Defaults
/// Token exchange (RFC 8693) for persons, as a client with a secret (`client_secret_basic`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DownstreamConfig {
    /// How a token is had.
    pub grant: DownstreamGrant,
    /// The authorization server that gives it; it is one of `authorization_servers`, whose metadata names the token endpoint.
    pub issuer: Option<String>,
    /// The token endpoint, where no metadata names it.
    pub token_endpoint: Option<String>,
    /// Where users grant it, for `authorization_code`, where no metadata names it.
    pub authorization_endpoint: Option<String>,
    /// Where a grant is ended (RFC 7009), for `authorization_code`, where no metadata names it.
    pub revocation_endpoint: Option<String>,
    /// Our identifier as a client there.
    pub client_id: String,
    /// How we prove that we are this client.
    pub auth_method: ClientAuthMethod,
    /// The secret, for `client_secret_basic` and `client_secret_post`. It is read, and never written.
    #[serde(skip_serializing)]
    pub client_secret: Option<Secret>,
    /// A file that holds the secret; white space around it is cut.
    pub client_secret_file: Option<PathBuf>,
    /// A PEM file with a private key in PKCS #8, for `private_key_jwt`.
    pub private_key_file: Option<PathBuf>,
    /// The `kid` by which the server knows that key.
    pub private_key_id: Option<String>,
    /// A PEM file with a certificate chain and its private key, for `tls_client_auth`.
    pub certificate_file: Option<PathBuf>,
    /// `audience` of the request (RFC 8693 §2.1): the API by a name that the server knows. With `id_jag`, the issuer
    /// identifier of the API's authorization server.
    pub audience: Vec<String>,
    /// `resource` of the request (RFC 8707): the API by its URL.
    pub resource: Vec<String>,
    /// `scope` of the request. A token that grants more is refused.
    pub scopes: Scopes,
    /// `requested_token_type` (RFC 8693 §2.1), for `token_exchange`; absent: an access token.
    pub requested_token_type: Option<String>,
    /// Callers of which issuers it is for. Their tokens are sent to the token endpoint, so that none but these may be. Empty:
    /// those of `issuer` alone.
    pub subject_issuers: Vec<String>,
    /// Also for callers behind whom nobody stands, with `token_exchange`.
    pub allow_machines: bool,
    /// Who acts for the caller (RFC 8693 §1.1, delegation), with `token_exchange`; absent: nobody is named (impersonation).
    pub actor_token: Option<ActorToken>,
    /// Scopes of this server that clients are told to ask for, where the authorization server says that the user must
    /// consent first.
    pub consent_scopes: Scopes,
    /// The URLs of the API: the token is put on requests to these, and what is below them, alone.
    pub api: Vec<String>,
    /// The API's own authorization server, for `id_jag`.
    pub target: Option<DownstreamTarget>,
    /// Allow `http` for the token endpoint and the API elsewhere than on this machine.
    pub dangerous_allow_http: bool,
}

/// How a token for a downstream API is had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DownstreamGrant {
    /// The caller's token is exchanged for one (RFC 8693).
    #[default]
    TokenExchange,
    /// The same as Entra ID does it: `jwt-bearer` with `requested_token_use=on_behalf_of`.
    OnBehalfOf,
    /// An identity assertion (ID-JAG) of the caller's authorization server is exchanged at the API's own.
    IdJag,
    /// The tool acts as itself (RFC 6749 §4.4), whoever is calling.
    ClientCredentials,
    /// The user has granted it at the API's own provider, in a browser (RFC 6749 §4.1): `connect` of the configuration.
    AuthorizationCode,
}

impl DownstreamGrant {
    /// Its name in configuration and in logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TokenExchange => "token_exchange",
            Self::OnBehalfOf => "on_behalf_of",
            Self::IdJag => "id_jag",
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
        }
    }
}

/// Who acts for the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ActorToken {
    /// This client: by a token that it gets for itself from the same server.
    ClientCredentials,
    /// Whoever the JWT in this file is about. It is read each time.
    File(PathBuf),
}

/// The authorization server of a downstream API, as another one than that of its callers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DownstreamTarget {
    /// The token endpoint.
    pub token_endpoint: String,
    /// Our identifier as a client there.
    pub client_id: String,
    /// How we prove that we are this client.
    pub auth_method: ClientAuthMethod,
    /// The secret, for `client_secret_basic` and `client_secret_post`. It is read, and never written.
    #[serde(skip_serializing)]
    pub client_secret: Option<Secret>,
    /// A file that holds the secret; white space around it is cut.
    pub client_secret_file: Option<PathBuf>,
    /// A PEM file with a private key in PKCS #8, for `private_key_jwt`.
    pub private_key_file: Option<PathBuf>,
    /// The `kid` by which the server knows that key.
    pub private_key_id: Option<String>,
    /// A PEM file with a certificate chain and its private key, for `tls_client_auth`.
    pub certificate_file: Option<PathBuf>,
}
