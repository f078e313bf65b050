//! Puts together what answers requests, of a configuration that was checked.

use std::sync::Arc;

use http::HeaderName;

use super::builder::McpAuthBuilder;
use super::parsed_introspection::ParsedIntrospection;
use super::parsed_resource::ParsedResource;
use super::parsed_server::ParsedServer;
use super::parsed_shared_store::ParsedSharedStore;
use crate::algorithm::Algorithm;
use crate::authenticate::{
    Authenticator, IssuerRules, OpaqueTokens, OwnVerifier, Rules, TokenCache, TokenSource,
    TrustedIssuer,
};
use crate::authorize::{Authorizer, Authorizers};
use crate::config::{Config, IntrospectionMethod, ProtectedResource};
use crate::handles::{HandleSealer, KeyRing, StateSealer};
use crate::inspection::principal_rule;
use crate::issuer::{
    FetchContext, HttpClient, Introspector, Issuer, ReqwestClient, SignedAnswerRules, TrustAnchors,
    UrlRules,
};
use crate::jose::{KnownHeaders, TokenLimits};
use crate::json::JsonLimits;
use crate::revocation::{Cutoffs, Feed};
use crate::serve::{BodyLimits, Resource};

/// Puts resources together, one after the other, and holds what all of them share: the HTTP clients, the cache of
/// tokens, and the issuers.
pub(super) struct Assembler<'b> {
    builder: &'b McpAuthBuilder,
    /// For metadata and keys.
    http: Arc<dyn HttpClient>,
    /// For questions about tokens, where no certificate of ours is shown.
    http_for_questions: Arc<dyn HttpClient>,
    trust_anchors: TrustAnchors,
    handle_keys: Arc<KeyRing>,
    cache: Arc<TokenCache>,
    known_headers: Arc<KnownHeaders>,
    pub(super) cutoffs: Arc<Cutoffs>,
    pub(super) feed: Option<Arc<Feed>>,
    pub(super) issuers: Vec<Arc<Issuer>>,
}

impl<'b> Assembler<'b> {
    pub(super) fn new(
        builder: &'b McpAuthBuilder,
        trust_anchors: TrustAnchors,
        handle_keys: KeyRing,
    ) -> Self {
        let config = &builder.config;
        let (http, http_for_questions): (Arc<dyn HttpClient>, Arc<dyn HttpClient>) = match &builder
            .http
        {
            Some(given) => (given.clone(), given.clone()),
            None => {
                let timeout = config.fetch_timeout;
                let documents = ReqwestClient::for_documents(timeout, trust_anchors.clone());
                let questions = ReqwestClient::for_questions(timeout, trust_anchors.clone(), None);
                (Arc::new(documents), Arc::new(questions))
            }
        };
        let cache = TokenCache::new(config.token_cache_bytes, config.token_cache_max_age);
        Self {
            builder,
            http,
            http_for_questions,
            trust_anchors,
            handle_keys: Arc::new(handle_keys),
            cache: Arc::new(cache),
            known_headers: Arc::default(),
            cutoffs: Arc::default(),
            feed: None,
            issuers: Vec::new(),
        }
    }

    /// Has all resources hear of what is revoked on other instances. Before any of them is made.
    pub(super) fn share(&mut self, parsed: Option<ParsedSharedStore>) {
        let Some(ParsedSharedStore { store, limits }) = parsed else { return };
        let (clock, spawner) = (self.builder.clock.clone(), self.builder.spawner.clone());
        let feed = Feed::new(store, self.cutoffs.clone(), clock, spawner, limits);
        self.feed = Some(Arc::new(feed));
    }

    /// What answers the requests for one resource. `index` is its place in the configuration.
    pub(super) fn protect(&mut self, index: usize, parsed: ParsedResource<'_>) -> Arc<Resource> {
        let ParsedResource { config, identifier, servers } = parsed;
        let mut sources = TokenSources::default();
        let mut own = Vec::new();
        for verifier in &self.builder.token_verifiers {
            let source = sources.source_in(verifier.token_header());
            own.push(OwnVerifier { source, verifier: verifier.clone() });
        }
        let mut trusted_issuers = Vec::new();
        for server in servers {
            trusted_issuers.extend(self.trust_server(server, &mut sources));
        }
        let authenticator = Authenticator {
            resource: index,
            token_headers: sources.headers.into(),
            own,
            issuers: trusted_issuers.into_iter().collect(),
            rules: Rules {
                resource: identifier.clone(),
                audiences: config.audiences.clone(),
                accept_any_audience: config.dangerous_accept_any_audience,
                clock_tolerance: self.builder.config.clock_tolerance,
            },
            limits: token_limits(&self.builder.config),
            known_headers: self.known_headers.clone(),
            cache: self.cache.clone(),
            cutoffs: self.cutoffs.clone(),
            feed: self.feed.clone(),
            clock: self.builder.clock.clone(),
        };
        let bodies = body_limits(&self.builder.config);
        let authorizers = self.authorizers(config);
        let session_sealer = (!config.dangerous_unbound_sessions)
            .then(|| HandleSealer::new(self.handle_keys.clone(), identifier.as_str()));
        let mut resource =
            Resource::new(config, identifier, authenticator, authorizers, bodies, session_sealer);
        if self.builder.hide_resource_metadata {
            resource.hide_metadata();
        }
        Arc::new(resource)
    }

