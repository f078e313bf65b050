//! The one object that protects a server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use crate::assembly::McpAuthBuilder;
use crate::auth_info::AuthInfo;
use crate::authenticate::{BearerToken, KeyHint};
use crate::authorize::{Explanation, Operation};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::error::{AuthError, Unavailable};
use crate::handles::StateSealer;
use crate::identifier::{ResourceIdentifier, WELL_KNOWN};
use crate::issuer::Issuer;
use crate::metadata_document::{AUTHORIZATION_SERVER_PATH, MetadataDocument, resource_path_behind};
use crate::mounts::Mounts;
use crate::revocation::{Cutoffs, Feed, Revocation};
use crate::serve::{Decision, Forward, Reply, Resource, TokenExplanation};
use crate::text::{Quoted, in_one_line};

/// Protects an MCP server as an OAuth 2.1 resource server. Cheap to clone.
#[derive(Clone)]
pub struct McpAuth(Arc<Inner>);

/// Names the resources.
impl fmt::Debug for McpAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resources = self.resources().iter().map(|resource| resource.identifier.as_str());
        f.debug_tuple("McpAuth").field(&resources.collect::<Vec<_>>()).finish()
    }
}

struct Inner {
    mounts: Mounts,
    issuers: Vec<Arc<Issuer>>,
    serve_authorization_server_metadata: bool,
    hide_resource_metadata: bool,
    state_sealer: StateSealer,
    cutoffs: Arc<Cutoffs>,
    feed: Option<Arc<Feed>>,
    clock: Arc<dyn Clock>,
}

