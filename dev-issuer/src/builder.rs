//! How a [`DevIssuer`] is configured and started.
//!
//! The constructors of [`DevIssuer`] are here too, because they need the builder and nothing else needs it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::dev_client::DevClient;
use crate::dev_issuer::DevIssuer;
use crate::metadata_location::MetadataLocation;
use crate::settings::Settings;
use crate::start_error::StartError;
use crate::user::User;

impl DevIssuer {
    /// Starts with every default, on a free port of `127.0.0.1`.
    ///
    /// # Errors
    /// [`StartError`], when no port can be bound.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Configures first.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

/// Configures a [`DevIssuer`]. Every default is a working one.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    address: SocketAddr,
    settings: Settings,
}

impl Builder {
    fn new() -> Self {
        Self { address: ([127, 0, 0, 1], 0).into(), settings: Settings::default() }
    }

    /// Where to listen. Default `127.0.0.1`, a free port. Must be a loopback address.
    pub fn bind(mut self, address: impl Into<SocketAddr>) -> Self {
        self.address = address.into();
        self
    }

    /// The path of the issuer identifier, such as `/tenant1`. Default none. A trailing slash stays
    /// part of the identifier, as some providers have it; `"/"` is an identifier that ends in one.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.settings.path = path.into();
        self
    }

    /// Who may sign in. The first is the default. Default `alice`, `bob` and `admin`.
    pub fn users(mut self, users: impl IntoIterator<Item = User>) -> Self {
        self.settings.users = users.into_iter().collect();
        self
    }

    /// `scopes_supported`. Default `mcp openid profile email offline_access`.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.settings.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Whether scopes outside `scopes_supported` are granted too, or `invalid_scope`. Default `true`.
    pub fn any_scope(mut self, any_scope: bool) -> Self {
        self.settings.any_scope = any_scope;
        self
    }

    /// Whether to skip the consent page and sign in as `login_hint` or the first user, with every
    /// scope asked for. Default `false`. Only clients at a loopback address do without the page: else
    /// any page the developer visits could register itself, or the scheme of an application, and
    /// sign in.
    pub fn auto_approve(mut self, auto_approve: bool) -> Self {
        self.settings.auto_approve = auto_approve;
        self
    }

    /// What tokens are signed with. Default [`Algorithm::Es256`].
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.settings.algorithm = algorithm;
        self
    }

    /// How long access and ID tokens are valid, in whole seconds. Default one hour.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.access_token_lifetime = lifetime;
        self
    }

    /// The `aud` of tokens asked for without `resource`. Default none: such requests are
    /// `invalid_target`, and minted tokens have no `aud` unless it is given.
    pub fn default_audience(mut self, audience: impl Into<String>) -> Self {
        self.settings.default_audience = Some(audience.into());
        self
    }

    /// The well-known URLs that serve metadata; the others answer 404. Default all.
    pub fn metadata_at(mut self, at: impl IntoIterator<Item = MetadataLocation>) -> Self {
        self.settings.metadata_at = at.into_iter().collect();
        self
    }

    /// Replaces members of the metadata document; `null` removes one. Default none.
    pub fn metadata_override(mut self, members: Map<String, Value>) -> Self {
        self.settings.metadata_override = members;
        self
    }

    /// Clients that are there from the start, beside `dev` and `dev-public`.
    pub fn clients(mut self, clients: impl IntoIterator<Item = DevClient>) -> Self {
        self.settings.clients = clients.into_iter().collect();
        self
    }

    /// Whether a client may exchange only tokens that it was given, and those that are for it: `aud` has its identifier, or one of
    /// the resource servers that it [acts for](DevClient::acts_for). Default `false`.
    pub fn exchanges_own_tokens_only(mut self, own_only: bool) -> Self {
        self.settings.exchanges_own_tokens_only = own_only;
        self
    }

    /// Whose ID-JAGs are taken for access tokens, by issuer identifier. Default none.
    pub fn id_jag_issuers<S: Into<String>>(mut self, issuers: impl IntoIterator<Item = S>) -> Self {
        self.settings.id_jag_issuers = issuers.into_iter().map(Into::into).collect();
        self
    }

    /// Binds the address and serves until the last handle is dropped.
    ///
    /// # Errors
    /// [`StartError`], when the address cannot be had or the configuration makes no sense.
    pub async fn start(self) -> Result<DevIssuer, StartError> {
        self.settings.check()?;
        DevIssuer::serve(self.address, self.settings).await
    }
}
