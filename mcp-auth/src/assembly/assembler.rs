//! Puts together what answers requests, of a configuration that was checked.

mod downstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderName;

use super::credentials::ClientCertificate;
use super::hooks::Hooks;
use super::parsed_connect::path_of;
use super::parsed_introspection::ParsedIntrospection;
use super::parsed_resource::ParsedResource;
use super::parsed_server::ParsedServer;
use super::serving::{Serving, StoreInUse, Transport};
use crate::algorithm::Algorithm;
use crate::authenticate::{
    Acceptance, AskedRevocations, Authenticator, IssuerRules, OpaqueTokens, OwnVerifier, Rules,
    TokenCache, TokenSource, TrustedIssuer,
};
use crate::authorize::{Authorizer, Authorizers};
use crate::config::{AuthorizationServer, Config, IntrospectionMethod, ProtectedResource};
use crate::downstream::{Connection, Downstreams, GrantStore, SignIn};
use crate::handles::{HandleSealer, KeyRing};
use crate::identifier::{IssuerIdentifier, ResourceIdentifier};
use crate::inspection::principal_rule;
use crate::issuer::{
    FetchContext, HttpClient, Introspector, Issuer, KeySource, ReqwestClient, SignedAnswerRules,
    TrustAnchors, UrlRules,
};
use crate::jose::{KnownHeaders, TokenLimits};
use crate::json::JsonLimits;
use crate::limits::{AddressRange, AnswerLimit, CommonCount, FailureLimits};
use crate::mcp_auth::ConnectPages;
use crate::mounts::Mounts;
use crate::notices::{NoticeIssuer, Notices};
use crate::revocation::{Cutoffs, SeenOnce};
use crate::serve::{BodyLimits, Resource, SealedHandles};

/// Puts resources together, one after the other, and holds what all of them share: the HTTP clients, the cache of
/// tokens, and the issuers. What still holds of an earlier configuration is taken over.
pub(super) struct Assembler<'b> {
    hooks: &'b Hooks,
    config: &'b Config,
    earlier: Option<&'b Serving>,
    transport: Transport,
    /// Whether the certificate authorities are those of the earlier configuration.
    is_transport_trusted: bool,
    cache: Arc<TokenCache>,
    known_headers: Arc<KnownHeaders>,
    cutoffs: &'b Arc<Cutoffs>,
    store_in_use: Option<StoreInUse>,
    failure_limits: Option<Arc<FailureLimits>>,
    issuers: Vec<Arc<Issuer>>,
    notice_issuers: Vec<NoticeIssuer>,
    downstreams: Downstreams,
    accounts: Option<Accounts>,
    connect_seen: Arc<SeenOnce>,
    connect_answers: Option<Arc<AnswerLimit>>,
}

/// Where users connect their accounts, and the APIs for which they do.
struct Accounts {
    url: String,
    store: GrantStore,
    sign_in: Vec<Arc<SignIn>>,
    connections: Vec<(String, Arc<Connection>)>,
}

impl<'b> Assembler<'b> {
    pub(super) fn new(
        hooks: &'b Hooks,
        config: &'b Config,
        cutoffs: &'b Arc<Cutoffs>,
        trust_anchors: TrustAnchors,
        earlier: Option<&'b Serving>,
    ) -> Self {
        let is_transport_trusted = earlier.is_some_and(|before| {
            hooks.http.is_some() || before.transport.trust_anchors.are_same_as(&trust_anchors)
        });
        let (max_bytes, max_age) = (config.token_cache_bytes, config.token_cache_max_age);
        let cache = earlier.map(|before| &before.cache);
        let cache = cache.filter(|kept| kept.is_made_like(max_bytes, max_age)).cloned();
        let limits = token_limits(config);
        let known_headers = earlier.filter(|before| before.limits == limits);
        let known_headers = known_headers.map(|before| before.known_headers.clone());
        Self {
            hooks,
            config,
            earlier,
            transport: transport(hooks, config, trust_anchors, earlier, is_transport_trusted),
            is_transport_trusted,
            cache: cache.unwrap_or_else(|| Arc::new(TokenCache::new(max_bytes, max_age))),
            known_headers: known_headers.unwrap_or_default(),
            cutoffs,
            store_in_use: None,
            failure_limits: None,
            issuers: Vec::new(),
            notice_issuers: Vec::new(),
            downstreams: Downstreams::new(),
            accounts: None,
            connect_seen: earlier.map(|before| before.connect_seen.clone()).unwrap_or_default(),
            connect_answers: earlier.and_then(|before| before.connect_answers.clone()),
        }
    }

