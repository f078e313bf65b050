//! From a configuration, and code of the user's own, to a [`McpAuth`].

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::HeaderName;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::authenticate::{
    IssuerRules, OpaqueTokens, Rules, TokenCache, TokenSource, TokenVerifier, TrustedIssuer,
    Verifier,
};
use crate::authorize::{Authorizer, Authorizers};
use crate::clock::{Clock, SystemClock};
use crate::config::{
    AuthorizationServer, ClientAuthMethod, Config, ConfigError, IntrospectionMethod, ParsedConfig,
    ParsedIntrospection, ParsedResource, ParsedServer, ProtectedResource,
};
use crate::inspection::{InspectedIssuer, IssuerReport, inspect, principal_rule};
use crate::issuer::{
    FetchContext, HttpClient, Introspector, Issuer, MetadataPatch, ReqwestClient, TrustAnchors,
    UrlRules,
};
use crate::mcp_auth::McpAuth;
use crate::serve::{BodyLimits, Resource};
use crate::spawner::Spawner;

/// Slow signatures that are checked in the background at once.
const MAX_SLOW_CHECKS: usize = 16;

/// Makes a [`McpAuth`] with code of your own in it.
#[must_use = "nothing is protected until `build` is called"]
pub struct McpAuthBuilder {
    config: Config,
    http: Option<Arc<dyn HttpClient>>,
    clock: Arc<dyn Clock>,
    spawner: Spawner,
    slow_checks: Option<Arc<Semaphore>>,
    patch: Option<MetadataPatch>,
    authorizers: Vec<Arc<dyn Authorizer>>,
    token_verifiers: Vec<Arc<dyn TokenVerifier>>,
    serve_authorization_server_metadata: bool,
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
            serve_authorization_server_metadata: false,
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

    /// Also serves the first issuer's metadata at `/.well-known/oauth-authorization-server` on our
    /// origin, its endpoints as they are. Clients of the 2025-03-26 specification look there.
    pub fn serve_authorization_server_metadata(mut self) -> Self {
        self.serve_authorization_server_metadata = true;
        self
    }

    /// Checks the configuration and reads the files it names; does not touch the network.
    ///
    /// # Errors
    /// [`ConfigError`] lists every fault at once.
    pub fn build(self) -> Result<McpAuth, ConfigError> {
        let ParsedConfig { resources, trust_anchors } = self.parse()?;
        let mut assembly = Assembly::new(&self, trust_anchors);
        let resources = resources.into_iter().enumerate();
        let resources = resources.map(|(index, parsed)| assembly.protect(index, parsed)).collect();
        self.warn_of_weak_settings();
        Ok(McpAuth::from_parts(
            resources,
            assembly.issuers,
            self.serve_authorization_server_metadata,
        ))
    }

