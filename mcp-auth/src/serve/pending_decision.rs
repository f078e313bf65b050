//! A decision that depends on the body of the request.
//!
//! What is judged, in this order, and the first refusal is the answer:
//!
//! 1. The label: the service behind must be able to read the body only as it is read here (JSON, UTF-8, not compressed).
//! 2. The form: a message, or a batch where the revision has them, that all readers understand in the same way.
//! 3. The `Mcp-*` headers, which must say what the body says: a proxy may have decided by them.
//! 4. The caller and the rules, for every message of the body. One that may not go on refuses the whole body.
//! 5. Tasks: whoever asks about one must be the one who made it.
//! 6. The `Mcp-Param-*` headers. After the rules, so that a refused caller learns nothing of a tool's arguments.
//! 7. The session, which must be the caller's.
//!
//! Where handles in bodies are sealed, the sender is looked at first, and what is judged from then on is the body in which
//! the server will find its own handles. One that does not open is refused after the caller and the rules.
//!
//! Tested in `authorize::policy` and `serve::request_bodies`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::exchange::{Admitted, Called, Exchange, Held};
use super::notice_request::PendingNotice;
use super::response::{Answered, ListRules, is_encoded};
use super::sealed_handles::OpenedHandles;
use super::{Decision, Forward, Reply, Resource, challenge, mcp_headers};
use crate::auth_info::AuthInfo;
use crate::authorize::{Admission, Messages, Operation, OperationKind};
use crate::config::{Access, ChallengeStyle};
use crate::error::{AuthError, MessageFault};
use crate::limits::Sender;
use crate::scope::Scopes;

/// A request whose head was looked at, and whose body was not: what it calls decides.
///
/// 1. Read the body, [`PendingDecision::max_bytes`] at most and no longer than [`PendingDecision::timeout`].
/// 2. If it is longer, answer [`PendingDecision::too_large`]; if it comes too late, [`PendingDecision::timed_out`].
/// 3. Else ask [`PendingDecision::decide`], and hand the same bytes on, or those of [`Forward::body`] where it has some: the
///    service must see what was judged.
///
/// [`Decision`] has an example.
pub struct PendingDecision(Waiting);

/// What waits for a body.
enum Waiting {
    /// A call.
    Call(Box<PendingCall>),
    /// What an issuer tells.
    Notice(PendingNotice),
}

impl PendingDecision {
    pub(super) fn of_notice(pending: PendingNotice) -> Self {
        Self(Waiting::Notice(pending))
    }

    /// How long a body may be, in bytes: less for a caller without a good token.
    pub fn max_bytes(&self) -> usize {
        match &self.0 {
            Waiting::Call(call) => call.max_bytes(),
            Waiting::Notice(notice) => notice.max_bytes(),
        }
    }

    /// How long the body may take, from the head of the request on.
    pub fn timeout(&self) -> Duration {
        match &self.0 {
            Waiting::Call(call) => call.timeout(),
            Waiting::Notice(notice) => notice.timeout(),
        }
    }

    /// The answer to a body that is longer. A caller without a good token is told of that first.
    pub fn too_large(self) -> Reply {
        match self.0 {
            Waiting::Call(call) => call.too_large(),
            Waiting::Notice(notice) => notice.too_large(),
        }
    }

    /// The answer to a body that did not come in time; the connection is of no use any more.
    pub fn timed_out(self) -> Reply {
        let mut reply = match self.0 {
            Waiting::Call(call) => call.refuse(MessageFault::Timeout),
            Waiting::Notice(notice) => notice.timed_out(),
        };
        reply.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        reply
    }

    /// The answer where something in the application has read the body before, so that nobody can look at it. To the client
    /// it is a body that is no JSON; the log says what to mend.
    pub fn already_read(self) -> Reply {
        match self.0 {
            Waiting::Call(call) => call.already_read(),
            Waiting::Notice(notice) => notice.already_read(),
        }
    }

    /// Decides, by what the body asks for; never [`Decision::ReadBody`] again.
    ///
    /// It has to wait only where a token needs keys or an answer of its issuer, and where what is called is
    /// not public.
    pub async fn decide(self, request: &Parts, body: &[u8]) -> Decision {
        match self.0 {
            Waiting::Call(call) => match call.decide_at_once(request, body) {
                Ok(decision) => decision,
                // In a box, and the other too: few futures need so much memory.
                Err(waiting) => Box::pin(waiting.decide_in_time(request, body)).await,
            },
            Waiting::Notice(notice) => Box::pin(notice.decide(request, body)).await,
        }
    }
}

