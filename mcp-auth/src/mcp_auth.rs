//! The one object that protects a server.

mod connect;
mod reload;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use self::connect::ConnectPages;
use self::reload::Told;
use crate::assembly::{Hooks, McpAuthBuilder, Serving};
use crate::auth_info::AuthInfo;
use crate::authenticate::{BearerToken, KeyHint};
use crate::authorize::{Explanation, Operation};
use crate::config::{Config, ConfigError};
use crate::downstream::{Downstream, Downstreams};
use crate::error::{AuthError, Unavailable};
use crate::handles::StateSealer;
use crate::identifier::{ResourceIdentifier, WELL_KNOWN};
use crate::issuer::Issuer;
use crate::metadata_document::{AUTHORIZATION_SERVER_PATH, MetadataDocument, resource_path_behind};
use crate::mounts::Place;
use crate::notices::{NoticeKind, Notices};
use crate::revocation::{Cutoffs, Revocation};
use crate::serve::{
    Decision, Forward, Reply, Resource, StreamEnd, TokenExplanation, decide_notice,
    warn_of_closed_path,
};
use crate::text::{Quoted, in_one_line};

/// Protects an MCP server as an OAuth 2.1 resource server. Cheap to clone.
#[derive(Clone)]
pub struct McpAuth(Arc<Inner>);

/// Names the resources.
impl fmt::Debug for McpAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resources = self.resource_identifiers();
        let names: Vec<&str> = resources.iter().map(ResourceIdentifier::as_str).collect();
        f.debug_tuple("McpAuth").field(&names).finish()
    }
}

struct Inner {
    /// Replaced as a whole.
    serving: ArcSwap<Serving>,
    /// What stays, whatever the configuration.
    hooks: Hooks,
    state_sealer: StateSealer,
    cutoffs: Arc<Cutoffs>,
    /// Of the configuration that is in force.
    downstreams: Arc<ArcSwap<Downstreams>>,
    /// What frameworks were told once; it is held while the configuration is replaced.
    told: Mutex<Told>,
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

    pub(crate) fn serving(serving: Serving, hooks: Hooks, cutoffs: Arc<Cutoffs>) -> Self {
        let name = name_of_server(&serving);
        let keys = serving.handle_keys.clone();
        let state_sealer = StateSealer::new(keys, &name, hooks.clock.clone());
        let downstreams = Arc::new(ArcSwap::from_pointee(serving.downstreams.clone()));
        let serving = ArcSwap::from_pointee(serving);
        let told = Mutex::default();
        Self(Arc::new(Inner { serving, hooks, state_sealer, cutoffs, downstreams, told }))
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
        self.0.cutoffs.wait_until_current().await?;
        let serving = self.0.serving.load_full();
        for issuer in &serving.issuers {
            let Err(fault) = issuer.ready().await else { continue };
            if !can_introspect(&serving, issuer).await {
                return Err(fault);
            }
            let name = issuer.identifier();
            tracing::warn!(issuer = %name, reason = %in_one_line(&fault.reason), "no keys: tokens of this issuer are introspected, and signed ones refused");
        }
        Ok(())
    }

    /// Decides what to do with a request to the server; an adapter then does it.
    ///
    /// A request for a metadata document is answered, and so is what an issuer tells at one of
    /// [`McpAuth::notice_paths`], after its body was read. A request to a protected resource is checked: with several
    /// resources, its path says which one it is for. Where a policy depends on what is called, the answer to a POST is
    /// [`Decision::ReadBody`]. When a request may go on, [`Forward::respond`] says what to do with its response.
    pub async fn decide(&self, request: &Parts) -> Decision {
        let path = request.uri.path();
        match self.decide_at_once_at(path, request) {
            Some(decision) => decision,
            // In a box: few futures need so much memory.
            None => Box::pin(self.decide_in_time_at(path, request)).await,
        }
    }

    /// Decides at once, without waiting, about a caller whose token was accepted before and who may go on.
    ///
    /// `None` says nothing about the request: ask [`McpAuth::decide`].
    pub fn decide_seen(&self, request: &Parts) -> Option<Forward> {
        resource_alone_at(&self.0.serving.load(), request.uri.path())?.decide_seen(request)
    }