impl McpAuth {
    /// Checks the configuration; does not touch the network.
    ///
    /// # Errors
    /// [`ConfigError`] lists every fault at once.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::builder(config).build()
    }

    /// Makes a server with code of your own in it, which a configuration cannot hold: hooks, a clock, an HTTP client.
    pub fn builder(config: Config) -> McpAuthBuilder {
        McpAuthBuilder::new(config)
    }

    pub(crate) fn from_parts(
        resources: Vec<Arc<Resource>>,
        issuers: Vec<Arc<Issuer>>,
        serve_authorization_server_metadata: bool,
        hide_resource_metadata: bool,
        state_sealer: StateSealer,
        cutoffs: Arc<Cutoffs>,
        feed: Option<Arc<Feed>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mounts = Mounts::new(resources);
        let inner = Inner {
            mounts,
            issuers,
            serve_authorization_server_metadata,
            hide_resource_metadata,
            state_sealer,
            cutoffs,
            feed,
            clock,
        };
        Self(Arc::new(inner))
    }

    /// Fetches every issuer's metadata and keys, for servers that rather fail at start-up.
    ///
    /// Calling it is optional: keys are fetched when the first token of an issuer arrives.
    ///
    /// An issuer that is asked about tokens (introspection) by every resource that trusts it needs no keys: it is
    /// ready as soon as it is known where to ask.
    ///
    /// With a [`shared_store`](Config::shared_store), what was revoked on other instances is loaded too.
    ///
    /// # Errors
    /// [`Unavailable`] for the first issuer whose metadata or keys cannot be had, or for the shared store.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        if let Some(feed) = &self.0.feed {
            feed.wait_until_current().await?;
        }
        for issuer in &self.0.issuers {
            let Err(fault) = issuer.ready().await else { continue };
            if !self.can_introspect(issuer).await {
                return Err(fault);
            }
            let name = issuer.identifier();
            tracing::warn!(issuer = %name, reason = %in_one_line(&fault.reason), "no keys: tokens of this issuer are introspected, and signed ones refused");
        }
        Ok(())
    }

    /// Whether every resource that trusts the issuer can ask it about tokens.
    async fn can_introspect(&self, issuer: &Arc<Issuer>) -> bool {
        for resource in self.0.mounts.resources() {
            let trusted = resource.authenticator.issuers.list.iter();
            for one in trusted.filter(|one| Arc::ptr_eq(&one.issuer, issuer)) {
                let Some(opaque) = &one.opaque else { return false };
                if !opaque.can_ask().await {
                    return false;
                }
            }
        }
        true
    }

    /// Decides what to do with a request to the server; an adapter then does it.
    ///
    /// A request for a metadata document is answered. A request to a protected resource is checked: with several
    /// resources, its path says which one it is for. Where a policy depends on what is called, the answer to a POST is
    /// [`Decision::ReadBody`]. When a request may go on, [`Forward::respond`] says what to do with its response.
    pub async fn decide(&self, request: &Parts) -> Decision {
        self.decide_at(request.uri.path(), request).await
    }

    /// Decides at once, without waiting, about a caller whose token was accepted before and who may go on.
    ///
    /// `None` says nothing about the request: ask [`McpAuth::decide`].
    pub fn decide_seen(&self, request: &Parts) -> Option<Forward> {
        self.decide_seen_at(request.uri.path(), request)
    }

    /// [`McpAuth::decide`], where a router has cut the path of the request.
    pub(crate) async fn decide_at(&self, path: &str, request: &Parts) -> Decision {
        // An adapter around a whole application must not ask for a token where clients learn how to
        // get one.
        if let Some(document) = self.metadata_at(path, request).await {
            return Decision::Reply(document);
        }
        match self.resource_at(path) {
            Some(resource) => resource.decide(request).await,
            None => unknown_resource(path),
        }
    }

    /// [`McpAuth::decide_seen`], where a router has cut the path of the request.
    pub(crate) fn decide_seen_at(&self, path: &str, request: &Parts) -> Option<Forward> {
        if path.starts_with("/.well-known/") {
            return None;
        }
        self.resource_at(path)?.decide_seen(request)
    }

    /// Why an operation is allowed to a caller of the resource at this path, or not; `None` when
    /// there is no such resource. Decides by the same rules as [`McpAuth::decide`].
    pub fn explain(
        &self,
        path: &str,
        caller: Option<&AuthInfo>,
        operation: &Operation<'_>,
    ) -> Option<Explanation> {
        let resource = self.resource_at(path)?;
        Some(resource.explain(caller.ok_or(&AuthError::MissingToken), operation))
    }

    /// What [`Forward::seal_session`] says, for adapters that keep no [`Forward`] until the response begins: of the resource
    /// at this path, and the caller whom [`Forward::auth_info`] named. `None`: it must not be sent.
    pub fn seal_session(
        &self,
        path: &str,
        caller: &AuthInfo,
        given: &HeaderValue,
    ) -> Option<HeaderValue> {
        self.resource_at(path)?.seal_session(Some(caller), given)
    }

    /// Seals state that a server gives to a client and takes back, for servers that keep nothing themselves; with the
    /// configured `handle_keys`, so that every instance opens what another has sealed.
    pub fn state_sealer(&self) -> StateSealer {
        self.0.state_sealer.clone()
    }

    /// Refuses these tokens from now on, also those that were accepted before: 401, `revoked` in the log.
    ///
    /// It counts here at once. Without a [`shared_store`](Config::shared_store) it is known to this instance alone, and until
    /// it ends. With one, all instances are told in the background: while the store is away, until it is there again.
    /// There is room for 100,000; where there are more, the oldest of an issuer become one for all its tokens that were
    /// issued until then.
    ///
    /// ```
    /// # fn dismiss(auth: &mcp_auth::McpAuth) {
    /// use mcp_auth::revocation::Revocation;
    ///
    /// auth.revoke(Revocation::of_subject("https://auth.example.com", "alice"));
    /// # }
    /// ```
    pub fn revoke(&self, revocation: Revocation) {
        let now = self.0.clock.unix_seconds();
        if let Some(feed) = &self.0.feed {
            feed.post(revocation.to_shared(now));
        }
        self.0.cutoffs.revoke(revocation, now);
    }

    /// [`McpAuth::revoke`], and waits until the shared store has it, so that every instance hears of it. Without a store it
    /// is the same.
    ///
    /// # Errors
    /// The store did not take it within the configured `timeout`. It counts here all the same, and the store is told
    /// until it has it.
    pub async fn revoke_everywhere(&self, revocation: Revocation) -> Result<(), Unavailable> {
        let now = self.0.clock.unix_seconds();
        let told = revocation.to_shared(now);
        self.0.cutoffs.revoke(revocation, now);
        match &self.0.feed {
            Some(feed) => feed.tell(told).await,
            None => Ok(()),
        }
    }

    /// Refuses what the earlier one refuses by [`McpAuth::revoke`], for adapters that make it anew from the same configuration,
    /// as after a `fork()`. Call it before anything is revoked here.
    pub fn take_over_revocations(&self, earlier: &Self) {
        self.0.cutoffs.take_over(&earlier.0.cutoffs);
    }

    /// The caller behind a token, for the first resource; scopes and policies are not looked at.
    ///
    /// For frameworks that do everything else themselves. The token counts as one in `Authorization`:
    /// those that belong in another header are refused.
    ///
    /// # Errors
    /// Why the token is refused, or why that cannot be told right now.
    pub async fn authenticate(&self, token: &str) -> Result<AuthInfo, AuthError> {
        match self.resources().first() {
            Some(resource) => resource.authenticate_token(token).await,
            None => Err(AuthError::MissingToken),
        }
    }

    /// What a token says of its key, for code of yours that finds the key and configures it in
    /// [`jwks`](crate::AuthorizationServer::jwks). Nobody has verified it.
    ///
    /// # Errors
    /// Why the token is none that a key could verify.
    pub fn unverified_key_hint(&self, token: &str) -> Result<KeyHint, AuthError> {
        match self.resources().first() {
            Some(resource) => Ok(resource.authenticator.key_hint(token)?),
            None => Err(AuthError::MissingToken),
        }
    }

    /// The caller behind a token that was accepted before, at once, without waiting.
    ///
    /// `None` says nothing about the token: ask [`McpAuth::authenticate`].
    pub fn authenticate_seen(&self, token: &str) -> Option<AuthInfo> {
        self.resources().first()?.authenticate_seen(token)
    }

    /// [`McpAuth::authenticate`] for the resource at this path; `None` when there is no such resource.
    pub async fn authenticate_for(
        &self,
        path: &str,
        token: &str,
    ) -> Option<Result<AuthInfo, AuthError>> {
        Some(self.resource_at(path)?.authenticate_token(token).await)
    }

    /// Why the resource at this path accepts this token or refuses it, check by check, and what its
    /// caller may do; `None` when there is no such resource. Decides by the same rules as
    /// [`McpAuth::decide`], for a token in the header where it belongs.
    pub async fn explain_token(&self, path: &str, token: &str) -> Option<TokenExplanation> {
        Some(self.resource_at(path)?.explain_token(token).await)
    }

    /// Answers a request for a metadata document; `None` when the path names none.
    ///
    /// RFC 9728 metadata is at the path-inserted URL of each resource, and at the root of an
    /// origin that has exactly one, but not after [`McpAuthBuilder::hide_resource_metadata`].
    /// `/.well-known/oauth-authorization-server`, also with the path of a resource behind it, is there only after
    /// [`McpAuthBuilder::serve_authorization_server_metadata`]. A slash at the end makes no difference. The documents
    /// are public: pages of every origin may read them.
    pub async fn metadata(&self, request: &Parts) -> Option<Reply> {
        self.metadata_at(request.uri.path(), request).await
    }

    /// [`McpAuth::metadata`], where a router has cut the path of the request.
    pub(crate) async fn metadata_at(&self, path: &str, request: &Parts) -> Option<Reply> {
        match MetadataDocument::at(path)? {
            MetadataDocument::ProtectedResource if self.0.hide_resource_metadata => None,
            MetadataDocument::ProtectedResource => {
                match self.0.mounts.resource_described_at(path) {
                    Some(resource) => Some(resource.metadata(request)),
                    // Of several resources, none is described at the root.
                    None => (path != WELL_KNOWN).then(Reply::not_found),
                }
            }
            MetadataDocument::AuthorizationServer => {
                if !self.0.serve_authorization_server_metadata {
                    return None;
                }
                Some(self.authorization_server_metadata(path, request).await)
            }
        }
    }

    /// Where the metadata documents are, for routers that need every path: that of each resource, in the order they
    /// were configured, and that of the authorization server where it is served. The paths are as URLs have them, with
    /// percent signs.
    ///
    /// A single resource is described at the root of its origin as well.
    pub fn metadata_routes(&self) -> Vec<(MetadataDocument, String)> {
        let mut routes = Vec::new();
        if !self.0.hide_resource_metadata {
            let paths = self.resources().iter().map(|resource| resource.identifier.metadata_path());
            routes.extend(paths.map(|path| (MetadataDocument::ProtectedResource, path)));
        }
        if self.0.serve_authorization_server_metadata {
            let path = AUTHORIZATION_SERVER_PATH.to_owned();
            routes.push((MetadataDocument::AuthorizationServer, path));
        }
        routes
    }

    /// The identifiers of the resources, in the order they were configured.
    pub fn resource_identifiers(&self) -> impl Iterator<Item = &ResourceIdentifier> {
        self.resources().iter().map(|resource| &resource.identifier)
    }

    /// The resource that a request to this path is for, as [`McpAuth::decide`] finds it; `None` when there is none.
    /// Its [`metadata_url`](ResourceIdentifier::metadata_url) is what the challenge names.
    pub fn resource_for(&self, path: &str) -> Option<&ResourceIdentifier> {
        Some(&self.resource_at(path)?.identifier)
    }

    /// The token as a request carries it, which nobody has verified: for what must hand it on beside the decision.
    /// `None` when there is none, or not one that can be read as [`McpAuth::decide`] reads it.
    ///
    /// Never send it to another service: the MCP specification forbids passing a client's token on.
    pub fn dangerous_bearer_token<'r>(&self, request: &'r Parts) -> Option<&'r str> {
        let resource = self.resource_at(request.uri.path())?;
        BearerToken::from_request(request, &resource.authenticator.token_headers).ok()?.parse().ok()
    }

    /// The headers where tokens may be, `Authorization` first: what stands behind must not see them. For adapters of
    /// your own; [`Forward::withholds`](crate::decision::Forward::withholds) says it of one request.
    pub fn token_headers(&self) -> Vec<HeaderName> {
        let mut names = vec![AUTHORIZATION];
        for name in self.resources().iter().flat_map(|one| &*one.authenticator.token_headers) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The host names that requests may be addressed to, for the `Host` check of a framework:
    /// those of the resources, the configured ones, and loopback.
    pub fn allowed_hosts(&self) -> Vec<String> {
        let mut hosts = Vec::new();
        for resource in self.resources() {
            hosts.extend(resource.allowed_hosts.iter().cloned());
        }
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// Learns which arguments of these tools of the resource at this path clients repeat in headers: names, and the
    /// `inputSchema` of each. Whether there is such a resource.
    #[cfg(feature = "rmcp3")]
    pub(crate) fn learn_tools<'t>(
        &self,
        path: &str,
        tools: impl IntoIterator<Item = (&'t str, &'t serde_json::Map<String, serde_json::Value>)>,
    ) -> bool {
        let Some(resource) = self.resource_at(path) else { return false };
        for (name, schema) in tools {
            resource.mirrored_arguments.learn(name, schema);
        }
        true
    }

    /// How long the body of a request may take. All resources have the `body_timeout` of the configuration.
    pub(crate) fn body_timeout(&self) -> Duration {
        self.resources().first().map_or(Duration::ZERO, |resource| resource.bodies.timeout)
    }

    /// The resources, in the order they were configured.
    pub(crate) fn resources(&self) -> &[Arc<Resource>] {
        self.0.mounts.resources()
    }

    fn resource_at(&self, path: &str) -> Option<&Arc<Resource>> {
        self.0.mounts.resource_at(path)
    }

    /// Every path that [`McpAuth::metadata`] answers, for axum's router; what is not there is a
    /// 404 in JSON, and never the page of a single-page application.
    #[cfg(feature = "axum")]
    pub(crate) fn metadata_paths(&self) -> Vec<String> {
        let mut names = Vec::new();
        if !self.0.hide_resource_metadata {
            names.push(WELL_KNOWN);
        }
        if self.0.serve_authorization_server_metadata {
            names.push(AUTHORIZATION_SERVER_PATH);
        }
        let mut paths = Vec::new();
        for name in names {
            paths.extend([name.to_owned(), format!("{name}/"), format!("{name}/{{*rest}}")]);
        }
        paths
    }

    /// For 2025-03-26 clients, which look for the provider's endpoints on our origin: at its root, or with the path of a
    /// resource behind.
    async fn authorization_server_metadata(&self, path: &str, request: &Parts) -> Reply {
        let Some((resource, issuer)) = self.authorization_server_at(path) else {
            return Reply::not_found();
        };
        let document = issuer.metadata().await.map(|metadata| metadata.document.clone());
        resource.public_document(request, document.map_err(AuthError::Unavailable))
    }

    fn authorization_server_at(&self, path: &str) -> Option<(&Resource, &Arc<Issuer>)> {
        let resource_path = resource_path_behind(AUTHORIZATION_SERVER_PATH, path)?;
        if resource_path.trim_end_matches('/').is_empty() {
            return Some((self.resources().first()?, self.0.issuers.first()?));
        }
        let resource = self.0.mounts.resource_with_path(resource_path)?;
        Some((resource, &resource.authenticator.issuers.list.first()?.issuer))
    }
}

/// The answer at a path that belongs to no resource.
fn unknown_resource(path: &str) -> Decision {
    tracing::warn!(target: "mcp_auth::decision", code = "unknown_resource", status = 404, path = %Quoted(path), "request refused");
    Decision::Reply(Reply::not_found())
}