    /// Shares what is known with other instances, by this store.
    pub(super) fn share(&mut self, store: Option<StoreInUse>) {
        self.store_in_use = store;
    }

    /// Counts the refusals of all resources, where the configuration limits them. What was counted stays where the limits do.
    pub(super) fn limit_failures(&mut self, trusted_proxies: Vec<AddressRange>) {
        let config = &self.config.limits;
        let before = self.earlier.filter(|earlier| earlier.limits_of_failures == *config);
        self.failure_limits = match before {
            Some(earlier) => earlier.failure_limits.clone(),
            None => {
                let clock = self.hooks.clock.clone();
                let common = self.common_count();
                FailureLimits::new(config, trusted_proxies, clock, common.as_ref()).map(Arc::new)
            }
        };
    }

    /// How instances count together, where they share a store.
    fn common_count(&self) -> Option<CommonCount> {
        self.store_in_use.as_ref().map(|in_use| CommonCount {
            store: in_use.store.clone(),
            timeout: in_use.timeout,
            spawner: self.hooks.spawner.clone(),
        })
    }

    /// Everything, with these resources.
    pub(super) fn finish(
        mut self,
        resources: Vec<Arc<Resource>>,
        handle_keys: Arc<KeyRing>,
        has_own_keys: bool,
    ) -> Serving {
        let notices = self.notices();
        let connect_pages = match self.accounts {
            Some(accounts) => {
                let path = path_of(&accounts.url);
                ConnectPages::new(&accounts.url, path, accounts.connections)
            }
            None => ConnectPages::default(),
        };
        Serving {
            notices,
            connect_pages,
            connect_seen: self.connect_seen,
            connect_answers: self.connect_answers,
            downstreams: self.downstreams,
            mounts: Mounts::new(resources),
            issuers: self.issuers,
            own_handle_keys: has_own_keys.then(|| handle_keys.clone()),
            handle_keys,
            transport: self.transport,
            cache: self.cache,
            known_headers: self.known_headers,
            limits: token_limits(self.config),
            failure_limits: self.failure_limits,
            limits_of_failures: self.config.limits.clone(),
            shared_store: self.config.shared_store.clone(),
            store_in_use: self.store_in_use,
        }
    }

    /// What answers the requests for one resource.
    pub(super) fn protect(
        &mut self,
        parsed: ParsedResource<'_>,
        handle_keys: &Arc<KeyRing>,
    ) -> Arc<Resource> {
        let ParsedResource { config, identifier, servers } = parsed;
        let mut sources = TokenSources::default();
        let mut own = Vec::new();
        for verifier in &self.hooks.token_verifiers {
            let source = sources.source_in(verifier.token_header());
            own.push(OwnVerifier { source, verifier: verifier.clone() });
        }
        let mut trusted_issuers = Vec::new();
        for server in servers {
            trusted_issuers.extend(self.trust_server(server, &mut sources));
        }
        let before =
            self.earlier.and_then(|earlier| earlier.mounts.resource_at_place_of(&identifier));
        let authenticator = Authenticator {
            resource: before.map_or_else(next_resource, |known| known.authenticator.resource),
            token_headers: sources.headers.into(),
            own,
            issuers: trusted_issuers.into_iter().collect(),
            rules: Rules {
                resource: identifier.clone(),
                audiences: config.audiences.clone(),
                accept_any_audience: config.dangerous_accept_any_audience,
                clock_tolerance: self.config.clock_tolerance,
            },
            limits: token_limits(self.config),
            known_headers: self.known_headers.clone(),
            cache: self.cache.clone(),
            cutoffs: self.cutoffs.clone(),
            asked_revocations: self.asked_revocations(),
            clock: self.hooks.clock.clone(),
        };
        let bodies = body_limits(self.config);
        let authorizers = self.authorizers(config);
        let session_sealer = (!config.dangerous_unbound_sessions)
            .then(|| HandleSealer::new(handle_keys.clone(), identifier.as_str()));
        let sealed_handles = self.sealed_handles(config, &identifier, handle_keys);
        let mut resource = Resource::new(
            config,
            identifier,
            authenticator,
            authorizers,
            bodies,
            session_sealer,
            sealed_handles,
        );
        resource.limits = self.failure_limits.clone();
        if self.hooks.hide_resource_metadata {
            resource.hide_metadata();
        }
        if let Some(known) = before {
            resource.take_over(known);
        }
        Arc::new(resource)
    }

