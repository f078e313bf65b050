//! One protected resource, ready to answer: who may call it, and the document that describes it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, TRANSFER_ENCODING, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::challenge::refuse;
use super::cors::preflight;
use super::pending_decision::{Caller, announced_length};
use super::{AllowedOrigins, Decision, Forward, ListRules, PendingDecision, Reply};
use crate::auth_info::AuthInfo;
use crate::authenticate::{BearerToken, TokenExplanation, TokenSource, Verifier};
use crate::authorize::{Authorizers, Explanation, Operation};
use crate::config::{ChallengeStyle, ProtectedResource, ScopePolicy};
use crate::error::{AuthError, MessageFault};
use crate::identifier::ResourceIdentifier;
use crate::scope::Scopes;

/// A protected resource with everything that its answers need.
pub(crate) struct Resource {
    pub(crate) identifier: ResourceIdentifier,
    pub(super) metadata_url: String,
    pub(super) required_scopes: Scopes,
    pub(super) authorizers: Authorizers,
    pub(super) challenge_style: ChallengeStyle,
    pub(crate) bodies: BodyLimits,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) verifier: Verifier,
    /// What the configured policy has rules for.
    named_operations: Vec<Operation<'static>>,
    advertise_offline_access: bool,
    allowed_origins: AllowedOrigins,
    document: Bytes,
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
    pub(crate) fn new(
        config: &ProtectedResource,
        identifier: ResourceIdentifier,
        verifier: Verifier,
        authorizers: Authorizers,
        bodies: BodyLimits,
    ) -> Self {
        let mut resource = Self {
            metadata_url: identifier.metadata_url(),
            required_scopes: config.required_scopes.clone(),
            authorizers,
            challenge_style: config.challenge_style,
            bodies,
            allowed_hosts: allowed_hosts(&identifier, &config.allowed_hosts),
            allowed_origins: AllowedOrigins::new(identifier.origin(), &config.allowed_origins),
            named_operations: config.policy.as_ref().map(ScopePolicy::named).unwrap_or_default(),
            advertise_offline_access: config.dangerous_advertise_offline_access,
            document: Bytes::new(),
            identifier,
            verifier,
        };
        resource.document = resource.describe(config);
        resource
    }

    /// The whole data path of a request, up to its body.
    pub(crate) async fn check(self: &Arc<Self>, request: &Parts) -> Decision {
        let cors = match self.allowed_origins.admit(request) {
            Ok(cors) => cors,
            Err(forbidden) => return Decision::Reply(self.refuse(AuthError::Forbidden(forbidden))),
        };
        if request.method == Method::OPTIONS {
            tracing::debug!(target: "mcp_auth::decision", code = "preflight", resource = %self.identifier, "preflight answered");
            return Decision::Reply(preflight(request, cors, "GET, POST, DELETE, OPTIONS"));
        }
        if self.may_need_no_token(request) {
            return PendingDecision::begin(self.clone(), Caller::Unchecked, cors, request);
        }
        let caller = self.authenticate(request).await;
        if !self.authorizers.is_empty() || self.reads_body(request) {
            return self.check_by_rules(caller, cors, request);
        }
        let error = match caller {
            Ok(caller) if caller.scopes().contains_all(&self.required_scopes) => {
                self.log_allowed(Some(&caller), &[]);
                return Decision::Forward(Forward::new(self, Some(caller), cors));
            }
            Ok(caller) => AuthError::InsufficientScope {
                required: self.required_scopes.clone(),
                granted: caller.scopes().clone(),
            },
            Err(error) => error,
        };
        Decision::Reply(self.refuse(error).with_headers(cors))
    }

    /// The rest of the data path, where more than scopes for everything is asked for.
    #[inline(never)]
    fn check_by_rules(
        self: &Arc<Self>,
        caller: Result<AuthInfo, AuthError>,
        cors: HeaderMap,
        request: &Parts,
    ) -> Decision {
        if self.reads_body(request) && (caller.is_ok() || self.authorizers.allows_anonymous()) {
            return PendingDecision::begin(self.clone(), Caller::Known(caller), cors, request);
        }
        if caller.is_ok() && !self.authorizers.is_empty() && !is_known(&request.method) {
            return Decision::Reply(not_allowed("GET, POST, DELETE, OPTIONS").with_headers(cors));
        }
        if caller.is_ok() && !self.authorizers.is_empty() && announces_body(&request.headers) {
            let fault = MessageFault::Unexpected;
            return Decision::Reply(self.refuse_message(fault, None).with_headers(cors));
        }
        let outcome = caller.and_then(|caller| {
            let nothing = [Operation::nothing()];
            self.authorizers.authorize(&caller, &nothing).map(|()| caller)
        });
        match outcome {
            Ok(caller) => {
                self.log_allowed(Some(&caller), &[]);
                let lists = ListRules::for_stream(self, request, &caller);
                let forward = Forward::new(self, Some(caller), cors).with_lists(lists);
                let is_judged = self.authorizers.is_empty();
                Decision::Forward(if is_judged { forward } else { forward.without_body() })
            }
            Err(AuthError::MissingToken) if self.is_stream_of_nobody(request) => {
                Decision::Reply(not_allowed("POST").with_headers(cors))
            }
            Err(error) => Decision::Reply(self.refuse(error).with_headers(cors)),
        }
    }

    /// The same at once, for a caller whose token was accepted before; `None`: ask [`Self::check`].
    pub(super) fn check_seen(&self, request: &Parts) -> Option<Forward> {
        if !self.authorizers.is_empty() || self.reads_body(request) {
            return None;
        }
        let response_headers = self.allowed_origins.admit(request).ok()?;
        if request.method == Method::OPTIONS {
            return None;
        }
        let token = BearerToken::from_request(request, &self.verifier.token_headers).ok()?;
        let caller = self.verifier.verified_before(token)?;
        if !caller.scopes().contains_all(&self.required_scopes) {
            return None;
        }
        self.log_allowed(Some(&caller), &[]);
        Some(Forward::new(self, Some(caller), response_headers))
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
        let (checks, outcome) = self.verifier.explain(token).await;
        let caller = outcome.as_ref();
        let operations = self.named_operations.iter();
        TokenExplanation {
            resource: self.identifier.to_string(),
            accepted: caller.is_ok(),
            code: caller.map_or_else(AuthError::code, |_| "ok"),
            checks,
            required: self.required_scopes.clone(),
            granted: caller.map(|caller| caller.scopes().clone()).unwrap_or_default(),
            operations: operations.map(|operation| self.explain(caller, operation)).collect(),
        }
    }

    /// The caller behind a token that came another way than in a request.
    pub(crate) async fn verify_token(&self, token: &str) -> Result<AuthInfo, AuthError> {
        self.verifier.verify(BearerToken::new(token, TokenSource::Authorization)).await
    }

    pub(crate) fn verify_seen_token(&self, token: &str) -> Option<AuthInfo> {
        self.verifier.verified_before(BearerToken::new(token, TokenSource::Authorization))
    }

    /// Whether the token of this request is looked at only when it is known what is called: where some calls
    /// are open, and the body is so short that a stranger may send it.
    fn may_need_no_token(&self, request: &Parts) -> bool {
        let longest = self.bodies.max_anonymous_bytes.min(self.bodies.max_bytes);
        let is_short = announced_length(&request.headers).is_some_and(|length| length <= longest);
        if !is_short || !self.authorizers.allows_anonymous() || !self.reads_body(request) {
            return false;
        }
        let token = BearerToken::from_request(request, &self.verifier.token_headers);
        token.is_ok_and(|token| self.verifier.verified_before(token).is_none())
    }

    pub(super) async fn authenticate(&self, request: &Parts) -> Result<AuthInfo, AuthError> {
        let token = BearerToken::from_request(request, &self.verifier.token_headers)?;
        self.verifier.verify(token).await
    }

    /// Only POST carries messages, and only an answer that depends on them needs them.
    fn reads_body(&self, request: &Parts) -> bool {
        let depends =
            !self.authorizers.is_empty() || self.challenge_style == ChallengeStyle::ToolResult;
        request.method == Method::POST && depends
    }

    /// Whoever needs no token for some calls has no stream of their own: a session identifier is
    /// no authentication. Clients take a 405 for a server without streams.
    fn is_stream_of_nobody(&self, request: &Parts) -> bool {
        self.authorizers.allows_anonymous() && request.method != Method::POST
    }

    /// The RFC 9728 document, for whoever asks for it.
    pub(crate) fn metadata(&self, request: &Parts) -> Reply {
        self.public_document(request, Ok(self.document.clone()))
    }

    /// A document that needs no token; origins are checked all the same.
    pub(crate) fn public_document(
        &self,
        request: &Parts,
        document: Result<Bytes, AuthError>,
    ) -> Reply {
        let cors = match self.allowed_origins.admit(request) {
            Ok(cors) => cors,
            Err(forbidden) => return self.refuse(AuthError::Forbidden(forbidden)),
        };
        match (&request.method, document) {
            (&Method::OPTIONS, _) => preflight(request, cors, "GET, HEAD, OPTIONS"),
            (&Method::GET | &Method::HEAD, Ok(document)) => {
                let mut reply = Reply::json(StatusCode::OK, document).with_headers(cors);
                // A cache must not give a page the copy that was made for another caller.
                reply.headers.insert(VARY, HeaderValue::from_static("origin"));
                reply
                    .headers
                    .insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
                reply
            }
            (&Method::GET | &Method::HEAD, Err(error)) => self.refuse(error).with_headers(cors),
            _ => {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let mut reply =
                    Reply::error(status, "method_not_allowed", "use GET").with_headers(cors);
                reply
                    .headers
                    .insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
                reply
            }
        }
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

    pub(super) fn refuse(&self, error: AuthError) -> Reply {
        self.log_refused(&error, &[]);
        refuse(self, error, &self.required_scopes)
    }

    /// A body that cannot be judged, answered in the way of JSON-RPC.
    pub(super) fn refuse_message(&self, fault: MessageFault, id: Option<&str>) -> Reply {
        let error = AuthError::InvalidMessage(fault);
        self.log_refused(&error, &[]);
        let id = id.unwrap_or("null");
        let wrong = json!({ "code": fault.json_rpc_code(), "message": fault.description() });
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{wrong}}}"#);
        let mut reply = Reply::json(error.status(), Bytes::from(body));
        reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply.error = Some(error);
        reply
    }

    pub(super) fn log_allowed(&self, caller: Option<&AuthInfo>, operations: &[Operation<'_>]) {
        tracing::debug!(
            target: "mcp_auth::decision",
            code = "allowed",
            resource = %self.identifier,
            issuer = caller.map(AuthInfo::issuer),
            methods = ?first(operations),
            "request allowed"
        );
    }

    pub(super) fn log_refused(&self, error: &AuthError, operations: &[Operation<'_>]) {
        let (expected, actual) = error.compared();
        let operations = first(operations);
        let rules = operations.iter().flat_map(|operation| self.authorizers.rules(operation));
        tracing::info!(
            target: "mcp_auth::decision",
            code = error.code(),
            status = error.status().as_u16(),
            resource = %self.identifier,
            methods = ?operations,
            rules = ?rules.collect::<Vec<_>>(),
            expected,
            actual,
            "request refused"
        );
    }

    /// RFC 9728 §2.
    fn describe(&self, config: &ProtectedResource) -> Bytes {
        let issuers = self.verifier.issuers.list.iter().filter(|trusted| trusted.is_advertised);
        let issuers = issuers.map(|trusted| &*trusted.name);
        let supported = [&config.scopes_supported, &self.required_scopes];
        let supported = supported.into_iter().find(|scopes| !scopes.is_empty());
        let mut document = Map::new();
        document.insert("resource".to_owned(), json!(self.identifier.as_str()));
        document.insert("authorization_servers".to_owned(), issuers.collect());
        document.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        let members = [
            ("scopes_supported", supported.map(|scopes| self.advertised(scopes).iter().collect())),
            ("resource_name", config.resource_name.as_deref().map(Value::from)),
            ("resource_documentation", config.resource_documentation.as_deref().map(Value::from)),
        ];
        for (name, value) in members {
            document.extend(value.map(|value: Value| (name.to_owned(), value)));
        }
        Bytes::from(Value::Object(document).to_string())
    }
}

/// As many operations as are logged of a batch.
fn first<'o, 'm>(operations: &'o [Operation<'m>]) -> &'o [Operation<'m>] {
    const MOST: usize = 8;
    &operations[..operations.len().min(MOST)]
}

/// Under a policy nothing goes on of which nobody knows what it does.
fn is_known(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::POST, Method::DELETE].contains(method)
}

/// Whether a body comes, as far as the head tells: a method override behind us could make a POST of it,
/// whose call nobody has looked at. A length that is no zero announces one, also one that is no number.
fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0")
}

fn not_allowed(allowed: &'static str) -> Reply {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut reply = Reply::error(status, "method_not_allowed", "not with this method");
    reply.headers.insert(http::header::ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// The resource's own host, loopback for proxies and probes on this machine, and the listed ones.
fn allowed_hosts(resource: &ResourceIdentifier, listed: &[String]) -> Vec<String> {
    let loopback = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    [resource.host()].into_iter().chain(loopback).chain(listed.iter().cloned()).collect()
}