    /// Settings that only the built-in client heeds.
    fn unused_files(&self) -> impl Iterator<Item = String> {
        let servers = self.config.resources.iter().flat_map(|one| &one.authorization_servers);
        let introspections = servers.flat_map(|server| &server.introspection);
        let by_certificate =
            introspections.filter(|one| one.auth_method == ClientAuthMethod::TlsClientAuth);
        let ca_files = (!self.config.ca_files.is_empty()).then_some("ca_files");
        let names = ca_files.into_iter().chain(by_certificate.map(|_| "certificate_file"));
        names.map(|name| format!("{name}: the HTTP client that was given does not use it"))
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
    /// [`ConfigError`] lists every fault at once; whatever is wrong with an authorization server is
    /// in its report.
    pub async fn inspect_issuers(self) -> Result<Vec<IssuerReport>, ConfigError> {
        let ParsedConfig { resources, trust_anchors } = self.parse()?;
        let assembly = Assembly::new(&self, trust_anchors);
        let mut reports = Vec::new();
        for ParsedResource { config, servers, .. } in resources {
            for server in servers {
                let url_rules = UrlRules::of_metadata(server.config, &server.identifier);
                let needs_keys = server.introspection.is_none();
                let context = assembly.fetch_context(url_rules, needs_keys);
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

    fn parse(&self) -> Result<ParsedConfig<'_>, ConfigError> {
        let faults = self.authorizers.iter().flat_map(|authorizer| authorizer.faults());
        let mut faults: Vec<_> = faults.map(|fault| format!("authorizer.{fault}")).collect();
        if self.http.is_some() {
            faults.extend(self.unused_files());
        }
        self.config.parse_beside(faults)
    }

    fn warn_of_weak_settings(&self) {
        for resource in &self.config.resources {
            let resource_identifier = &resource.resource;
            for warning in resource.policy.iter().flat_map(Authorizer::warnings) {
                tracing::warn!(resource = resource_identifier, "policy.{warning}");
            }
            if resource.dangerous_advertise_offline_access {
                tracing::warn!(
                    resource = resource_identifier,
                    "`dangerous_advertise_offline_access` is set: clients ask for long-lived access"
                );
            }
            if resource.dangerous_accept_any_audience {
                tracing::warn!(
                    resource = resource_identifier,
                    "`dangerous_accept_any_audience` is set: tokens for any other service are accepted, and that service can use its callers' tokens here"
                );
            }
            if resource.allowed_origins.iter().any(|origin| origin == "*") {
                tracing::warn!(
                    resource = resource_identifier,
                    "every web page may call: `allowed_origins` has `*`"
                );
            }
            for server in &resource.authorization_servers {
                for client in &server.dangerous_accept_clients {
                    tracing::warn!(
                        issuer = server.issuer,
                        client,
                        "`dangerous_accept_clients` is set: tokens of this client for other servers are accepted"
                    );
                }
            }
            for server in resource.authorization_servers.iter().filter(|one| asks_userinfo(one)) {
                tracing::warn!(
                    issuer = server.issuer,
                    "`dangerous_userinfo` is set: tokens that any other service got from this issuer are accepted"
                );
            }
            for server in
                resource.authorization_servers.iter().filter(|one| one.dangerous_allow_http)
            {
                tracing::warn!(
                    issuer = server.issuer,
                    "`dangerous_allow_http` is set: whoever can change traffic to this issuer can forge tokens"
                );
            }
        }
    }
}

fn asks_userinfo(server: &AuthorizationServer) -> bool {
    let introspection = server.introspection.as_ref();
    introspection.is_some_and(|one| one.method == IntrospectionMethod::DangerousUserinfo)
}

/// Shows the configuration.
impl fmt::Debug for McpAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpAuthBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What all resources share, while they are put together.
struct Assembly<'b> {
    builder: &'b McpAuthBuilder,
    http: Arc<dyn HttpClient>,
    trust_anchors: TrustAnchors,
    cache: Arc<TokenCache>,
    issuers: Vec<Arc<Issuer>>,
}

impl<'b> Assembly<'b> {
    fn new(builder: &'b McpAuthBuilder, trust_anchors: TrustAnchors) -> Self {
        let config = &builder.config;
        let built_in =
            || Arc::new(ReqwestClient::new(config.fetch_timeout, trust_anchors.clone(), None)) as _;
        let http = builder.http.clone().unwrap_or_else(built_in);
        let cache = TokenCache::new(config.token_cache_bytes, config.token_cache_max_age);
        Self { builder, http, trust_anchors, cache: Arc::new(cache), issuers: Vec::new() }
    }

    fn protect(&mut self, index: usize, parsed: ParsedResource<'_>) -> Arc<Resource> {
        let ParsedResource { config, identifier, servers } = parsed;
        let mut sources = TokenSources::default();
        let own = self.builder.token_verifiers.iter();
        let own = own.map(|one| (sources.of(one.token_header()), one.clone())).collect();
        let issuers = servers.into_iter().flat_map(|server| self.trust(server, &mut sources));
        let issuers = issuers.collect();
        let verifier = Verifier {
            resource: index,
            token_headers: sources.0.into(),
            own,
            issuers,
            rules: Rules {
                resource: identifier.clone(),
                audiences: config.audiences.clone(),
                accept_any_audience: config.dangerous_accept_any_audience,
                clock_tolerance: self.builder.config.clock_tolerance,
            },
            limits: self.builder.config.token_limits(),
            cache: self.cache.clone(),
            clock: self.builder.clock.clone(),
        };
        let config_of_all = &self.builder.config;
        let bodies = BodyLimits {
            max_bytes: config_of_all.max_body_bytes,
            max_anonymous_bytes: config_of_all.max_anonymous_body_bytes,
            timeout: config_of_all.body_timeout,
        };
        let authorizers = self.authorizers(config);
        Arc::new(Resource::new(config, identifier, verifier, authorizers, bodies))
    }

    fn authorizers(&self, config: &ProtectedResource) -> Authorizers {
        let policy = config.policy.clone().map(|policy| Arc::new(policy) as Arc<dyn Authorizer>);
        let given = policy.iter().chain(&self.builder.authorizers);
        Authorizers::new(given, &config.required_scopes)
    }

    /// Issuers and their keys are shared between resources. One entry for each `iss` of its tokens.
    fn trust(
        &mut self,
        server: ParsedServer<'_>,
        sources: &mut TokenSources,
    ) -> Vec<TrustedIssuer> {
        let ParsedServer { config, identifier, source, token_header, introspection } = server;
        let token_source = sources.of(token_header);
        let own = identifier.as_str().to_owned();
        let known = self.issuers.iter().find(|issuer| *issuer.identifier() == identifier).cloned();
        let issuer = known.unwrap_or_else(|| {
            let needs_keys = introspection.is_none();
            let context =
                self.fetch_context(UrlRules::of_metadata(config, &identifier), needs_keys);
            let issuer = Arc::new(Issuer::new(identifier, source, context));
            self.issuers.push(issuer.clone());
            issuer
        });
        let rules = Arc::new(IssuerRules {
            algorithms: config.algorithms.clone(),
            require_at_jwt: config.require_at_jwt,
            token_issuers: config.token_issuers.clone(),
            audiences: config.audiences.clone(),
            accepted_clients: config.dangerous_accept_clients.clone(),
            scope_claims: config.scope_claims.clone(),
            scope_prefix: config.scope_prefix.clone(),
            required_claims: config.required_claims.clone(),
            principal: principal_rule(config),
        });
        let opaque = introspection.map(|parsed| Arc::new(self.opaque_tokens(parsed, &issuer)));
        let others = config.token_issuers.iter().map(|iss| (&**iss, false));
        let trusted = |(iss, is_advertised): (&str, bool)| TrustedIssuer {
            name: iss.into(),
            is_advertised,
            source: token_source,
            issuer: issuer.clone(),
            rules: rules.clone(),
            opaque: opaque.clone(),
        };
        [(&*own, true)].into_iter().chain(others).map(trusted).collect()
    }

    fn opaque_tokens(&self, parsed: ParsedIntrospection<'_>, issuer: &Arc<Issuer>) -> OpaqueTokens {
        let ParsedIntrospection { config, client, identity } = parsed;
        let http = match identity {
            Some(identity) => {
                let timeout = self.builder.config.fetch_timeout;
                let anchors = self.trust_anchors.clone();
                Arc::new(ReqwestClient::new(timeout, anchors, Some(identity)))
            }
            None => self.http.clone(),
        };
        let introspector = Introspector::new(issuer.clone(), http, client, config);
        let binds_audience = config.method != IntrospectionMethod::DangerousUserinfo;
        OpaqueTokens::new(introspector, config, binds_audience)
    }

    fn fetch_context(&self, url_rules: UrlRules, needs_keys: bool) -> FetchContext {
        let config = &self.builder.config;
        FetchContext {
            http: self.http.clone(),
            clock: self.builder.clock.clone(),
            spawner: self.builder.spawner.clone(),
            slow_checks: self.builder.slow_checks.clone(),
            patch: self.builder.patch.clone(),
            url_rules: Arc::new(url_rules),
            needs_keys,
            timeout: config.fetch_timeout,
            max_age: config.key_max_age,
            max_stale: config.key_max_stale,
        }
    }
}

/// The headers that one resource's tokens may be in.
#[derive(Default)]
struct TokenSources(Vec<HeaderName>);

impl TokenSources {
    fn of(&mut self, header: Option<HeaderName>) -> TokenSource {
        let Some(header) = header else { return TokenSource::Authorization };
        let known = self.0.iter().position(|one| *one == header);
        TokenSource::Header(known.unwrap_or_else(|| {
            self.0.push(header);
            self.0.len() - 1
        }))
    }
}
