//! One protected resource, and the way of a request to it.
//!
//! 1. [`Resource::begin`]: what the head says before anybody asks who sent it (origin, preflight, token).
//! 2. The caller: the token is authenticated, or was accepted before.
//! 3. [`Resource::conclude`]: may the caller do this? What depends on the body is a [`PendingDecision`](super::PendingDecision).
//!
//! Two requests take a shorter way, with the first and the last of these steps in common:
//!
//! - One for whose token nobody has to be asked: [`Resource::decide_at_once`] needs no future, and neither does
//!   [`Resource::decide_seen`], for a token that was accepted before and where no rule wants to see the body.
//! - One that may need no token, because some calls are open: its token is looked at when it is known what is called.
//!
//! A refusal that the head decides goes out at once. A stranger's body is read only where something is open to strangers,
//! and then up to a smaller bound.
//!
//! Tested in `serve::seen_tokens`, `serve::limits` and `adapters::mounting`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use super::cors::preflight;
use super::exchange::{Admitted, Called, Exchange, Held};
use super::known_tasks::KnownTasks;
use super::mirrored_arguments::MirroredArguments;
use super::pending_decision::{Caller, PendingCall, announced_length};
use super::response::ListRules;
use super::sealed_handles::{OpenedHandles, SealedHandles};
use super::succession::{Succession, next_number};
use super::unlisted_rules::UnlistedRules;
use super::{
    AllowedOrigins, Decision, Forward, Reply, TokenExplanation, mcp_headers, metadata_document,
};
use crate::auth_info::AuthInfo;
use crate::authenticate::{Authenticator, BearerToken, TokenSource};
use crate::authorize::{Authorizers, Explanation, Operation};
use crate::config::{ChallengeStyle, ProtectedResource};
use crate::error::{AuthError, Forbidden, MessageFault};
use crate::handles::HandleSealer;
use crate::identifier::ResourceIdentifier;
use crate::limits::FailureLimits;
use crate::scope::Scopes;

/// A protected resource with everything that its answers need.
pub(crate) struct Resource {
    pub(crate) identifier: ResourceIdentifier,
    /// What came before and comes after it.
    pub(super) succession: Arc<Succession>,
    pub(super) number: u64,
    /// What challenges name.
    pub(super) metadata_url: Option<String>,
    pub(super) required_scopes: Scopes,
    pub(super) authorizers: Authorizers,
    pub(super) challenge_style: ChallengeStyle,
    pub(crate) bodies: BodyLimits,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) authenticator: Authenticator,
    advertise_offline_access: bool,
    /// Which arguments of its tools clients repeat in headers.
    pub(crate) mirrored_arguments: MirroredArguments,
    /// Who made its tasks.
    pub(super) known_tasks: Arc<KnownTasks>,
    pub(super) known_tasks_only: bool,
    /// Binds its sessions to those who began them.
    pub(super) session_sealer: Option<HandleSealer>,
    /// Seals other handles, where a setting asks for it.
    pub(super) sealed_handles: Option<Arc<SealedHandles>>,
    /// Counts refusals; `None`: nothing is limited.
    pub(crate) limits: Option<Arc<FailureLimits>>,
    /// Rules for what no list has shown so far.
    pub(super) unlisted_rules: UnlistedRules,
    pub(super) allowed_origins: AllowedOrigins,
    /// RFC 9728.
    pub(super) metadata_document: Bytes,
}

/// What the body of a request may cost, where it must be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) max_bytes: usize,
    /// Of callers without a good token.
    pub(crate) max_anonymous_bytes: usize,
    pub(crate) timeout: Duration,
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resource").field(&self.identifier).finish()
    }
}

impl Resource {
    /// What was configured for one resource, with the running parts that it needs.
    pub(crate) fn new(
        config: &ProtectedResource,
        identifier: ResourceIdentifier,
        authenticator: Authenticator,
        authorizers: Authorizers,
        bodies: BodyLimits,
        session_sealer: Option<HandleSealer>,
        sealed_handles: Option<SealedHandles>,
    ) -> Self {
        let number = next_number();
        let mut resource = Self {
            succession: Succession::beginning_with(number),
            number,
            metadata_url: Some(identifier.metadata_url()),
            required_scopes: config.required_scopes.clone(),
            challenge_style: config.challenge_style,
            bodies,
            allowed_hosts: allowed_hosts(&identifier, &config.allowed_hosts),
            allowed_origins: AllowedOrigins::new(identifier.origin(), &config.allowed_origins),
            advertise_offline_access: config.dangerous_advertise_offline_access,
            mirrored_arguments: MirroredArguments::new(&config.mirrored_arguments),
            known_tasks: Arc::default(),
            unlisted_rules: UnlistedRules::new(authorizers.named()),
            // Without rules no answer is read, and every task is unknown.
            known_tasks_only: config.known_tasks_only && !authorizers.is_empty(),
            session_sealer,
            sealed_handles: sealed_handles.map(Arc::new),
            limits: None,
            metadata_document: Bytes::new(),
            identifier,
            authenticator,
            authorizers,
        };
        resource.metadata_document = metadata_document::describe(&resource, config);
        resource
    }