    /// What seals state for the server as a whole, which is known by its first resource.
    pub(super) fn state_sealer(&self) -> StateSealer {
        let first = self.builder.config.resources.first();
        let name = first.map_or("", |resource| &resource.resource);
        StateSealer::new(self.handle_keys.clone(), name, self.builder.clock.clone())
    }

    fn authorizers(&self, config: &ProtectedResource) -> Authorizers {
        let policy = config.policy.clone().map(|policy| Arc::new(policy) as Arc<dyn Authorizer>);
        let given = policy.iter().chain(&self.builder.authorizers);
        Authorizers::new(given, &config.required_scopes)
    }

    /// What one resource trusts of this server: an entry for each issuer that its tokens name in `iss`. The server's
    /// keys are shared with the other resources that trust it.
    fn trust_server(
        &mut self,
        server: ParsedServer<'_>,
        sources: &mut TokenSources,
    ) -> Vec<TrustedIssuer> {
        let ParsedServer { config, identifier, source, token_header, introspection } = server;
        let token_source = sources.source_in(token_header);
        let mut names = vec![identifier.as_str().to_owned()];
        names.extend_from_slice(&config.token_issuers);
        let issuer = match self.issuers.iter().find(|known| *known.identifier() == identifier) {
            Some(known) => known.clone(),
            None => {
                let url_rules = UrlRules::of_metadata(config, &identifier);
                let context = self.fetch_context(url_rules, introspection.is_none());
                let new = Arc::new(Issuer::new(identifier, source, context));
                self.issuers.push(new.clone());
                new
            }
        };
        let rules = Arc::new(IssuerRules {
            algorithms: config.algorithms.clone(),
            require_at_jwt: config.require_at_jwt,
            require_subject: config.require_subject,
            token_issuers: config.token_issuers.clone(),
            accept_any_issuer: config.dangerous_accept_any_issuer,
            audiences: [&*config.audiences, &*config.dangerous_shared_audiences].concat(),
            accepted_clients: config.dangerous_accept_clients.clone(),
            scope_claims: config.scope_claims.clone(),
            scope_prefix: config.scope_prefix.clone(),
            required_claims: config.required_claims.clone(),
            principal: Arc::new(principal_rule(config)),
        });
        let opaque = introspection
            .map(|parsed| Arc::new(self.opaque_tokens(parsed, &issuer, &config.algorithms)));
        let mut trusted = Vec::new();
        for (index, name) in names.iter().enumerate() {
            trusted.push(TrustedIssuer {
                name: name.as_str().into(),
                // By its own name alone, and not by others that its tokens have in `iss`.
                is_advertised: index == 0,
                source: token_source,
                issuer: issuer.clone(),
                rules: rules.clone(),
                opaque: opaque.clone(),
            });
        }
        trusted
    }

    fn opaque_tokens(
        &self,
        parsed: ParsedIntrospection<'_>,
        issuer: &Arc<Issuer>,
        algorithms: &[Algorithm],
    ) -> OpaqueTokens {
        let ParsedIntrospection { config, client, identity } = parsed;
        let http = match identity {
            Some(identity) => {
                let timeout = self.builder.config.fetch_timeout;
                let anchors = self.trust_anchors.clone();
                Arc::new(ReqwestClient::for_questions(timeout, anchors, Some(identity)))
            }
            None => self.http_for_questions.clone(),
        };
        let signed_answers = SignedAnswerRules {
            algorithms: algorithms.to_vec(),
            clock_tolerance: self.builder.config.clock_tolerance,
        };
        let introspector = Introspector::new(issuer.clone(), http, client, config, signed_answers);
        let binds_audience = config.method != IntrospectionMethod::DangerousUserinfo;
        OpaqueTokens::new(introspector, config, binds_audience)
    }

    /// What fetching from one authorization server needs. Without `needs_keys`, metadata that names no keys will do:
    /// so it is where every token is introspected.
    pub(super) fn fetch_context(&self, url_rules: UrlRules, needs_keys: bool) -> FetchContext {
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

fn body_limits(config: &Config) -> BodyLimits {
    BodyLimits {
        max_bytes: config.max_body_bytes,
        max_anonymous_bytes: config.max_anonymous_body_bytes,
        timeout: config.body_timeout,
    }
}

fn token_limits(config: &Config) -> TokenLimits {
    let json = JsonLimits { depth: config.max_token_depth, members: config.max_token_claims };
    TokenLimits {
        token_bytes: config.max_token_bytes,
        header_bytes: config.max_token_header_bytes,
        json,
    }
}

/// The headers that one resource's tokens may be in, besides `Authorization`. Each is listed once.
#[derive(Default)]
struct TokenSources {
    headers: Vec<HeaderName>,
}

impl TokenSources {
    /// Where tokens in this header are found: by its place in the list, to which it is added if it is new. Without a
    /// header, they are in `Authorization`.
    fn source_in(&mut self, header: Option<HeaderName>) -> TokenSource {
        let Some(header) = header else { return TokenSource::Authorization };
        if let Some(index) = self.headers.iter().position(|listed| *listed == header) {
            return TokenSource::Header(index);
        }
        self.headers.push(header);
        TokenSource::Header(self.headers.len() - 1)
    }
}