    /// What seals the handles of a resource besides its sessions; `None`: nothing does.
    fn sealed_handles(
        &self,
        config: &ProtectedResource,
        identifier: &ResourceIdentifier,
        handle_keys: &Arc<KeyRing>,
    ) -> Option<SealedHandles> {
        let (tasks, events) = (config.seal_task_ids, config.seal_event_ids);
        let states = config.seal_request_state.then_some(self.config.request_state_max_age);
        let sealer = HandleSealer::new(handle_keys.clone(), identifier.as_str());
        let clock = self.hooks.clock.clone();
        (tasks || events || states.is_some()).then_some(SealedHandles {
            sealer,
            tasks,
            states,
            events,
            clock,
        })
    }

    fn asked_revocations(&self) -> Option<AskedRevocations> {
        let hooks = self.hooks;
        let check = hooks.revocation_check.clone()?;
        let (cutoffs, clock) = (self.cutoffs.clone(), hooks.clock.clone());
        Some(AskedRevocations::new(check, cutoffs, clock, hooks.spawner.clone()))
    }

    /// What receives notices of the issuers, after all resources were put together. What was seen before stays seen.
    fn notices(&mut self) -> Arc<Notices> {
        let seen = self.earlier.map(|before| before.notices.seen().clone());
        let mut notices = Notices::new(
            std::mem::take(&mut self.notice_issuers),
            (&self.config.logout_path, &self.config.shared_signals_path),
            token_limits(self.config),
            self.config.clock_tolerance.as_secs(),
            self.cutoffs.clone(),
            seen.unwrap_or_default(),
            self.hooks.clock.clone(),
        );
        if let Some(before) = self.earlier {
            notices.follow(&before.notices);
        }
        Arc::new(notices)
    }

    /// Receives notices of this server, as it is configured for one resource. What is configured for another one counts as
    /// well.
    fn listen_to(&mut self, config: &AuthorizationServer, issuer: &Arc<Issuer>) {
        if config.back_channel_logout.is_none() && config.shared_signals.is_none() {
            return;
        }
        let known = self.notice_issuers.iter().position(|one| Arc::ptr_eq(&one.issuer, issuer));
        let index = known.unwrap_or_else(|| {
            self.notice_issuers.push(NoticeIssuer::new(issuer.clone()));
            self.notice_issuers.len() - 1
        });
        let listened = &mut self.notice_issuers[index];
        listened.names.extend_from_slice(&config.token_issuers);
        listened.algorithms.extend_from_slice(&config.algorithms);
        if let Some(logout) = &config.back_channel_logout {
            listened.logout_audience.extend_from_slice(&logout.audience);
        }
        if let Some(signals) = &config.shared_signals {
            listened.event_audience.extend_from_slice(&signals.audience);
            listened.authorizations.extend(signals.authorization.clone());
        }
    }

