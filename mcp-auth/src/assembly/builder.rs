//! Takes a configuration, and code of the user's own, to make a [`McpAuth`] of them.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::assembler::Assembler;
use super::parsed_config::ParsedConfig;
use super::parsed_resource::ParsedResource;
use super::warnings::{warn_of_rules, warn_of_weak_settings};
use crate::authenticate::TokenVerifier;
use crate::authorize::Authorizer;
use crate::clock::{Clock, SystemClock};
use crate::config::{ClientAuthMethod, Config, ConfigError, Faults};
use crate::inspection::{InspectedIssuer, IssuerReport, inspect};
use crate::issuer::{HttpClient, MetadataPatch, UrlRules};
use crate::mcp_auth::McpAuth;
use crate::shared_store::SharedStore;
use crate::spawner::Spawner;

/// Slow signatures that are checked in the background at once.
const MAX_SLOW_CHECKS: usize = 16;

/// Makes a [`McpAuth`] with code of your own in it.
#[must_use = "nothing is protected until `build` is called"]
pub struct McpAuthBuilder {
    pub(super) config: Config,
    pub(super) http: Option<Arc<dyn HttpClient>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) spawner: Spawner,
    pub(super) slow_checks: Option<Arc<Semaphore>>,
    pub(super) patch: Option<MetadataPatch>,
    pub(super) authorizers: Vec<Arc<dyn Authorizer>>,
    pub(super) token_verifiers: Vec<Arc<dyn TokenVerifier>>,
    shared_store: Option<Arc<dyn SharedStore>>,
    serve_authorization_server_metadata: bool,
    pub(super) hide_resource_metadata: bool,
}

