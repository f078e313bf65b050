//! The one object that protects a server.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use crate::assembly::McpAuthBuilder;
use crate::auth_info::AuthInfo;
use crate::authenticate::TokenExplanation;
use crate::authorize::{Explanation, Operation};
use crate::config::{Config, ConfigError};
use crate::error::{AuthError, Unavailable};
use crate::identifier::{WELL_KNOWN, loosely};
use crate::issuer::Issuer;
use crate::serve::{Decision, Reply, Resource};
use crate::text::Quoted;

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
    resources: Vec<Arc<Resource>>,
    /// By path, without slashes at the end.
    mounts: HashMap<String, Arc<Resource>>,
    /// The same by the path as lenient routers read it.
    loose_mounts: HashMap<String, Arc<Resource>>,
    issuers: Vec<Arc<Issuer>>,
    serve_authorization_server_metadata: bool,
}

impl McpAuth {
    /// Checks the configuration; does not touch the network.
    ///
    /// # Errors
    /// [`ConfigError`] lists every fault at once.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::builder(config).build()
    }

    /// For what is code and not data: hooks, a clock, an HTTP client.
    pub fn builder(config: Config) -> McpAuthBuilder {
        McpAuthBuilder::new(config)
    }

    pub(crate) fn from_parts(
        resources: Vec<Arc<Resource>>,
        issuers: Vec<Arc<Issuer>>,
        serve_authorization_server_metadata: bool,
    ) -> Self {
        let mount = |resource: &Arc<Resource>| {
            (resource.identifier.path().trim_end_matches('/').to_owned(), resource.clone())
        };
        let mounts: HashMap<_, _> = resources.iter().map(mount).collect();
        let loose =
            |(path, resource): (&String, &Arc<Resource>)| Some((loosely(path)?, resource.clone()));
        let loose_mounts = mounts.iter().filter_map(loose).collect();
        let inner =
            Inner { resources, mounts, loose_mounts, issuers, serve_authorization_server_metadata };
        Self(Arc::new(inner))
    }

    /// Fetches every issuer's metadata and keys, for servers that rather fail at start-up.
    ///
    /// Calling it is optional: keys are fetched when the first token of an issuer arrives.
    ///
    /// # Errors
    /// [`Unavailable`] for the first issuer whose metadata or keys cannot be had.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        for issuer in &self.0.issuers {
            issuer.ready().await?;
        }
        Ok(())
    }

    /// Decides about a request to a protected resource: the whole data path.
    ///
    /// With several resources, the request's path says which one is meant. Where a policy depends
    /// on what is called, the answer to a POST is [`Decision::ReadBody`].
    pub async fn check(&self, request: &Parts) -> Decision {
        match self.resource_at(request.uri.path()) {
            Some(resource) => resource.check(request).await,
            None => unknown_resource(request.uri.path()),
        }
    }

    /// Why an operation is allowed to a caller of the resource at this path, or not; `None` when
    /// there is no such resource. Decides by the same rules as [`McpAuth::check`].
    pub fn explain(
        &self,
        path: &str,
        caller: Option<&AuthInfo>,
        operation: &Operation<'_>,
    ) -> Option<Explanation> {
        let caller = caller.ok_or(&AuthError::MissingToken);
        Some(self.resource_at(path)?.explain(caller, operation))
    }

    /// The caller behind a token, for the first resource; scopes and policies are not looked at.
    ///
    /// For frameworks that do everything else themselves. The token counts as one in `Authorization`:
    /// those that belong in another header are refused.
    ///
    /// # Errors
    /// Why the token is refused, or why that cannot be told right now.
    pub async fn verify_token(&self, token: &str) -> Result<AuthInfo, AuthError> {
        match self.resources().first() {
            Some(resource) => resource.verify_token(token).await,
            None => Err(AuthError::MissingToken),
        }
    }

    /// The same at once, for a token that was accepted before; `None`: ask [`McpAuth::verify_token`].
    pub fn verify_seen_token(&self, token: &str) -> Option<AuthInfo> {
        self.resources().first()?.verify_seen_token(token)
    }

    /// [`McpAuth::verify_token`] for the resource at this path; `None` when there is no such resource.
    pub async fn verify_token_for(
        &self,
        path: &str,
        token: &str,
    ) -> Option<Result<AuthInfo, AuthError>> {
        Some(self.resource_at(path)?.verify_token(token).await)
    }

    /// Why the resource at this path accepts this token or refuses it, check by check, and what its
    /// caller may do; `None` when there is no such resource. Decides by the same rules as
    /// [`McpAuth::check`], for a token in the header where it belongs.
    pub async fn explain_token(&self, path: &str, token: &str) -> Option<TokenExplanation> {
        Some(self.resource_at(path)?.explain_token(token).await)
    }

    /// Answers a request for a metadata document; `None` when the path names none.
    ///
    /// RFC 9728 metadata is at the path-inserted URL of each resource, and at the root of an
    /// origin that has exactly one. `/.well-known/oauth-authorization-server` is there only after
    /// [`McpAuthBuilder::serve_authorization_server_metadata`].
    pub async fn metadata(&self, request: &Parts) -> Option<Reply> {
        self.metadata_at(request.uri.path(), request).await
    }

    /// The same, where the request's own path has been cut by a router.
    pub(crate) async fn metadata_at(&self, path: &str, request: &Parts) -> Option<Reply> {
        if !path.starts_with("/.well-known/") {
            return None;
        }
        if let Some(resource) = self.resource_described_at(path) {
            return Some(resource.metadata(request));
        }
        if self.0.serve_authorization_server_metadata && path == AUTHORIZATION_SERVER_PATH {
            return Some(self.authorization_server_metadata(request).await);
        }
        let sibling = path.strip_prefix(WELL_KNOWN).is_some_and(|rest| rest.starts_with('/'));
        sibling.then(Reply::not_found)
    }

    /// The host names that requests may be addressed to, for the `Host` check of a framework:
    /// those of the resources, the configured ones, and loopback.
    pub fn allowed_hosts(&self) -> Vec<String> {
        let hosts =
            self.resources().iter().flat_map(|resource| resource.allowed_hosts.iter().cloned());
        let mut hosts: Vec<_> = hosts.collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// How long the body of a request may take; it is the same for every resource.
    pub(crate) fn body_timeout(&self) -> Duration {
        self.resources().first().map_or(Duration::ZERO, |resource| resource.bodies.timeout)
    }

    /// The resources, in the order they were configured.
    pub(crate) fn resources(&self) -> &[Arc<Resource>] {
        &self.0.resources
    }

    /// Every path that [`McpAuth::metadata`] answers, for axum's router; what is not there is a
    /// 404 in JSON, and never the page of a single-page application.
    #[cfg(feature = "axum")]
    pub(crate) fn metadata_paths(&self) -> Vec<String> {
        let mut paths = vec![WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}/{{*resource}}")];
        if self.0.serve_authorization_server_metadata {
            paths.push(AUTHORIZATION_SERVER_PATH.to_owned());
        }
        paths
    }

    /// The resource whose path is the longest prefix; a single resource takes every request.
    pub(crate) fn resource_at(&self, path: &str) -> Option<&Arc<Resource>> {
        if let [only] = self.resources() {
            return Some(only);
        }
        let mounts = &self.0.mounts;
        if let Some(resource) = mounts.get(path) {
            return Some(resource);
        }
        // Routers differ in what they take for the same path: where that makes a difference, nobody can tell
        // which resource is meant.
        let resource = longest_prefix(mounts, path)?;
        let other = longest_prefix(&self.0.loose_mounts, &loosely(path)?)?;
        Arc::ptr_eq(other, resource).then_some(resource)
    }

    fn resource_described_at(&self, path: &str) -> Option<&Arc<Resource>> {
        let trimmed = path.trim_end_matches('/');
        let described = |resource: &&Arc<Resource>| {
            resource.identifier.metadata_path().trim_end_matches('/') == trimmed
        };
        let root = || match self.resources() {
            // Clients fall back to the root; with several resources it would be ambiguous.
            [only] if trimmed == WELL_KNOWN => Some(only),
            _ => None,
        };
        self.resources().iter().find(described).or_else(root)
    }

    /// For 2025-03-26 clients, which look for the provider's endpoints on our origin.
    async fn authorization_server_metadata(&self, request: &Parts) -> Reply {
        let (Some(resource), Some(issuer)) = (self.0.resources.first(), self.0.issuers.first())
        else {
            return Reply::not_found();
        };
        let metadata = issuer.metadata().await;
        let document = metadata.map(|metadata| metadata.document.clone());
        resource.public_document(request, document.map_err(AuthError::Unavailable))
    }
}