    fn authorizers(&self, config: &ProtectedResource) -> Authorizers {
        let policy = config.policy.clone().map(|policy| Arc::new(policy) as Arc<dyn Authorizer>);
        let given = policy.iter().chain(&self.hooks.authorizers);
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
                let issuer = self.issuer(identifier, source, context);
                self.issuers.push(issuer.clone());
                issuer
            }
        };
        self.listen_to(config, &issuer);
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
                acceptance: Acceptance::of_new_rules(),
                opaque: opaque.clone(),
            });
        }
        trusted
    }

    /// The issuer of the earlier configuration, where its keys come from the same place, and else a new one.
    fn issuer(
        &self,
        identifier: IssuerIdentifier,
        source: KeySource,
        context: FetchContext,
    ) -> Arc<Issuer> {
        let issuers_before = self.earlier.map_or(&[][..], |earlier| &earlier.issuers);
        let before = issuers_before.iter().find(|known| *known.identifier() == identifier);
        let is_trusted = self.is_transport_trusted;
        let kept = before.and_then(|known| known.kept_as(&source, &context, is_trusted));
        kept.unwrap_or_else(|| Arc::new(Issuer::new(identifier, source, context)))
    }

    fn opaque_tokens(
        &mut self,
        parsed: ParsedIntrospection<'_>,
        issuer: &Arc<Issuer>,
        algorithms: &[Algorithm],
    ) -> OpaqueTokens {
        let ParsedIntrospection { config, client, identity } = parsed;
        let http = self.client_for_questions(identity);
        let signed_answers = SignedAnswerRules {
            algorithms: algorithms.to_vec(),
            clock_tolerance: self.config.clock_tolerance,
        };
        let introspector = Introspector::new(issuer.clone(), http, client, config, signed_answers);
        let binds_audience = config.method != IntrospectionMethod::DangerousUserinfo;
        OpaqueTokens::new(introspector, config, binds_audience)
    }

    /// The client that shows this certificate, or none: that of the earlier configuration where it would be the same.
    fn client_for_questions(&mut self, shown: Option<ClientCertificate>) -> Arc<dyn HttpClient> {
        let digest = shown.as_ref().map(|certificate| certificate.digest);
        if let Some(client) = self.transport.client_showing(digest) {
            return client.clone();
        }
        let identity = shown.map(|certificate| certificate.identity);
        let (timeout, anchors) = (self.config.fetch_timeout, self.transport.trust_anchors.clone());
        let kept = self
            .earlier
            .filter(|before| self.is_transport_trusted && before.transport.timeout == timeout);
        let client = match kept.and_then(|before| before.transport.client_showing(digest)) {
            Some(client) => client.clone(),
            None => Arc::new(ReqwestClient::for_questions(timeout, anchors, identity)),
        };
        self.transport.questions.push((digest, client.clone()));
        client
    }

    /// What fetching from one authorization server needs. Without `needs_keys`, metadata that names no keys will do:
    /// so it is where every token is introspected.
    pub(super) fn fetch_context(&self, url_rules: UrlRules, needs_keys: bool) -> FetchContext {
        let config = self.config;
        FetchContext {
            http: self.transport.documents.clone(),
            clock: self.hooks.clock.clone(),
            spawner: self.hooks.spawner.clone(),
            slow_checks: self.hooks.slow_checks.clone(),
            patch: self.hooks.patch.clone(),
            url_rules: Arc::new(url_rules),
            needs_keys,
            timeout: config.fetch_timeout,
            max_age: config.key_max_age,
            max_stale: config.key_max_stale,
        }
    }
}

/// The HTTP clients: those that were given, those of the earlier configuration where they would be the same, and else new ones.
fn transport(
    hooks: &Hooks,
    config: &Config,
    trust_anchors: TrustAnchors,
    earlier: Option<&Serving>,
    is_transport_trusted: bool,
) -> Transport {
    let timeout = config.fetch_timeout;
    if let Some(given) = &hooks.http {
        let questions = vec![(None, given.clone())];
        return Transport { timeout, trust_anchors, documents: given.clone(), questions };
    }
    let kept = earlier.filter(|before| is_transport_trusted && before.transport.timeout == timeout);
    let documents: Arc<dyn HttpClient> = match kept {
        Some(before) => before.transport.documents.clone(),
        None => Arc::new(ReqwestClient::for_documents(timeout, trust_anchors.clone())),
    };
    Transport { timeout, trust_anchors, documents, questions: Vec::new() }
}

/// A number for a resource that was not there before.
fn next_resource() -> usize {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
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
