//! Takes a configuration, and code of the user's own, to make a [`McpAuth`] of them.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::assembler::Assembler;
use super::hooks::Hooks;
use super::parsed_config::ParsedConfig;
use super::parsed_resource::ParsedResource;
use crate::authenticate::TokenVerifier;
use crate::authorize::Authorizer;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::downstream::GrantVault;
use crate::inspection::{InspectedIssuer, IssuerReport, inspect};
use crate::issuer::{HttpClient, UrlRules};
use crate::mcp_auth::McpAuth;
use crate::revocation::RevocationCheck;
use crate::shared_store::SharedStore;
use crate::spawner::Spawner;

/// Slow signatures that are checked in the background at once.
const MAX_SLOW_CHECKS: usize = 16;

/// Makes a [`McpAuth`] with code of your own in it.
#[must_use = "nothing is protected until `build` is called"]
pub struct McpAuthBuilder {
    config: Config,
    hooks: Hooks,
}

impl McpAuthBuilder {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, hooks: Hooks::default() }
    }

    /// Fetches metadata and keys with this client instead of the built-in one.
    pub fn http_client(mut self, client: impl HttpClient + 'static) -> Self {
        self.hooks.http = Some(Arc::new(client));
        self
    }

    /// Tells the time with this clock instead of the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.hooks.clock = Arc::new(clock);
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
        self.hooks.spawner = Spawner::new(spawn);
        self
    }

    /// Checks signatures that take more than 0.1 ms in the background, for servers whose only thread must
    /// not be held that long: ES384, ES512, and RSA keys above 4096 bits. At most 16 at once; any more are
    /// checked where they are asked about.
    ///
    /// For all other signatures, handing them over and back would take as long.
    pub fn spawn_slow_checks(mut self) -> Self {
        self.hooks.slow_checks = Some(Arc::new(Semaphore::new(MAX_SLOW_CHECKS)));
        self
    }

    /// Changes every fetched metadata document before it is read: (issuer, document).
    ///
    /// For providers whose document is almost right. The original's `transpile_data`.
    pub fn patch_metadata(
        mut self,
        patch: impl Fn(&str, &mut Value) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.patch = Some(Arc::new(patch));
        self
    }

    /// Adds rules for every resource: a [`ScopePolicy`](crate::ScopePolicy), or an [`Authorizer`]
    /// of your own. All that are added must allow, and the policy of the resource as well.
    pub fn authorizer(mut self, authorizer: impl Authorizer + 'static) -> Self {
        self.hooks.authorizers.push(Arc::new(authorizer));
        self
    }

    /// Verifies tokens in a way of your own, for every resource, before the authorization servers are
    /// asked.
    pub fn token_verifier(mut self, verifier: impl TokenVerifier + 'static) -> Self {
        self.hooks.token_verifiers.push(Arc::new(verifier));
        self
    }

    /// Asks this about every accepted token, for every resource: whether it was taken back since. Of several, the last one
    /// is asked.
    pub fn revocation_check(mut self, check: impl RevocationCheck + 'static) -> Self {
        self.hooks.revocation_check = Some(Arc::new(check));
        self
    }

    /// Shares with other instances by a store of your own, in place of a configured Redis.
    pub fn shared_store(mut self, store: impl SharedStore + 'static) -> Self {
        self.hooks.shared_store = Some(Arc::new(store));
        self
    }

    /// Keeps the grants of users at other providers here, in place of the configured folder.
    pub fn grant_vault(mut self, vault: impl GrantVault + 'static) -> Self {
        self.hooks.grant_vault = Some(Arc::new(vault));
        self
    }

    /// Also serves the first issuer's metadata at `/.well-known/oauth-authorization-server` on our
    /// origin, its endpoints as they are. Clients of the 2025-03-26 specification look there.
    pub fn serve_authorization_server_metadata(mut self) -> Self {
        self.hooks.serve_authorization_server_metadata = true;
        self
    }

    /// Serves no metadata of the resources, and names none in challenges: for servers that have no URL of their own
    /// to tell, or whose metadata something else serves. MCP clients cannot find the authorization server then.
    pub fn hide_resource_metadata(mut self) -> Self {
        self.hooks.hide_resource_metadata = true;
        self
    }

    /// Checks the configuration and reads the files it names; does not touch the network.
    ///
    /// # Errors
    /// [`ConfigError`] lists every fault at once.
    pub fn build(self) -> Result<McpAuth, ConfigError> {
        let cutoffs = Arc::default();
        let serving = self.hooks.assemble(&self.config, &cutoffs, None)?;
        Ok(McpAuth::serving(serving, self.hooks, cutoffs))
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
        let ParsedConfig { resources, trust_anchors, .. } = self.hooks.parse(&self.config)?;
        let cutoffs = Arc::default();
        let assembler = Assembler::new(&self.hooks, &self.config, &cutoffs, trust_anchors, None);
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
}

/// Shows the configuration, and none of the code that was added.
impl fmt::Debug for McpAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpAuthBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
