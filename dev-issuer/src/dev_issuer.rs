//! The handle that tests and `mcp-auth dev` hold.
//!
//! It changes and asks a running server: rotates keys, revokes tokens, switches the [`Mode`], counts requests.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::http::Server;
use crate::issuer::Issuer;
use crate::mint::Mint;
use crate::mode::Mode;
use crate::requests::Requests;
use crate::settings::Settings;
use crate::start_error::StartError;

/// A handle to a running authorization server. The server stops when the last handle is dropped.
#[derive(Clone)]
pub struct DevIssuer {
    issuer: Arc<Issuer>,
    server: Arc<Server>,
}

impl DevIssuer {
    /// Serves on the address, or on any free port of it when the port is 0.
    pub(crate) async fn serve(wanted: SocketAddr, settings: Settings) -> Result<Self, StartError> {
        let listener = Server::bind(wanted).await?;
        let address = listener.local_addr().map_err(|error| StartError::Bind(wanted, error))?;
        let issuer = Arc::new(Issuer::new(settings, address));
        tracing::warn!(
            issuer = issuer.identifier,
            "development issuer: anyone on this machine may sign in as anyone, nothing is stored"
        );
        let server = Arc::new(Server::run(listener, issuer.clone()));
        Ok(Self { issuer, server })
    }

    /// The issuer identifier, exactly as in the metadata and in `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer.identifier
    }

    /// The URL of the JWK Set.
    pub fn jwks_uri(&self) -> String {
        self.issuer.url("/jwks")
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.issuer.address
    }

    /// Begins a token. Needs no running server: works in every [`Mode`] and after a shutdown.
    pub fn mint(&self) -> Mint {
        Mint::new(self.issuer.clone())
    }

    /// Signs with a new key from now on. Old keys stay published.
    pub fn rotate_keys(&self) {
        self.issuer.keys.rotate(true);
    }

    /// Signs with a new key from now on. No old key stays published.
    pub fn rotate_keys_and_drop_old(&self) {
        self.issuer.keys.rotate(false);
    }

    /// Revokes an access token: introspection says from now on that it is not active.
    pub fn revoke(&self, token: &str) {
        self.issuer.revoke_access_token(token);
    }

    /// Changes how requests are answered from now on. Requests that hang keep hanging.
    pub fn set_mode(&self, mode: Mode) {
        self.issuer.set_mode(mode);
    }

    /// The requests received so far.
    pub fn requests(&self) -> Requests {
        self.issuer.counters.snapshot()
    }

    /// Stops the server and closes its connections, for all handles. Returns when the port is free.
    pub async fn shutdown(&self) {
        self.server.shutdown().await;
    }
}

impl std::fmt::Debug for DevIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevIssuer").field("issuer", &self.issuer.identifier).finish_non_exhaustive()
    }
}