/// A call to a resource, whose head was looked at.
pub(super) struct PendingCall {
    resource: Arc<Resource>,
    caller: Caller,
    /// Who is refused when the body is too long, as far as a limit asks for it.
    sender: Option<Sender>,
    cors: HeaderMap,
}

/// Who is calling, before it is known what is called.
pub(super) enum Caller {
    /// Somebody, or why that is not known, which some operations may not mind.
    Known(Result<AuthInfo, AuthError>),
    /// A token came, at which nobody has looked yet: what is called may be public.
    Unchecked,
}

impl PendingCall {
    /// Asks for the body, unless it says itself that it is too long.
    pub(super) fn begin(
        resource: Arc<Resource>,
        caller: Caller,
        cors: HeaderMap,
        request: &Parts,
    ) -> Decision {
        let sender = match &caller {
            Caller::Known(Err(_)) => resource.sender(request),
            Caller::Known(Ok(_)) | Caller::Unchecked => None,
        };
        let pending = Self { resource, caller, sender, cors };
        if !is_utf8_json(&request.headers) {
            return Decision::Reply(pending.refuse(MessageFault::UnsupportedMediaType));
        }
        if announced_length(&request.headers).is_some_and(|length| length > pending.max_bytes()) {
            return Decision::Reply(pending.too_large());
        }
        Decision::ReadBody(PendingDecision(Waiting::Call(Box::new(pending))))
    }

    fn max_bytes(&self) -> usize {
        let bodies = &self.resource.bodies;
        match self.caller {
            Caller::Known(Ok(_)) => bodies.max_bytes,
            Caller::Known(Err(_)) | Caller::Unchecked => {
                bodies.max_bytes.min(bodies.max_anonymous_bytes)
            }
        }
    }

    fn timeout(&self) -> Duration {
        self.resource.bodies.timeout
    }

    fn too_large(self) -> Reply {
        match self.caller {
            Caller::Known(Err(error)) => {
                let told = match &self.sender {
                    Some(sender) => self.resource.limited_for(error, sender, None),
                    None => error,
                };
                self.resource.refuse(told).with_headers(self.cors)
            }
            // It is longer than its head said, if nobody has looked at the token.
            Caller::Known(Ok(_)) | Caller::Unchecked => self.refuse(MessageFault::TooLarge),
        }
    }

    fn already_read(self) -> Reply {
        tracing::warn!(
            resource = %self.resource.identifier,
            "something before mcp-auth has read the body of a request: let mcp-auth come before it, or let it leave what it read where handlers find it"
        );
        self.refuse(MessageFault::NotJson)
    }

    fn refuse(self, fault: MessageFault) -> Reply {
        self.resource.refuse_message(fault, None).with_headers(self.cors)
    }

    /// Decides about nearly every call: it is known who sent it, or why nobody is.
    ///
    /// # Errors
    /// It has to be looked at the token, or at the request again.
    fn decide_at_once(
        self: Box<Self>,
        request: &Parts,
        body: &[u8],
    ) -> Result<Decision, Box<Self>> {
        if matches!(self.caller, Caller::Unchecked) || !self.resource.is_in_force() {
            return Err(self);
        }
        let Self { resource, caller, cors, .. } = *self;
        Ok(decide_by(&resource, caller.if_known(), cors, request, body))
    }

    async fn decide_in_time(self: Box<Self>, request: &Parts, body: &[u8]) -> Decision {
        if self.resource.is_in_force() {
            return self.decide_about_sender(request, body).await;
        }
        // The configuration was replaced while the body came.
        let Some(resource) = self.resource.in_force() else {
            return Decision::Reply(Reply::not_found());
        };
        match resource.decide(request).await {
            Decision::ReadBody(PendingDecision(Waiting::Call(anew))) => {
                if body.len() > anew.max_bytes() {
                    return Decision::Reply(anew.too_large());
                }
                anew.decide_about_sender(request, body).await
            }
            decided => decided,
        }
    }

