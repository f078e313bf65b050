//! The authorization server without its network: what it was configured with, and what it knows.
//!
//! Every endpoint and every handle holds the one [`Issuer`], so that a key that a test rotates, or a token that it revokes, is
//! rotated or revoked for requests too.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::clients::Clients;
use crate::counters::Counters;
use crate::grants::Grants;
use crate::jose::{ID_JAG_TYP, KeyRing};
use crate::mode::Mode;
use crate::settings::Settings;
use crate::token_mode::TokenMode;

/// An issuer at an address, with its keys, clients and grants.
pub(crate) struct Issuer {
    pub(crate) settings: Settings,
    /// The issuer identifier, exactly as published.
    pub(crate) identifier: String,
    pub(crate) address: SocketAddr,
    pub(crate) keys: KeyRing,
    pub(crate) clients: Clients,
    pub(crate) counters: Counters,
    grants: Mutex<Grants>,
    mode: watch::Sender<Mode>,
}

impl Issuer {
    pub(crate) fn new(settings: Settings, address: SocketAddr) -> Self {
        Self {
            identifier: format!("http://{address}{}", settings.path),
            address,
            keys: KeyRing::new(settings.algorithm),
            clients: Clients::new(&settings.clients),
            counters: Counters::default(),
            grants: Mutex::default(),
            mode: watch::Sender::default(),
            settings,
        }
    }

    /// The path in front of every endpoint: the issuer's, without a trailing slash.
    pub(crate) fn base_path(&self) -> &str {
        self.settings.path.trim_end_matches('/')
    }

    /// The URL of an endpoint such as `/token`.
    pub(crate) fn url(&self, endpoint: &str) -> String {
        format!("http://{}{}{endpoint}", self.address, self.base_path())
    }

    /// What was granted. Nobody else can read or change it while the guard is held.
    pub(crate) fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claims of an access token of this issuer, opaque or not. The token may have expired or be revoked.
    pub(crate) fn access_token_claims(&self, token: &str) -> Option<Map<String, Value>> {
        let of_opaque_token = self.grants().opaque_token_claims(token).cloned();
        if of_opaque_token.is_some() {
            return of_opaque_token;
        }
        let verified = self.keys.verify(token)?;
        // Authorization servers take an ID-JAG, and nobody else: it opens nothing here.
        (!verified.has_typ(ID_JAG_TYP)).then_some(verified.claims)
    }

    /// Revokes an access token. One without a `jti` cannot be revoked.
    pub(crate) fn revoke_access_token(&self, token: &str) {
        let claims = self.access_token_claims(token).unwrap_or_default();
        if let Some(jti) = claims.get("jti").and_then(Value::as_str) {
            self.grants().revoke_access_token(jti);
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    /// Returns when the mode is another one than [`TokenMode::Hold`].
    pub(crate) async fn no_longer_held(&self) {
        let mut mode = self.mode.subscribe();
        let changed = mode.wait_for(|mode| *mode != Mode::Token(TokenMode::Hold)).await;
        // The sender is part of this issuer, so that it is still there.
        drop(changed);
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}
