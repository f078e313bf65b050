//! The clients, and how each kind becomes known: there from the start, registered (RFC 7591), or described by a Client ID
//! Metadata Document.
//!
//! Any web page can register clients here, so that their number is bounded, and a redirect URI must be one that browsers and
//! this issuer read alike.

mod authentication;
mod client;
mod client_metadata;
mod documents;
mod grant_type;
mod redirect_uris;
mod store;

pub(crate) use authentication::authenticate;
pub(crate) use client::{Client, ExchangePolicy};
pub(crate) use client_metadata::{ClientMetadata, MAX_METADATA_BYTES};
pub(crate) use grant_type::GrantType;
pub(crate) use redirect_uris::{RedirectUris, is_loopback};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use documents::Documents;
use store::Store;

use crate::dev_client::DevClient;
use crate::jose::random;
use crate::oauth_error::OAuthError;

/// Every client this issuer knows.
pub(crate) struct Clients {
    known: Mutex<Store>,
    documents: Documents,
}

impl Clients {
    /// Knows these clients, and the development clients `dev` (secret `dev`) and `dev-public`, unless one of these has their name.
    pub(crate) fn new(clients: &[DevClient]) -> Self {
        let always = [DevClient::new("dev").secret("dev"), DevClient::new("dev-public")];
        let known = clients.iter().cloned().chain(always).map(Client::preregistered);
        let known = Mutex::new(Store::of(known));
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
            exchange: ExchangePolicy::default(),
        })
    }

    /// The client, if it was met before. Nothing is fetched, because any web page can cause this question.
    pub(crate) fn find(&self, client_id: &str) -> Result<Arc<Client>, OAuthError> {
        let known = self.lock().find(client_id);
        known.ok_or_else(|| OAuthError::invalid_client("the client is unknown"))
    }

    /// The client of an authorization request. Its Client ID Metadata Document, if it has one, is fetched anew.
    pub(crate) async fn find_or_fetch(&self, client_id: &str) -> Result<Arc<Client>, OAuthError> {
        if !documents::is_document_url(client_id) {
            return self.find(client_id);
        }
        let metadata = self.documents.fetch(client_id).await?;
        Ok(self.lock().add(Client {
            id: client_id.to_owned(),
            name: metadata.client_name,
            secret: None,
            redirect_uris: RedirectUris::Listed(metadata.redirect_uris),
            grant_types: metadata.grant_types,
            exchange: ExchangePolicy::default(),
        }))
    }

    /// Keeps a client that a user has approved, however many register after it.
    pub(crate) fn keep_approved(&self, client: &Arc<Client>) {
        self.lock().keep_approved(client);
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