    /// [`McpAuth::decide`], for what was not decided [at once](Self::decide_at_once_at).
    pub(crate) async fn decide_in_time_at(&self, path: &str, request: &Parts) -> Decision {
        // An adapter around a whole application must not ask for a token where clients learn how to
        // get one.
        if let Some(document) = self.metadata_at(path, request).await {
            return Decision::Reply(document);
        }
        if let Some((kind, notices)) = self.notices_at(path) {
            return decide_notice(&notices, kind, self.body_timeout(), request);
        }
        if let Some(page) = self.page_at(path) {
            return Decision::Reply(page.answer(request).await);
        }
        warn_of_closed_path(&self.0.serving.load().notices, path, request);
        match self.resource_at(path) {
            Some(resource) => resource.decide(request).await,
            None => unknown_resource(path),
        }
    }

    /// [`McpAuth::decide`] at once, where a router has cut the path of the request. `None`: it may have to wait, or nothing
    /// is called here.
    pub(crate) fn decide_at_once_at(&self, path: &str, request: &Parts) -> Option<Decision> {
        // No count is taken here, which all threads would write.
        resource_alone_at(&self.0.serving.load(), path)?.decide_at_once(request)
    }

    /// The same for the resource in this place.
    pub(crate) async fn decide_in_time_in(&self, place: &Place, request: &Parts) -> Decision {
        let found = self.0.serving.load().mounts.resource_in(place).cloned();
        match found {
            Some(resource) => resource.decide(request).await,
            None => unknown_resource(request.uri.path()),
        }
    }

    /// [`McpAuth::decide`] at once, for the resource in this place; `None`: it may have to wait.
    pub(crate) fn decide_at_once_in(&self, place: &Place, request: &Parts) -> Option<Decision> {
        self.0.serving.load().mounts.resource_in(place)?.decide_at_once(request)
    }

