//! One OAuth client, however it became known.

use std::collections::BTreeMap;

use super::{GrantType, RedirectUris};
use crate::dev_client::DevClient;
use crate::oauth_error::OAuthError;

/// An OAuth client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    /// A confidential client has one, a public client none.
    pub(crate) secret: Option<String>,
    pub(crate) redirect_uris: RedirectUris,
    pub(crate) grant_types: Vec<GrantType>,
    /// What it may exchange tokens for.
    pub(crate) exchange: ExchangePolicy,
}

impl Client {
    /// Refuses grant types that the client did not register for (RFC 6749 §5.2, `unauthorized_client`).
    pub(crate) fn may_use(&self, grant_type: GrantType) -> Result<(), OAuthError> {
        if self.grant_types.contains(&grant_type) {
            return Ok(());
        }
        let description = format!("the client may not use {}", grant_type.as_str());
        Err(OAuthError::new("unauthorized_client", description))
    }

    /// A development client, whose redirect URI may be any of this machine.
    pub(super) fn preregistered(client: DevClient) -> Self {
        let grant_types = match client.secret {
            Some(_) => GrantType::ALL.to_vec(),
            None => GrantType::OF_PUBLIC_CLIENTS.to_vec(),
        };
        Self {
            name: Some(format!("Development client {}", client.id)),
            id: client.id,
            secret: client.secret,
            redirect_uris: RedirectUris::AnyLoopback,
            grant_types,
            exchange: ExchangePolicy {
                may_get: client.may_get,
                targets: client.targets,
                acts_for: client.acts_for,
                ids_elsewhere: client.ids_elsewhere,
            },
        }
    }

    /// What this client is called at another authorization server.
    pub(crate) fn id_at(&self, issuer: &str) -> &str {
        self.exchange.ids_elsewhere.get(issuer).unwrap_or(&self.id)
    }
}

/// What a client may exchange tokens for; see [`DevClient`]. By default it may widen nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExchangePolicy {
    pub(crate) may_get: Vec<String>,
    pub(crate) targets: Option<Vec<String>>,
    pub(crate) acts_for: Vec<String>,
    pub(crate) ids_elsewhere: BTreeMap<String, String>,
}
