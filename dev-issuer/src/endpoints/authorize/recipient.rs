//! Where an authorization response goes: the redirect URI of a known client.
//!
//! As long as it is not known that the URI belongs to the client, an error is shown and not redirected; otherwise this issuer
//! would send users wherever a link tells it to.

use std::sync::Arc;

use url::form_urlencoded;

use crate::clients::{Client, is_loopback};
use crate::grants::AuthorizationRequest;
use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// A client and the place where its answer goes.
pub(super) struct Recipient {
    pub(super) client: Arc<Client>,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
}

impl Recipient {
    /// Reads it from an authorization request. An error is shown to the user (RFC 6749 §4.1.2.1).
    pub(super) async fn find(issuer: &Issuer, params: &Params) -> Result<Self, OAuthError> {
        let client = issuer.clients.find_or_fetch(params.required("client_id")?).await?;
        let redirect_uri = client
            .redirect_uris
            .choose(params.optional("redirect_uri")?)
            .ok_or_else(|| OAuthError::invalid_request("redirect_uri is not registered"))?;
        let state = params.optional("state").ok().flatten().map(str::to_owned);
        Ok(Self { client, redirect_uri, state })
    }

    /// The recipient of a request that was read before.
    pub(super) fn of(request: &AuthorizationRequest) -> Self {
        Self {
            client: request.client.clone(),
            redirect_uri: request.redirect_uri.clone(),
            state: request.state.clone(),
        }
    }

    /// Whether a user has to decide. Only `auto_approve` does without, and only for clients at a loopback address, as
    /// [`is_loopback`] explains.
    pub(super) fn needs_page(&self, issuer: &Issuer) -> bool {
        !(issuer.settings.auto_approve && is_loopback(&self.redirect_uri))
    }

    /// The redirect URI with the response parameters, `state` and `iss` (RFC 9207).
    pub(super) fn response_uri(&self, issuer: &Issuer, params: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(params);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &issuer.identifier);
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.redirect_uri, query.finish())
    }

    pub(super) fn error_uri(&self, issuer: &Issuer, error: &OAuthError) -> String {
        let params = [("error", error.error), ("error_description", &error.description)];
        self.response_uri(issuer, &params)
    }
}