impl McpAuthBuilder {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            http: None,
            clock: Arc::new(SystemClock),
            spawner: Spawner::default(),
            slow_checks: None,
            patch: None,
            authorizers: Vec::new(),
            token_verifiers: Vec::new(),
            shared_store: None,
            serve_authorization_server_metadata: false,
            hide_resource_metadata: false,
        }
    }

    /// Fetches metadata and keys with this client instead of the built-in one.
    pub fn http_client(mut self, client: impl HttpClient + 'static) -> Self {
        self.http = Some(Arc::new(client));
        self
    }

    /// Tells the time with this clock instead of the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Runs background work, such as fetching keys, with this function instead of `tokio::spawn`.
    ///
    /// The work needs a tokio runtime with time and IO. Everything else does not: with this, requests
    /// may be checked on any thread, and what needs no answer of an issuer is decided at the first poll.
    pub fn spawn_with(
        mut self,
        spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static,
    ) -> Self {
        self.spawner = Spawner::new(spawn);
        self
    }

    /// Checks signatures that take more than 0.1 ms in the background, for servers whose only thread must
    /// not be held that long: ES384, ES512, and RSA keys above 4096 bits. At most 16 at once; any more are
    /// checked where they are asked about.
    ///
    /// For all other signatures, handing them over and back would take as long.
    pub fn spawn_slow_checks(mut self) -> Self {
        self.slow_checks = Some(Arc::new(Semaphore::new(MAX_SLOW_CHECKS)));
        self
    }

    /// Changes every fetched metadata document before it is read: (issuer, document).
    ///
    /// For providers whose document is almost right. The original's `transpile_data`.
    pub fn patch_metadata(
        mut self,
        patch: impl Fn(&str, &mut Value) + Send + Sync + 'static,
    ) -> Self {
        self.patch = Some(Arc::new(patch));
        self
    }

    /// Adds rules for every resource: a [`ScopePolicy`](crate::ScopePolicy), or an [`Authorizer`]
    /// of your own. All that are added must allow, and the policy of the resource as well.
    pub fn authorizer(mut self, authorizer: impl Authorizer + 'static) -> Self {
        self.authorizers.push(Arc::new(authorizer));
        self
    }

    /// Verifies tokens in a way of your own, for every resource, before the authorization servers are
    /// asked.
    pub fn token_verifier(mut self, verifier: impl TokenVerifier + 'static) -> Self {
        self.token_verifiers.push(Arc::new(verifier));
        self
    }

    /// Shares with other instances by a store of your own, in place of a configured Redis.
    pub fn shared_store(mut self, store: impl SharedStore + 'static) -> Self {
        self.shared_store = Some(Arc::new(store));
        self
    }

    /// Also serves the first issuer's metadata at `/.well-known/oauth-authorization-server` on our
    /// origin, its endpoints as they are. Clients of the 2025-03-26 specification look there.
    pub fn serve_authorization_server_metadata(mut self) -> Self {
        self.serve_authorization_server_metadata = true;
        self
    }

    /// Serves no metadata of the resources, and names none in challenges: for servers that have no URL of their own
    /// to tell, or whose metadata something else serves. MCP clients cannot find the authorization server then.
    pub fn hide_resource_metadata(mut self) -> Self {
        self.hide_resource_metadata = true;
        self
    }

    /// Checks the configuration and reads the files it names; does not touch the network.
    ///
    /// # Errors
    /// [`ConfigError`] lists every fault at once.
    pub fn build(self) -> Result<McpAuth, ConfigError> {
        let parsed = self.parse()?;
        let mut assembler = Assembler::new(&self, parsed.trust_anchors, parsed.handle_keys);
        assembler.share(parsed.shared_store);
        let mut resources = Vec::with_capacity(parsed.resources.len());
        for (index, parsed_resource) in parsed.resources.into_iter().enumerate() {
            resources.push(assembler.protect(index, parsed_resource));
        }
        warn_of_weak_settings(&self.config);
        warn_of_rules(&self.authorizers);
        let state_sealer = assembler.state_sealer();
        Ok(McpAuth::from_parts(
            resources,
            assembler.issuers,
            self.serve_authorization_server_metadata,
            self.hide_resource_metadata,
            state_sealer,
            assembler.cutoffs,
            assembler.feed,
            self.clock,
        ))
    }

    /// Asks every authorization server for its metadata and keys, as the server that `build` makes
    /// would, and reports what it found and how that suits MCP clients.
    ///
    /// ```
    /// # use mcp_auth::{Config, ConfigError, McpAuth};
    /// # async fn show() -> Result<(), ConfigError> {
    /// let config = Config::new("https://mcp.example.com/mcp", "https://tenant.eu.auth0.com/")?;
    /// for report in McpAuth::builder(config).inspect_issuers().await? {
    ///     println!("{}: {}", report.issuer, report.can_verify());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] lists every fault of the configuration at once. What is wrong with an authorization
    /// server is no error: it is in that server's report.
    pub async fn inspect_issuers(self) -> Result<Vec<IssuerReport>, ConfigError> {
        let ParsedConfig { resources, trust_anchors, handle_keys, .. } = self.parse()?;
        let assembler = Assembler::new(&self, trust_anchors, handle_keys);
        let mut reports = Vec::new();
        for ParsedResource { config, servers, .. } in resources {
            for server in servers {
                let url_rules = UrlRules::of_metadata(server.config, &server.identifier);
                let needs_keys = server.introspection.is_none();
                let context = assembler.fetch_context(url_rules, needs_keys);
                let issuer = InspectedIssuer {
                    config: server.config,
                    identifier: &server.identifier,
                    source: &server.source,
                };
                reports.push(inspect(&issuer, &config.resource, &context).await);
            }
        }
        Ok(reports)
    }

    /// The configuration, checked; or every fault at once, those of the code that was added to the builder first.
    fn parse(&self) -> Result<ParsedConfig<'_>, ConfigError> {
        let mut found = Vec::new();
        let mut faults = Faults::of_all(&mut found);
        for authorizer in &self.authorizers {
            faults.below("authorizer").add_all(authorizer.config_faults());
        }
        if self.http.is_some() {
            check_files_are_used(&self.config, &mut faults);
        }
        ParsedConfig::parse(&self.config, self.shared_store.as_ref(), found)
    }
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
}

/// Shows the configuration, and none of the code that was added.
impl fmt::Debug for McpAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpAuthBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
