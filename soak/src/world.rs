//! What everybody shares: the issuer, two instances of the protected server, and what is going on.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dev_issuer::DevIssuer;
use mcp_auth::{Config, McpAuth, ScopePolicy};
use tokio::net::TcpListener;

use crate::server::{Shared, routes};

pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// How far clocks may be apart. Small, so that tokens expire in a short run.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(1);

/// So long after a change every token that should be accepted is accepted. Tokens of keys that nobody has keep the budget of
/// requests for keys empty, so that it is 15 seconds until the next.
const CALM: Duration = Duration::from_secs(17);

/// A running instance of the server.
pub(crate) struct Instance {
    pub(crate) url: String,
    pub(crate) auth: McpAuth,
    /// The keys of which it has accepted a token: it has them.
    known_keys: Mutex<HashSet<u64>>,
}

/// Everything that is shared.
pub(crate) struct World {
    pub(crate) issuer: DevIssuer,
    pub(crate) instances: Vec<Instance>,
    pub(crate) stop: AtomicBool,
    pub(crate) open_streams: Arc<AtomicUsize>,
    begun_streams: Arc<AtomicUsize>,
    /// Which key signs now: they are numbered.
    pub(crate) key: AtomicU64,
    /// Keys before this one are no longer published.
    pub(crate) oldest_key: AtomicU64,
    is_failing: AtomicBool,
    last_change: Mutex<Instant>,
    faults: Mutex<Vec<String>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let shared = Shared::default();
        let mut instances = Vec::new();
        for _ in 0..2 {
            let auth = McpAuth::new(config(issuer.issuer())).unwrap();
            let app = auth.protect(routes(shared.clone()));
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let url = format!("http://{}/mcp", listener.local_addr().unwrap());
            tokio::spawn(async move { axum::serve(listener, app).await });
            instances.push(Instance { url, auth, known_keys: Mutex::default() });
        }
        Self {
            issuer,
            instances,
            stop: AtomicBool::new(false),
            open_streams: shared.open_streams,
            begun_streams: shared.begun_streams,
            key: AtomicU64::new(0),
            oldest_key: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            last_change: Mutex::new(Instant::now()),
            faults: Mutex::default(),
            counts: Mutex::default(),
        }
    }

    /// Tells that something has changed, from which servers must recover.
    pub(crate) fn change(&self) {
        *self.last_change.lock().unwrap() = Instant::now();
    }

    /// Tells that the issuer fails, or works again.
    pub(crate) fn set_failing(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::SeqCst);
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::SeqCst)
    }

    /// Whether nothing has changed for so long that everything has recovered.
    pub(crate) fn is_calm(&self) -> bool {
        !self.is_failing() && self.last_change.lock().unwrap().elapsed() > CALM
    }

    /// Remembers that an instance has a key.
    pub(crate) fn knows(&self, instance: usize, key: u64) {
        self.instances[instance].known_keys.lock().unwrap().insert(key);
    }

    /// Whether the issuer still publishes the key.
    pub(crate) fn has_published(&self, key: u64) -> bool {
        key >= self.oldest_key.load(Ordering::SeqCst)
    }

    /// Whether this instance has the key, so that it needs no issuer to accept a token.
    pub(crate) fn has(&self, instance: usize, key: u64) -> bool {
        self.has_published(key)
            && self.instances[instance].known_keys.lock().unwrap().contains(&key)
    }

    pub(crate) fn fault(&self, fault: String) {
        self.faults.lock().unwrap().push(fault);
    }

    pub(crate) fn has_fault(&self) -> bool {
        !self.faults.lock().unwrap().is_empty()
    }

    pub(crate) fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut self.faults.lock().unwrap())
    }

    pub(crate) fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    /// What has happened, and how often.
    pub(crate) fn tally(&self) -> String {
        let counts = self.counts.lock().unwrap();
        let lines: Vec<String> =
            counts.iter().map(|(what, times)| format!("{times} {what}")).collect();
        let streams = self.begun_streams.load(Ordering::SeqCst);
        format!("{}; {streams} streams", lines.join(", "))
    }
}

/// What both instances begin with.
pub(crate) fn config(issuer: &str) -> Config {
    let mut config = Config::new(RESOURCE, issuer).unwrap();
    config.clock_tolerance = TOLERANCE;
    config.fetch_timeout = Duration::from_secs(1);
    // Small, so that it is full soon.
    config.token_cache_bytes = 512 * 1024;
    config.handle_keys = vec!["soak-soak-soak-soak-soak-soak-soak".into()];
    let policy = ScopePolicy::new().require(["mcp"]).require_for_tool("write", ["notes:write"]);
    config.resources[0].policy = Some(policy);
    config
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