    /// Where each resource is, for routers that need every path: there are no others in them.
    #[cfg(feature = "axum")]
    pub(crate) fn told_places(&self) -> Vec<Place> {
        let places = self.0.serving.load().mounts.places();
        self.tell_paths(&places);
        places
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

    /// What [`Forward::stream_end`] says, for adapters that keep no [`Forward`] until the response begins: of the resource at
    /// this path, and the caller whom [`Forward::auth_info`] named. The stream is watched from its beginning, and ends when the
    /// configuration is replaced, because nothing else is known of its request. The issuer is not asked again about the token: where
    /// [`Forward::asks_issuer_again`], keep the [`Forward`].
    pub fn stream_end(
        &self,
        path: &str,
        caller: &AuthInfo,
        response: &mut HeaderMap,
    ) -> Option<StreamEnd> {
        self.resource_at(path)?.stream_end(caller, response)
    }

    /// Seals state that a server gives to a client and takes back, for servers that keep nothing themselves; with the
    /// configured `handle_keys`, so that every instance opens what another has sealed.
    ///
    /// It follows the configuration: after [`McpAuth::reload`] it has the new keys.
    pub fn state_sealer(&self) -> StateSealer {
        self.0.state_sealer.clone()
    }

    /// The API of this name, one of [`Config::downstreams`](crate::Config::downstreams), to call it for callers.
    ///
    /// ```
    /// # use mcp_auth::downstream::DownstreamError;
    /// # use mcp_auth::{AuthInfo, McpAuth};
    /// # async fn tool(auth: &McpAuth, caller: &AuthInfo) -> Result<(), DownstreamError> {
    /// let token = auth.downstream("reports").token_for(caller).await?;
    /// let authorization = token.header_value(); // for the request to the API
    /// # let _ = authorization;
    /// # Ok(())
    /// # }
    /// ```
    pub fn downstream(&self, name: &str) -> Downstream {
        Downstream::new(self.0.downstreams.clone(), name)
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
        self.warn_of_issuer(&revocation);
        self.0.cutoffs.revoke(revocation, self.0.hooks.clock.unix_seconds());
    }

    /// Says that no token of a caller can be meant, as where an issuer was written without its slash.
    fn warn_of_issuer(&self, revocation: &Revocation) {
        let serving = self.0.serving.load();
        let mut resources = serving.mounts.resources().iter();
        if !resources.any(|resource| resource.authenticator.may_trust(revocation.issuer())) {
            let issuer = in_one_line(revocation.issuer());
            tracing::warn!(%issuer, "what is revoked is of an issuer that no resource trusts: it is written as in the configuration");
        }
    }

    /// [`McpAuth::revoke`], and waits until the shared store has it, so that every instance hears of it. Without a store it
    /// is the same.
    ///
    /// # Errors
    /// The store did not take it within the configured `timeout`. It counts here all the same, and the store is told
    /// until it has it.
    pub async fn revoke_everywhere(&self, revocation: Revocation) -> Result<(), Unavailable> {
        self.warn_of_issuer(&revocation);
        self.0.cutoffs.revoke_everywhere(revocation, self.0.hooks.clock.unix_seconds()).await
    }

    /// Whether no instance was asked about this key before, for messages of your own that count once; it is remembered for
    /// this long at least. `None`: there is no shared store, so that this instance has to remember it itself.
    ///
    /// An error is an answer that nobody can give: the store is away, and the message must not count.
    pub async fn first_time(&self, key: &str, keep: Duration) -> Option<Result<bool, Unavailable>> {
        self.0.cutoffs.first_time(key, keep).await
    }

    /// Refuses what the earlier one refuses by [`McpAuth::revoke`], for adapters that make it anew from the same configuration,
    /// as after a `fork()`. Call it before anything is revoked here.
    pub fn take_over_revocations(&self, earlier: &Self) {
        self.0.cutoffs.take_over(&earlier.0.cutoffs);
        let (ours, theirs) = (self.0.serving.load(), earlier.0.serving.load());
        ours.notices.take_over(&theirs.notices);
    }

    /// The caller behind a token, for the first resource; scopes and policies are not looked at.
    ///
    /// For frameworks that do everything else themselves. The token counts as one in `Authorization`:
    /// those that belong in another header are refused.
    ///
    /// # Errors
    /// Why the token is refused, or why that cannot be told right now.
    pub async fn authenticate(&self, token: &str) -> Result<AuthInfo, AuthError> {
        match self.first_resource() {
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
        match self.first_resource() {
            Some(resource) => Ok(resource.authenticator.key_hint(token)?),
            None => Err(AuthError::MissingToken),
        }
    }

    /// The caller behind a token that was accepted before, at once, without waiting.
    ///
    /// `None` says nothing about the token: ask [`McpAuth::authenticate`].
    pub fn authenticate_seen(&self, token: &str) -> Option<AuthInfo> {
        self.0.serving.load().mounts.resources().first()?.authenticate_seen(token)
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
            MetadataDocument::ProtectedResource if self.0.hooks.hide_resource_metadata => None,
            MetadataDocument::ProtectedResource => {
                match self.0.serving.load().mounts.resource_described_at(path) {
                    Some(resource) => Some(resource.metadata(request)),
                    // Of several resources, none is described at the root.
                    None => (path != WELL_KNOWN).then(Reply::not_found),
                }
            }
            MetadataDocument::AuthorizationServer => {
                if !self.0.hooks.serve_authorization_server_metadata {
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
        if !self.0.hooks.hide_resource_metadata {
            for identifier in self.resource_identifiers() {
                routes.push((MetadataDocument::ProtectedResource, identifier.metadata_path()));
            }
        }
        if self.0.hooks.serve_authorization_server_metadata {
            let path = AUTHORIZATION_SERVER_PATH.to_owned();
            routes.push((MetadataDocument::AuthorizationServer, path));
        }
        routes
    }

    /// Where issuers tell that sessions have ended or tokens are not to be believed any more, for routers that need every
    /// path: `logout_path` and `shared_signals_path` of the configuration, each where something is received there. What
    /// is sent there needs no token, and [`McpAuth::decide`] answers it.
    pub fn notice_paths(&self) -> Vec<String> {
        self.0.serving.load().notices.paths().map(str::to_owned).collect()
    }

    /// The identifiers of the resources, in the order they were configured.
    pub fn resource_identifiers(&self) -> Vec<ResourceIdentifier> {
        let serving = self.0.serving.load();
        serving.mounts.resources().iter().map(|resource| resource.identifier.clone()).collect()
    }

    /// The resource that a request to this path is for, as [`McpAuth::decide`] finds it; `None` when there is none.
    /// Its [`metadata_url`](ResourceIdentifier::metadata_url) is what the challenge names.
    pub fn resource_for(&self, path: &str) -> Option<ResourceIdentifier> {
        Some(self.resource_at(path)?.identifier.clone())
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
        let serving = self.0.serving.load();
        for name in
            serving.mounts.resources().iter().flat_map(|one| &*one.authenticator.token_headers)
        {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Whether refusals are counted by address, so that [`McpAuth::decide`] needs a
    /// [`PeerAddress`](crate::decision::PeerAddress) in the extensions of the request: for adapters of your own.
    pub fn counts_addresses(&self) -> bool {
        // Asked for every request: no count is taken.
        let serving = self.0.serving.load();
        let first = serving.mounts.resources().first();
        let limits = first.and_then(|resource| resource.limits.as_ref());
        limits.is_some_and(|counted| counted.count_addresses())
    }

    /// The host names that requests may be addressed to, for the `Host` check of a framework:
    /// those of the resources, the configured ones, and loopback.
    pub fn allowed_hosts(&self) -> Vec<String> {
        allowed_hosts(&self.0.serving.load())
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
        let serving = self.0.serving.load();
        serving
            .mounts
            .resources()
            .first()
            .map_or(Duration::ZERO, |resource| resource.bodies.timeout)
    }

    fn first_resource(&self) -> Option<Arc<Resource>> {
        self.0.serving.load().mounts.resources().first().cloned()
    }

    /// What is received at this path, and who receives it.
    fn notices_at(&self, path: &str) -> Option<(NoticeKind, Arc<Notices>)> {
        let serving = self.0.serving.load();
        let kind = serving.notices.kind_at(path)?;
        Some((kind, serving.notices.clone()))
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn notices(&self) -> Arc<Notices> {
        self.0.serving.load().notices.clone()
    }

    fn resource_at(&self, path: &str) -> Option<Arc<Resource>> {
        self.0.serving.load().mounts.resource_at(path).cloned()
    }

    /// Every path that [`McpAuth::metadata`] answers, for axum's router; what is not there is a
    /// 404 in JSON, and never the page of a single-page application.
    #[cfg(feature = "axum")]
    pub(crate) fn metadata_paths(&self) -> Vec<String> {
        let mut names = Vec::new();
        if !self.0.hooks.hide_resource_metadata {
            names.push(WELL_KNOWN);
        }
        if self.0.hooks.serve_authorization_server_metadata {
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

    fn authorization_server_at(&self, path: &str) -> Option<(Arc<Resource>, Arc<Issuer>)> {
        let serving = self.0.serving.load();
        let resource_path = resource_path_behind(AUTHORIZATION_SERVER_PATH, path)?;
        if resource_path.trim_end_matches('/').is_empty() {
            let resource = serving.mounts.resources().first()?;
            return Some((resource.clone(), serving.issuers.first()?.clone()));
        }
        let resource = serving.mounts.resource_with_path(resource_path)?;
        let issuer = resource.authenticator.issuers.list.first()?.issuer.clone();
        Some((resource.clone(), issuer))
    }
}

/// What the server as a whole is known by: its first resource.
fn name_of_server(serving: &Serving) -> String {
    serving.mounts.resources().first().map_or_else(String::new, |one| one.identifier.to_string())
}

/// The host names that requests may be addressed to, each once.
fn allowed_hosts(serving: &Serving) -> Vec<String> {
    let mut hosts = Vec::new();
    for resource in serving.mounts.resources() {
        hosts.extend(resource.allowed_hosts.iter().cloned());
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// Whether every resource that trusts the issuer can ask it about tokens.
async fn can_introspect(serving: &Serving, issuer: &Arc<Issuer>) -> bool {
    for resource in serving.mounts.resources() {
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

/// The resource at a path that is neither that of a document nor of anything else that is answered here.
fn resource_alone_at<'s>(serving: &'s Serving, path: &str) -> Option<&'s Arc<Resource>> {
    let is_for_others = path.starts_with("/.well-known/")
        || serving.notices.kind_at(path).is_some()
        || serving.connect_pages.has(path);
    if is_for_others { None } else { serving.mounts.resource_at(path) }
}

/// The answer at a path that belongs to no resource.
fn unknown_resource(path: &str) -> Decision {
    tracing::warn!(target: "mcp_auth::decision", code = "unknown_resource", status = 404, path = %Quoted(path), "request refused");
    Decision::Reply(Reply::not_found())
}
