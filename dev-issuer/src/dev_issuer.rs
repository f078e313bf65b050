use std::net::SocketAddr;
use std::sync::Arc;

use crate::builder::Settings;
use crate::core::Core;
use crate::http::Server;
use crate::{Builder, Mint, Mode, Requests, StartError};

/// A handle to a running authorization server. The server stops when the last handle is dropped.
#[derive(Clone)]
pub struct DevIssuer {
    core: Arc<Core>,
    server: Arc<Server>,
}

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

    pub(crate) async fn serve(address: SocketAddr, settings: Settings) -> Result<Self, StartError> {
        let listener = Server::bind(address).await?;
        let address = listener.local_addr().map_err(|error| StartError::Bind(address, error))?;
        let core = Arc::new(Core::new(settings, address));
        tracing::warn!(
            issuer = core.issuer,
            "development issuer: anyone on this machine may sign in as anyone, nothing is stored"
        );
        let server = Arc::new(Server::run(listener, core.clone()));
        Ok(Self { core, server })
    }

    /// The issuer identifier, exactly as in the metadata and in `iss`.
    pub fn issuer(&self) -> &str {
        &self.core.issuer
    }

    /// The URL of the JWK Set.
    pub fn jwks_uri(&self) -> String {
        self.core.url("/jwks")
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.core.address
    }

    /// Begins a token. Needs no running server: works in every [`Mode`] and after a shutdown.
    pub fn mint(&self) -> Mint {
        Mint::new(self.core.clone())
    }

    /// Signs with a new key from now on. Old keys stay published.
    pub fn rotate_keys(&self) {
        self.core.keys.rotate(true);
    }

    /// Signs with a new key from now on. No old key stays published.
    pub fn rotate_keys_and_drop_old(&self) {
        self.core.keys.rotate(false);
    }

    /// Revokes an access token: introspection says from now on that it is not active.
    pub fn revoke(&self, token: &str) {
        self.core.revoke(token);
    }

    /// Changes how requests are answered from now on. Requests that hang keep hanging.
    pub fn set_mode(&self, mode: Mode) {
        self.core.set_mode(mode);
    }

    /// The requests received so far.
    pub fn requests(&self) -> Requests {
        self.core.counters.snapshot()
    }

    /// Stops the server and closes its connections, for all handles. Returns when the port is free.
    pub async fn shutdown(&self) {
        self.server.shutdown().await;
    }
}

impl std::fmt::Debug for DevIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevIssuer").field("issuer", &self.core.issuer).finish_non_exhaustive()
    }
}