fn longest_prefix<'m>(
    mounts: &'m HashMap<String, Arc<Resource>>,
    path: &str,
) -> Option<&'m Arc<Resource>> {
    // No more is looked up than what could be there: else each slash would cost all that is before it.
    let longest = mounts.keys().map(String::len).max()?;
    let parents = path.rmatch_indices('/').map(|(slash, _)| &path[..slash]);
    let mut possible = [path].into_iter().chain(parents).filter(|mount| mount.len() <= longest);
    possible.find_map(|mount| {
        crate::steps::take(mount.len() + 1);
        mounts.get(mount)
    })
}

/// The answer at a path that belongs to no resource.
pub(crate) fn unknown_resource(path: &str) -> Decision {
    tracing::info!(target: "mcp_auth::decision", code = "unknown_resource", status = 404, path = %Quoted(path), "request refused");
    Decision::Reply(Reply::not_found())
}

const AUTHORIZATION_SERVER_PATH: &str = "/.well-known/oauth-authorization-server";

/// `/mcp` and `/mcp/`, so that neither needs a redirect; the root is only itself.
#[cfg(feature = "axum")]
pub(crate) fn with_and_without_slash(path: &str) -> Vec<String> {
    let trimmed = path.trim_end_matches('/');
    let mut paths = vec![path.to_owned(), trimmed.to_owned(), format!("{trimmed}/")];
    paths.retain(|path| !path.is_empty());
    paths.sort();
    paths.dedup();
    paths
}
