//! Who asks: clients, and how each kind becomes known.

mod authentication;
mod document;
mod metadata;
mod redirect_uri;
mod store;

pub(crate) use authentication::authenticate;
pub(crate) use metadata::{ClientMetadata, MAX_METADATA_BYTES};
pub(crate) use redirect_uri::{RedirectUris, is_loopback};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use document::Documents;
use store::Store;

use crate::http::OAuthError;
use crate::jose::random;

/// An OAuth client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// A confidential client has one, a public client none.
    pub(crate) secret: Option<String>,
    pub(crate) redirect_uris: RedirectUris,
    pub(crate) grant_types: Vec<GrantType>,
}

impl Client {
    pub(crate) fn may_use(&self, grant_type: GrantType) -> Result<(), OAuthError> {
        if self.grant_types.contains(&grant_type) {
            return Ok(());
        }
        let description = format!("the client may not use {}", grant_type.as_str());
        Err(OAuthError::new("unauthorized_client", description))
    }

    fn preregistered(id: &str, secret: Option<&str>, grant_types: &[GrantType]) -> Self {
        Self {
            id: id.to_owned(),
            name: Some(format!("Development client {id}")),
            secret: secret.map(str::to_owned),
            redirect_uris: RedirectUris::AnyLoopback,
            grant_types: grant_types.to_vec(),
        }
    }
}

/// A grant type of the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantType {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
}

impl GrantType {
    pub(crate) const ALL: [Self; 3] =
        [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant_type| grant_type.as_str() == name)
    }
}

/// Every client this issuer knows.
pub(crate) struct Clients {
    known: Mutex<Store>,
    documents: Documents,
}

impl Clients {
    /// Knows the development clients `dev` (secret `dev`) and `dev-public`.
    pub(crate) fn new() -> Self {
        let preregistered = [
            Client::preregistered("dev", Some("dev"), &GrantType::ALL),
            Client::preregistered("dev-public", None, &GrantType::ALL[..2]),
        ];
        let known = Mutex::new(Store::of(preregistered));
        Self { known, documents: Documents::default() }
    }

    /// RFC 7591: makes a client from what it says about itself.
    pub(crate) fn register(&self, metadata: ClientMetadata) -> Arc<Client> {
        self.lock().add(Client {
            id: random::<16>(),
            name: metadata.client_name,
            secret: metadata.is_confidential.then(random::<32>),
            redirect_uris: RedirectUris::Listed(metadata.redirect_uris),
            grant_types: metadata.grant_types,
        })
    }

    /// The client, if it was met before. Fetches nothing: whoever may ask here, any web page may.
    pub(crate) fn find(&self, client_id: &str) -> Result<Arc<Client>, OAuthError> {
        let known = self.lock().find(client_id);
        known.ok_or_else(|| OAuthError::invalid_client("the client is unknown"))
    }

    /// The client that a user is led here by; its Client ID Metadata Document is fetched anew.
    pub(crate) async fn introduce(&self, client_id: &str) -> Result<Arc<Client>, OAuthError> {
        if !document::is_document_url(client_id) {
            return self.find(client_id);
        }
        let metadata = self.documents.fetch(client_id).await?;
        Ok(self.lock().add(Client {
            id: client_id.to_owned(),
            name: metadata.client_name,
            secret: None,
            redirect_uris: RedirectUris::Listed(metadata.redirect_uris),
            grant_types: metadata.grant_types,
        }))
    }

    /// Keeps a client that a user has approved, however many register after it.
    pub(crate) fn keep(&self, client: &Arc<Client>) {
        self.lock().keep(client);
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