    /// Comes in the place of an earlier configuration of the same resource, and knows what that one has learnt.
    pub(crate) fn take_over(&mut self, earlier: &Self) {
        self.succession = earlier.succession.clone();
        self.known_tasks = earlier.known_tasks.clone();
        let mirrored_arguments = std::mem::take(&mut self.mirrored_arguments);
        self.mirrored_arguments = mirrored_arguments.learning_with(&earlier.mirrored_arguments);
        self.authenticator.take_over(&earlier.authenticator);
    }

    /// Names its metadata in no challenge.
    pub(crate) fn hide_metadata(&mut self) {
        self.metadata_url = None;
    }

    /// Decides about a request, up to its body.
    pub(crate) async fn decide(self: &Arc<Self>, request: &Parts) -> Decision {
        let Begun { cors, token } = match self.begin(request) {
            Ok(begun) => begun,
            Err(end) => return Decision::Reply(self.reply_at_once(end, request)),
        };
        if self.may_need_no_token(request, &token) {
            return PendingCall::begin(self.clone(), Caller::Unchecked, cors, request);
        }
        let caller = match token {
            Ok(token) => self.authenticate_unlimited(token, request).await,
            Err(error) => Err(error),
        };
        self.conclude(caller, cors, request)
    }

    /// The same at once, where nobody has to be asked about the token; `None`: ask [`Self::decide`].
    pub(crate) fn decide_at_once(self: &Arc<Self>, request: &Parts) -> Option<Decision> {
        let Begun { cors, token } = self.begin(request).ok()?;
        if self.may_need_no_token(request, &token) {
            return None;
        }
        let caller = self.authenticator.authenticate_at_once(token.ok()?)?;
        Some(self.conclude(caller, cors, request))
    }

    /// What has to be done, for a caller whose token was accepted before and who may go on; `None`: ask
    /// [`Self::decide`].
    pub(crate) fn decide_seen(self: &Arc<Self>, request: &Parts) -> Option<Forward> {
        if self.has_rules() || self.sealed_handles.is_some() || self.reads_body(request) {
            return None;
        }
        let Begun { cors, token } = self.begin(request).ok()?;
        let caller = self.authenticator.authenticated_before(token.ok()?)?;
        self.authorize_head(&caller).ok()?;
        let (session, event) = self.open_session_and_event(Some(&caller), &request.headers).ok()?;
        Some(self.forward(caller, session, event, cors, request))
    }

