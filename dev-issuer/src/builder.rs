use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::{Algorithm, DevIssuer, StartError, User, scope};

/// Configures a [`DevIssuer`]. Every default is a working one.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    address: SocketAddr,
    settings: Settings,
}

impl Builder {
    pub(crate) fn new() -> Self {
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

    /// Binds the address and serves until the last handle is dropped.
    ///
    /// # Errors
    /// [`StartError`], when the address cannot be had or the configuration makes no sense.
    pub async fn start(self) -> Result<DevIssuer, StartError> {
        self.settings.check()?;
        DevIssuer::serve(self.address, self.settings).await
    }
}

/// A well-known URL of the metadata document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataLocation {
    /// RFC 8414 §3.1: `/.well-known/oauth-authorization-server{path}`.
    OAuthInserted,
    /// `/.well-known/openid-configuration{path}`, as RFC 8414 §5 has it.
    OpenIdInserted,
    /// OpenID Connect Discovery §4: `{path}/.well-known/openid-configuration`.
    OpenIdAppended,
    /// `{path}/.well-known/oauth-authorization-server`, as some providers serve it.
    OAuthAppended,
}

impl MetadataLocation {
    pub(crate) const ALL: [Self; 4] =
        [Self::OAuthInserted, Self::OpenIdInserted, Self::OpenIdAppended, Self::OAuthAppended];

    /// The URL path for an issuer with this path, which has no trailing slash.
    pub(crate) fn path(self, base_path: &str) -> String {
        const OAUTH: &str = "/.well-known/oauth-authorization-server";
        const OPENID: &str = "/.well-known/openid-configuration";
        match self {
            Self::OAuthInserted => format!("{OAUTH}{base_path}"),
            Self::OpenIdInserted => format!("{OPENID}{base_path}"),
            Self::OpenIdAppended => format!("{base_path}{OPENID}"),
            Self::OAuthAppended => format!("{base_path}{OAUTH}"),
        }
    }
}

/// The builder's choices but the address.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) path: String,
    pub(crate) users: Vec<User>,
    pub(crate) scopes: Vec<String>,
    pub(crate) any_scope: bool,
    pub(crate) auto_approve: bool,
    pub(crate) algorithm: Algorithm,
    pub(crate) access_token_lifetime: Duration,
    pub(crate) default_audience: Option<String>,
    pub(crate) metadata_at: Vec<MetadataLocation>,
    pub(crate) metadata_override: Map<String, Value>,
}

impl Settings {
    pub(crate) fn user(&self, subject: &str) -> Option<&User> {
        self.users.iter().find(|user| user.subject == subject)
    }

    fn check(&self) -> Result<(), StartError> {
        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let path = self.path.strip_suffix('/').unwrap_or(&self.path);
        let segments_fit = path
            .split('/')
            .skip(1)
            .all(|segment| !matches!(segment, "" | "." | "..") && segment.chars().all(unreserved));
        if !(path.is_empty() || path.starts_with('/') && segments_fit) {
            return Err(StartError::InvalidPath(self.path.clone()));
        }
        if let Some(bad) = self.scopes.iter().find(|scope| !scope::is_scope_token(scope)) {
            return Err(StartError::InvalidScope(bad.clone()));
        }
        if self.users.is_empty() {
            return Err(StartError::NoUsers);
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: String::new(),
            users: User::defaults(),
            scopes: scope::DEFAULT.map(str::to_owned).to_vec(),
            any_scope: true,
            auto_approve: false,
            algorithm: Algorithm::default(),
            access_token_lifetime: Duration::from_secs(3600),
            default_audience: None,
            metadata_at: MetadataLocation::ALL.to_vec(),
            metadata_override: Map::new(),
        }
    }
}
