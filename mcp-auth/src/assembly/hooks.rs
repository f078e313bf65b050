//! Code of the user's own, which no configuration holds: it stays when the configuration is replaced.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::assembler::Assembler;
use super::parsed_config::ParsedConfig;
use super::parsed_shared_store::ParsedSharedStore;
use super::serving::{Serving, StoreInUse};
use super::warnings::{warn_of_rules, warn_of_weak_settings};
use crate::authenticate::TokenVerifier;
use crate::authorize::Authorizer;
use crate::clock::{Clock, SystemClock};
use crate::config::{ClientAuthMethod, Config, ConfigError, ConfigFault, Faults};
use crate::downstream::GrantVault;
use crate::handles::KeyRing;
use crate::issuer::{HttpClient, MetadataPatch};
use crate::revocation::{Cutoffs, Feed, RevocationCheck};
use crate::shared_store::{CurrentStore, SharedStore};
use crate::spawner::Spawner;

/// What was added to the builder.
pub(crate) struct Hooks {
    pub(super) http: Option<Arc<dyn HttpClient>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(super) spawner: Spawner,
    pub(super) slow_checks: Option<Arc<Semaphore>>,
    pub(super) patch: Option<MetadataPatch>,
    pub(super) authorizers: Vec<Arc<dyn Authorizer>>,
    pub(super) token_verifiers: Vec<Arc<dyn TokenVerifier>>,
    pub(super) revocation_check: Option<Arc<dyn RevocationCheck>>,
    pub(super) shared_store: Option<Arc<dyn SharedStore>>,
    pub(super) grant_vault: Option<Arc<dyn GrantVault>>,
    pub(crate) serve_authorization_server_metadata: bool,
    pub(crate) hide_resource_metadata: bool,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            http: None,
            clock: Arc::new(SystemClock),
            spawner: Spawner::default(),
            slow_checks: None,
            patch: None,
            authorizers: Vec::new(),
            token_verifiers: Vec::new(),
            revocation_check: None,
            shared_store: None,
            grant_vault: None,
            serve_authorization_server_metadata: false,
            hide_resource_metadata: false,
        }
    }
}

impl Hooks {
    /// What answers requests by this configuration, with what still holds of the one before. Nothing of that one changes
    /// until it is replaced.
    ///
    /// # Errors
    /// [`ConfigError`] lists every fault at once.
    pub(crate) fn assemble(
        &self,
        config: &Config,
        cutoffs: &Arc<Cutoffs>,
        earlier: Option<&Serving>,
    ) -> Result<Serving, ConfigError> {
        let parsed = self.parse(config)?;
        let ParsedConfig {
            resources,
            trust_anchors,
            handle_keys,
            trusted_proxies,
            shared_store,
            downstreams,
            connect,
        } = parsed;
        if earlier.is_some_and(|before| before.shared_store != config.shared_store) {
            let fault = ConfigFault::new("shared_store", "this takes a restart");
            return Err(ConfigError::new(vec![fault]));
        }
        let own_keys = earlier.and_then(|before| before.own_handle_keys.clone());
        let has_own_keys = handle_keys.is_none();
        let keys = match (handle_keys, own_keys) {
            (Some(configured), _) => Arc::new(configured),
            (None, Some(own)) => own,
            (None, None) => Arc::new(KeyRing::random().ok_or_else(without_randomness)?),
        };
        let store_in_use = self.store_in_use(shared_store, cutoffs, earlier);
        let mut assembler = Assembler::new(self, config, cutoffs, trust_anchors, earlier);
        assembler.share(store_in_use);
        assembler.limit_failures(trusted_proxies);
        let mut assembled = Vec::with_capacity(resources.len());
        for parsed in resources {
            assembled.push(assembler.protect(parsed, &keys));
        }
        if let Some(connect) = connect {
            assembler.connect_accounts(connect, &keys);
        }
        for downstream in downstreams {
            assembler.call_downstream(downstream);
        }
        warn_of_weak_settings(config);
        warn_of_rules(&self.authorizers);
        Ok(assembler.finish(assembled, keys, has_own_keys))
    }

    /// The store that instances share. At the first time, what is revoked here and on other instances is told to and fro from
    /// then on. Later it is the same one; it is reached in another way where the files that name it say so now.
    fn store_in_use(
        &self,
        parsed: Option<ParsedSharedStore>,
        cutoffs: &Arc<Cutoffs>,
        earlier: Option<&Serving>,
    ) -> Option<StoreInUse> {
        let ParsedSharedStore { store, limits, reached_by } = parsed?;
        if let Some(known) = earlier.and_then(|before| before.store_in_use.as_ref()) {
            if known.reached_by != reached_by {
                known.store.replace(store);
            }
            return Some(StoreInUse { reached_by, ..known.clone() });
        }
        let current = Arc::new(CurrentStore::new(store));
        let (clock, spawner) = (self.clock.clone(), self.spawner.clone());
        cutoffs.share(Feed::new(current.clone(), cutoffs, clock, spawner, limits));
        Some(StoreInUse { store: current, timeout: limits.timeout, reached_by })
    }

    /// The configuration, checked; or every fault at once, those of the code that was added to the builder first.
    pub(super) fn parse<'c>(&self, config: &'c Config) -> Result<ParsedConfig<'c>, ConfigError> {
        let mut found = Vec::new();
        let mut faults = Faults::of_all(&mut found);
        for authorizer in &self.authorizers {
            faults.below("authorizer").add_all(authorizer.config_faults());
        }
        if self.http.is_some() {
            check_files_are_used(config, &mut faults);
        }
        let (store, vault) = (self.shared_store.as_ref(), self.grant_vault.as_ref());
        ParsedConfig::parse(config, store, vault, found)
    }
}

fn without_randomness() -> ConfigError {
    let reason = "the system has no randomness, so that no key can be made";
    ConfigError::new(vec![ConfigFault::new("handle_keys", reason)])
}

fn is_shown_by_certificate(method: ClientAuthMethod) -> bool {
    method == ClientAuthMethod::TlsClientAuth
}

/// Adds a fault for each file that only the built-in HTTP client reads, when another client is used.
fn check_files_are_used(config: &Config, faults: &mut Faults<'_>) {
    const UNUSED: &str = "the HTTP client that was given does not use it";
    if !config.ca_files.is_empty() {
        faults.add("ca_files", UNUSED);
    }
    let servers = config.resources.iter().flat_map(|resource| &resource.authorization_servers);
    for introspection in servers.flat_map(|server| &server.introspection) {
        if introspection.auth_method == ClientAuthMethod::TlsClientAuth {
            faults.add("certificate_file", UNUSED);
        }
    }
    for (name, downstream) in &config.downstreams {
        let target = downstream.target.as_ref().map(|target| target.auth_method);
        if target.into_iter().chain([downstream.auth_method]).any(is_shown_by_certificate) {
            faults.below("downstreams").below(name).add("certificate_file", UNUSED);
        }
    }
}
