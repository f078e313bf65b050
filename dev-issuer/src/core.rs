use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

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
