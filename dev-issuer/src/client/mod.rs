//! Who asks: clients, and how each kind becomes known.

mod authentication;
mod document;
mod metadata;
mod redirect_uri;

pub(crate) use authentication::authenticate;
pub(crate) use metadata::ClientMetadata;
pub(crate) use redirect_uri::RedirectUris;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use document::Documents;

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
    known: Mutex<HashMap<String, Arc<Client>>>,
    documents: Documents,
}

impl Clients {
    /// Knows the development clients `dev` (secret `dev`) and `dev-public`.
    pub(crate) fn new() -> Self {
        let clients = Self { known: Mutex::default(), documents: Documents::default() };
        clients.add(Client::preregistered("dev", Some("dev"), &GrantType::ALL));
        clients.add(Client::preregistered("dev-public", None, &GrantType::ALL[..2]));
        clients
    }

    /// RFC 7591: makes a client from what it says about itself.
    pub(crate) fn register(&self, metadata: ClientMetadata) -> Arc<Client> {
        self.add(Client {
            id: random::<16>(),
            name: metadata.client_name,
            secret: metadata.is_confidential.then(random::<32>),
            redirect_uris: RedirectUris::Listed(metadata.redirect_uris),
            grant_types: metadata.grant_types,
        })
    }

    /// The client as known now. Fetches a Client ID Metadata Document not seen before.
    pub(crate) async fn find(&self, client_id: &str) -> Result<Arc<Client>, OAuthError> {
        let known = self.lock().get(client_id).cloned();
        match known {
            Some(client) => Ok(client),
            None => self.find_fresh(client_id).await,
        }
    }

    /// The same, with a Client ID Metadata Document fetched anew.
    pub(crate) async fn find_fresh(&self, client_id: &str) -> Result<Arc<Client>, OAuthError> {
        let is_document = document::is_document_url(client_id);
        if !is_document {
            let known = self.lock().get(client_id).cloned();
            return known.ok_or_else(|| OAuthError::invalid_client("the client is unknown"));
        }
        let metadata = self.documents.fetch(client_id).await?;
        Ok(self.add(Client {
            id: client_id.to_owned(),
            name: metadata.client_name,
            secret: None,
            redirect_uris: RedirectUris::Listed(metadata.redirect_uris),
            grant_types: metadata.grant_types,
        }))
    }

    fn add(&self, client: Client) -> Arc<Client> {
        let client = Arc::new(client);
        self.lock().insert(client.id.clone(), client.clone());
        client
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Client>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