    async fn decide_about_sender(self: Box<Self>, request: &Parts, body: &[u8]) -> Decision {
        let Self { resource, caller, cors, .. } = *self;
        let known = match caller {
            Caller::Unchecked if needs_caller(&resource, request, body) => {
                resource.authenticate(request).await
            }
            other => other.if_known(),
        };
        decide_by(&resource, known, cors, request, body)
    }
}

impl Caller {
    fn if_known(self) -> Result<AuthInfo, AuthError> {
        match self {
            Self::Known(known) => known,
            Self::Unchecked => Err(AuthError::MissingToken),
        }
    }
}

/// Decides by the body about this caller.
fn decide_by(
    resource: &Arc<Resource>,
    caller: Result<AuthInfo, AuthError>,
    cors: HeaderMap,
    request: &Parts,
    body: &[u8],
) -> Decision {
    match judge(resource, caller, request, body) {
        Ok(mut forward) => {
            forward.response_headers = cors;
            Decision::Forward(forward)
        }
        Err(reply) => Decision::Reply(reply.with_headers(cors)),
    }
}

/// Whether a token that nobody has looked at is to be looked at. Not where the body is refused in any case, nor where what
/// it calls is public.
fn needs_caller(resource: &Resource, request: &Parts, body: &[u8]) -> bool {
    let Ok(mut messages) = Messages::parse(body) else { return false };
    if mcp_headers::check(&request.headers, &messages).is_err() {
        return false;
    }
    // It is to be known whose the handles are.
    if resource.seals_bodies() {
        return true;
    }
    let tasks = resource.known_tasks.named(&messages.tasks);
    messages.judge_besides(tasks.calls());
    resource.authorizers.access(&messages.operations) != Access::Public
        || tasks.are_owned()
        || resource.needs_session_owner(request, &messages)
}

/// What is judged of a body, from its form on, in the order that the module's documentation says.
///
/// # Errors
/// The answer to a body that goes no further.
// Not inlined: the future of every decision would be larger by what is only held here.
#[inline(never)]
#[expect(
    clippy::result_large_err,
    reason = "it is matched where it is called, and goes no further"
)]
fn judge(
    resource: &Arc<Resource>,
    authenticated: Result<AuthInfo, AuthError>,
    request: &Parts,
    body: &[u8],
) -> Result<Forward, Reply> {
    let headers = &request.headers;
    let sender = authenticated.as_ref().ok();
    let mut messages =
        Messages::parse(body).map_err(|fault| resource.refuse_message(fault, None))?;
    mcp_headers::check(headers, &messages)
        .map_err(|fault| resource.refuse_message(fault, messages.id))?;
    let (opened, unopened) = match resource.open_body(sender, &messages, body) {
        Ok(opened) => (opened, None),
        Err(fault) => (None, Some(fault)),
    };
    if let Some(as_server_sees_it) = &opened {
        messages = Messages::parse(as_server_sees_it)
            .map_err(|fault| resource.refuse_message(fault, None))?;
    }
    if unopened.is_some() {
        // Nothing is said of a task that may be another caller's.
        messages.tasks.clear();
    }
    // A request about a task needs what the call needed that made it.
    let tasks = resource.known_tasks.named(&messages.tasks);
    messages.judge_besides(tasks.calls());
    let admitted = resource.authorizers.admit(authenticated.as_ref(), &messages.operations);
    let Admission { access, caller } = admitted
        .and_then(|admission| {
            tasks.check(sender, resource.known_tasks_only)?;
            Ok(admission)
        })
        .map_err(|refused| refuse(resource, refused, request, sender, &messages))?;
    if let Some(fault) = unopened {
        // The `id` of an answer is that of a request of the server's.
        let id = messages.id.filter(|_| !messages.sent().iter().any(Operation::is_nothing));
        return Err(resource.refuse_message(fault, id));
    }
    // After the rules: whoever may not call a tool learns nothing of its arguments.
    mcp_headers::check_arguments(headers, &messages, &resource.mirrored_arguments)
        .map_err(|fault| resource.refuse_message(fault, messages.id))?;
    let (session, last_event) = resource
        .open_session_and_event(sender, headers)
        .map_err(|fault| resource.refuse_message(fault, messages.id))?;
    resource.log_allowed(caller, messages.sent());
    let called = what_is_called(resource, sender, &messages);
    let task_name = resource.open_task_name(headers, &messages);
    let handles = OpenedHandles { body: opened.clone(), task_name, last_event }.boxed();
    let held =
        Admitted { resource: resource.clone(), sender: sender.cloned(), session, opened: handles };
    let exchange = Exchange::new(held, called);
    let answered = Answered { access, is_of_sender: caller.is_some() };
    let lists = ListRules::for_answer(&exchange, request, &messages, answered);
    let forward = Forward::new(Held::Shared(exchange), caller.cloned(), HeaderMap::new());
    Ok(forward.with_lists(lists).with_step_up(may_step_up(&messages)))
}

