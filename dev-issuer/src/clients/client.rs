//! One OAuth client, however it became known.

use super::{GrantType, RedirectUris};
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
    pub(super) fn preregistered(id: &str, secret: Option<&str>, grant_types: &[GrantType]) -> Self {
        Self {
            id: id.to_owned(),
            name: Some(format!("Development client {id}")),
            secret: secret.map(str::to_owned),
            redirect_uris: RedirectUris::AnyLoopback,
            grant_types: grant_types.to_vec(),
        }
    }
}