    /// What the head says before anybody asks who sent it.
    // Called in two places, and else not inlined: 30 ns of a request whose token was seen before.
    #[inline]
    fn begin<'r>(&self, request: &'r Parts) -> Result<Begun<'r>, End> {
        let cors = self.allowed_origins.admit(request).map_err(End::Forbidden)?;
        if request.method == Method::OPTIONS {
            return Err(End::Preflight(cors));
        }
        let token = BearerToken::from_request(request, &self.authenticator.token_headers);
        Ok(Begun { cors, token })
    }

    /// The answer to a request that goes no further than its head.
    fn reply_at_once(&self, end: End, request: &Parts) -> Reply {
        match end {
            End::Forbidden(forbidden) => self.refuse(AuthError::Forbidden(forbidden)),
            End::Preflight(cors) => {
                self.log_preflight();
                preflight(request, cors, "GET, POST, DELETE, OPTIONS")
            }
        }
    }

    /// Whether the caller may do what the head asks for; what depends on the body is decided later.
    // Not inlined: the future of every `decide` would be larger by what is only held here.
    #[inline(never)]
    fn conclude(
        self: &Arc<Self>,
        caller: Result<AuthInfo, AuthError>,
        cors: HeaderMap,
        request: &Parts,
    ) -> Decision {
        if self.reads_body(request) && (caller.is_ok() || self.authorizers.allows_anonymous()) {
            return PendingCall::begin(self.clone(), Caller::Known(caller), cors, request);
        }
        if caller.is_ok()
            && self.looks_at_messages()
            && let Some(reply) = self.refuse_form(request)
        {
            return Decision::Reply(reply.with_headers(cors));
        }
        let outcome = match caller {
            Ok(known) => self.admit_head(known, request),
            Err(error) => Err(self.limited(error, request, None)),
        };
        match outcome {
            Ok((admitted, session, event)) => {
                Decision::Forward(self.forward(admitted, session, event, cors, request))
            }
            Err(AuthError::MissingToken) if self.is_stream_of_nobody(request) => {
                Decision::Reply(Reply::method_not_allowed("POST").with_headers(cors))
            }
            Err(error) => Decision::Reply(self.refuse(error).with_headers(cors)),
        }
    }

    /// Under a policy, a request that calls nothing has a known method and no body: else what is behind us
    /// could do something that nobody has looked at.
    fn refuse_form(&self, request: &Parts) -> Option<Reply> {
        let known = [Method::GET, Method::HEAD, Method::POST, Method::DELETE];
        if !known.contains(&request.method) {
            return Some(Reply::method_not_allowed("GET, POST, DELETE, OPTIONS"));
        }
        announces_body(&request.headers)
            .then(|| self.refuse_message(MessageFault::Unexpected, None))
    }

    /// The caller, with the session and the event that the request names, where one that names no operation may go on.
    fn admit_head(
        &self,
        known: AuthInfo,
        request: &Parts,
    ) -> Result<(AuthInfo, Option<HeaderValue>, Option<HeaderValue>), AuthError> {
        if let Err(error) = self.authorize_head(&known) {
            return Err(self.limited(error, request, Some(&known)));
        }
        let (session, event) = self.open_session_and_event(Some(&known), &request.headers)?;
        Ok((known, session, event))
    }

    /// The session and the event that a request names, as the server knows them.
    #[inline]
    pub(super) fn open_session_and_event(
        &self,
        sender: Option<&AuthInfo>,
        request: &HeaderMap,
    ) -> Result<(Option<HeaderValue>, Option<HeaderValue>), MessageFault> {
        let session = self.open_session(sender, request)?;
        let event = self.open_last_event(sender, session.as_ref(), request)?;
        Ok((session, event))
    }

    /// Whether the caller may send requests that name no operation: what the rules for everything ask for.
    #[inline]
    pub(super) fn authorize_head(&self, caller: &AuthInfo) -> Result<(), AuthError> {
        if !self.authorizers.is_empty() {
            return self.authorizers.authorize(caller, &[Operation::nothing()]);
        }
        // The same without rules, for nearly every request.
        if caller.scopes().contains_all(&self.required_scopes) {
            return Ok(());
        }
        let (required, granted) = (self.required_scopes.clone(), caller.scopes().clone());
        Err(AuthError::InsufficientScope { required, granted })
    }

    /// The scopes to sign in for: also those of the baseline where a rule lifts it, since whoever signs in now
    /// will need them for the next call.
    pub(super) fn needed(&self, operations: &[Operation<'_>], granted: &Scopes) -> Scopes {
        let of_rules = self.authorizers.needed(operations, granted);
        Scopes::union([&self.required_scopes, &of_rules])
    }

    /// Whether there are rules for what is called.
    #[inline]
    pub(super) fn has_rules(&self) -> bool {
        !self.authorizers.is_empty()
    }

    /// Whether every message is looked at, so that none may come another way than in a POST.
    fn looks_at_messages(&self) -> bool {
        self.has_rules() || self.seals_bodies()
    }

    /// Hands the request on, of which no rule wants to see the body.
    #[inline]
    fn forward(
        self: &Arc<Self>,
        caller: AuthInfo,
        session: Option<HeaderValue>,
        last_event: Option<HeaderValue>,
        cors: HeaderMap,
        request: &Parts,
    ) -> Forward {
        self.log_allowed(Some(&caller), &[]);
        let reads_responses = self.has_rules() || self.sealed_handles.is_some();
        let is_post = request.method == Method::POST;
        let sender = Some(caller.clone());
        let opened = OpenedHandles { last_event, ..OpenedHandles::default() }.boxed();
        let admitted = Admitted { resource: self.clone(), sender, session, opened };
        if !is_post && !reads_responses {
            return Forward::new(Held::Alone(admitted), Some(caller), cors);
        }
        let exchange = Exchange::new(admitted, Called::Unread);
        let lists = reads_responses.then(|| ListRules::for_stream(&exchange, request)).flatten();
        let filtered = Forward::new(Held::Shared(exchange), Some(caller), cors).with_lists(lists);
        if is_post {
            let may_wait = !mcp_headers::is_subscription(&request.headers);
            return filtered.with_step_up(may_wait);
        }
        if self.looks_at_messages() { filtered.without_body() } else { filtered }
    }

    /// Why an operation is allowed to a caller, or not.
    pub(crate) fn explain(
        &self,
        caller: Result<&AuthInfo, &AuthError>,
        operation: &Operation<'_>,
    ) -> Explanation {
        self.authorizers.explain(caller, operation)
    }

    /// Why a token is accepted or refused here, and what its caller may do.
    pub(crate) async fn explain_token(&self, token: &str) -> TokenExplanation {
        let (checks, outcome) = self.authenticator.explain(token).await;
        let caller = outcome.as_ref();
        let operations = self.authorizers.named().iter();
        TokenExplanation {
            resource: self.identifier.to_string(),
            accepted: caller.is_ok(),
            code: caller.map_or_else(AuthError::code, |_| "ok"),
            checks,
            required: self.required_scopes.clone(),
            granted: caller.map(AuthInfo::scopes).cloned().unwrap_or_default(),
            operations: operations.map(|operation| self.explain(caller, operation)).collect(),
        }
    }

    /// The caller behind a token that came another way than in a request.
    pub(crate) async fn authenticate_token(&self, token: &str) -> Result<AuthInfo, AuthError> {
        self.authenticator.authenticate(BearerToken::new(token, TokenSource::Authorization)).await
    }

    /// The same at once, for a token that was accepted before.
    pub(crate) fn authenticate_seen(&self, token: &str) -> Option<AuthInfo> {
        self.authenticator.authenticated_before(BearerToken::new(token, TokenSource::Authorization))
    }

    /// Whether the token of this request is looked at only when it is known what is called: where some calls
    /// are open, and the body is so short that a stranger may send it.
    fn may_need_no_token(
        &self,
        request: &Parts,
        token: &Result<BearerToken<'_>, AuthError>,
    ) -> bool {
        let Ok(token) = token else { return false };
        // First what costs least: most resources have no calls that are open.
        if !self.reads_body(request) || !self.authorizers.allows_anonymous() {
            return false;
        }
        let longest = self.bodies.max_anonymous_bytes.min(self.bodies.max_bytes);
        let is_short = announced_length(&request.headers).is_some_and(|length| length <= longest);
        is_short && self.authenticator.authenticated_before(*token).is_none()
    }

    /// The caller behind a request, or why there is none.
    pub(super) async fn authenticate(&self, request: &Parts) -> Result<AuthInfo, AuthError> {
        let token = BearerToken::from_request(request, &self.authenticator.token_headers)?;
        self.authenticate_unlimited(token, request).await
    }

    /// Only POST carries messages, and only an answer that depends on them needs them.
    fn reads_body(&self, request: &Parts) -> bool {
        let depends =
            self.looks_at_messages() || self.challenge_style == ChallengeStyle::ToolResult;
        request.method == Method::POST && depends
    }

    /// Whoever needs no token for some calls has no stream of their own: a session identifier is
    /// no authentication. Clients take a 405 for a server without streams.
    fn is_stream_of_nobody(&self, request: &Parts) -> bool {
        self.authorizers.allows_anonymous() && request.method != Method::POST
    }

    /// The scopes that clients are told of.
    pub(super) fn advertised(&self, scopes: &Scopes) -> Scopes {
        // MCP authorization, "Scope selection": `offline_access` is the client's business.
        if self.advertise_offline_access {
            scopes.clone()
        } else {
            scopes.without("offline_access")
        }
    }
}

/// A request whose head was looked at.
struct Begun<'r> {
    /// For the answer.
    cors: HeaderMap,
    token: Result<BearerToken<'r>, AuthError>,
}

/// Why a request goes no further than its head.
enum End {
    Forbidden(Forbidden),
    /// With the headers for the page that asks.
    Preflight(HeaderMap),
}

/// Whether a body comes, as far as the head tells: a method override behind us could make a POST of it,
/// whose call nobody has looked at. A length that is no zero announces one, also one that is no number.
fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0")
}

/// The resource's own host, loopback for proxies and probes on this machine, and the listed ones.
fn allowed_hosts(resource: &ResourceIdentifier, listed: &[String]) -> Vec<String> {
    let loopback = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    [resource.host()].into_iter().chain(loopback).chain(listed.iter().cloned()).collect()
}