/// What the messages call, in a form that outlives them.
fn what_is_called(
    resource: &Resource,
    sender: Option<&AuthInfo>,
    messages: &Messages<'_>,
) -> Called {
    if let [only] = &*messages.operations {
        return Called::One(Arc::new(only.whole_copy()));
    }
    let all = &messages.operations;
    let nothing = Scopes::default();
    Called::Several {
        all: all.iter().map(Operation::whole_copy).collect(),
        sent: messages.sent().len(),
        needed: resource.needed(all, sender.map_or(&nothing, AuthInfo::scopes)),
    }
}

/// What `Content-Length` says. What is no number is left to the server, which has read the head already, and
/// the body is counted as it comes.
pub(crate) fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the service behind can only read the body as we do: JSON, in UTF-8 and not compressed.
fn is_utf8_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return !is_encoded(headers) };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|text| text.eq_ignore_ascii_case("application/json"));
    let is_only = headers.get_all(CONTENT_TYPE).iter().count() == 1;
    is_json && is_only && parts.all(allows_utf8) && !is_encoded(headers)
}

/// Whether a parameter of a content type names no other charset than UTF-8.
pub(super) fn allows_utf8(parameter: &str) -> bool {
    let Some((name, written)) = parameter.split_once('=') else { return parameter.is_empty() };
    let value = written.trim().trim_matches('"');
    match name.trim().to_ascii_lowercase().strip_prefix("charset") {
        Some("") => ["utf-8", "utf8"].iter().any(|one| value.eq_ignore_ascii_case(one)),
        // RFC 2231: another way to write a charset, or a part of one.
        Some(_) => false,
        None => true,
    }
}

/// Whether a handler is called that may ask for more scopes.
fn may_step_up(messages: &Messages<'_>) -> bool {
    messages.sent().iter().any(|operation| operation.kind() != OperationKind::Other)
}

/// The answer to a caller who may not do what the body asks for, and its event.
#[cold]
fn refuse(
    resource: &Resource,
    refused: AuthError,
    request: &Parts,
    sender: Option<&AuthInfo>,
    messages: &Messages<'_>,
) -> Reply {
    let error = resource.limited(refused, request, sender);
    let nothing = Scopes::default();
    let needed = match &error {
        AuthError::InvalidToken(_) | AuthError::MissingToken => {
            let granted = sender.map_or(&nothing, AuthInfo::scopes);
            resource.needed(&messages.operations, granted)
        }
        // It says itself what is missing, or asks for no scope.
        _ => Scopes::default(),
    };
    resource.log_refused(&error, messages.sent());
    as_tool_result(resource, &error, &needed, messages)
        .unwrap_or_else(|| challenge::refuse(resource, error, &needed))
}

/// The refusal of a tool call in the form that ChatGPT acts on.
fn as_tool_result(
    resource: &Resource,
    error: &AuthError,
    needed: &Scopes,
    messages: &Messages<'_>,
) -> Option<Reply> {
    let is_tool_call = messages.sent().iter().any(|one| one.kind() == OperationKind::Tool);
    if resource.challenge_style != ChallengeStyle::ToolResult || !is_tool_call {
        return None;
    }
    let id = messages.id?;
    let challenge = challenge::challenge(resource, error, needed)?;
    let result = json!({
        "content": [{ "type": "text", "text": error.wire().description }],
        "isError": true,
        "_meta": { "mcp/www_authenticate": [challenge.to_str().ok()?] },
    });
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    let mut reply = Reply::json(StatusCode::OK, Bytes::from(body));
    reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.error = Some(error.clone());
    Some(reply)
}

/// Says nothing of the caller.
impl fmt::Debug for PendingDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = match &self.0 {
            Waiting::Call(call) => Some(&call.resource),
            Waiting::Notice(_) => None,
        };
        f.debug_struct("PendingDecision").field("resource", &resource).finish_non_exhaustive()
    }
}
