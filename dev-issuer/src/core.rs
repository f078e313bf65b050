use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::Mode;
use crate::builder::Settings;
use crate::client::Clients;
use crate::grant::Grants;
use crate::jose::KeyRing;
use crate::requests::Counters;

/// What every endpoint and every handle shares.
pub(crate) struct Core {
    pub(crate) settings: Settings,
    /// The issuer identifier, exactly as published.
    pub(crate) issuer: String,
    pub(crate) address: SocketAddr,
    pub(crate) keys: KeyRing,
    pub(crate) clients: Clients,
    pub(crate) counters: Counters,
    grants: Mutex<Grants>,
    mode: Mutex<Mode>,
}

impl Core {
    pub(crate) fn new(settings: Settings, address: SocketAddr) -> Self {
        Self {
            issuer: format!("http://{address}{}", settings.path),
            address,
            keys: KeyRing::new(settings.algorithm),
            clients: Clients::new(),
            counters: Counters::default(),
            grants: Mutex::default(),
            mode: Mutex::default(),
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

    pub(crate) fn grants(&self) -> MutexGuard<'_, Grants> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claims of an access token of this issuer, opaque or not. Says nothing about expiry.
    pub(crate) fn access_token(&self, token: &str) -> Option<Map<String, Value>> {
        let opaque = self.grants().opaque(token).cloned();
        opaque.or_else(|| self.keys.verify(token))
    }

    /// Revokes an access token.
    pub(crate) fn revoke(&self, token: &str) {
        let claims = self.access_token(token);
        let jti = claims.as_ref().and_then(|claims| claims.get("jti")?.as_str());
        jti.into_iter().for_each(|jti| self.grants().revoke_access_token(jti));
    }

    pub(crate) fn mode(&self) -> Mode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
