//! What the lists of a response may show to one caller.
//!
//! An item stays if the caller could call it, or needs only more scopes for it (not with `strict_lists`). The same rules
//! decide about calls: a list that showed less or more than what can be called would be a lie.
//!
//! Three more things are done while an answer is read:
//!
//! - A result that depends on the caller becomes `"cacheScope": "private"`, or a cache in between would show one caller's
//!   list to the next.
//! - What the answer teaches about later requests is learnt ([`Lesson`]).
//! - An answer in which nothing of this can be is not read any further: names of members are looked for in its bytes first.
//!
//! Tested in `authorize::policy::lists` and `authorize::policy::matrix`.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use super::event_stream::SealId;
use super::handle_rules::HandleRules;
use super::lesson::Lesson;
use super::list_filter::{Fault, ListKind, Privacy, PrivateRule, Rules, rewrite};
use super::list_trace::{SoughtNames, has_trace, may_have_member};
use crate::auth_info::AuthInfo;
use crate::authorize::{Authorizers, Messages, Operation};
use crate::config::Access;
use crate::serve::exchange::{Admitted, Exchange};
use crate::serve::mcp_headers;
use crate::serve::sessions::MCP_SESSION_ID;

/// The policy of a resource, applied to the lists in a response.
///
/// Lists of every kind are filtered in every response: a server that keeps sessions may answer one request on
/// the stream of another.
pub(in crate::serve) struct ListRules {
    exchange: Arc<Exchange>,
    /// Whether it is the sender's; else it is anybody's.
    is_of_sender: bool,
    /// Whether the request asks for a list: then what is not understood is withheld as a whole.
    pub(super) is_asked: bool,
    privacy: Privacy,
    /// What the answer teaches.
    lesson: Option<Lesson>,
    /// Which handles are sealed, if any are.
    handles: Option<Arc<HandleRules>>,
    /// The session to which its events belong, as the server knows it.
    session: Option<HeaderValue>,
}

/// How the messages were admitted to which an answer comes.
pub(in crate::serve) struct Answered {
    /// The strictest access of all that was judged.
    pub(in crate::serve) access: Access,
    /// Whether they were admitted as their sender's; else as anybody's.
    pub(in crate::serve) is_of_sender: bool,
}

/// Names of members for whose sake an answer is read, in small letters: lists, how long a result may be kept and by whom,
/// tasks, and what serde takes for JSON within a string.
static READ_FOR: SoughtNames = SoughtNames::of(&[
    "tools",
    "prompts",
    "resource",
    "cachescope",
    "ttlms",
    "taskid",
    "$serde_json::private",
]);

impl ListRules {
    /// For the answer to these messages; `None` without a policy and handles that are sealed.
    pub(in crate::serve) fn for_answer(
        exchange: &Arc<Exchange>,
        request: &Parts,
        messages: &Messages<'_>,
        answered: Answered,
    ) -> Option<Self> {
        let resource = &exchange.admitted.resource;
        let sent = messages.sent();
        let others = match sent {
            // Who may read it is decided by nobody, and what is read depends on no caller.
            _ if answered.access == Access::Public => PrivateRule::Never,
            [one] if is_cacheable(one) && mcp_headers::has_cache_scope(&request.headers) => {
                PrivateRule::Always
            }
            _ => PrivateRule::IfCacheable,
        };
        let mut methods = sent.iter().map(Operation::method);
        let is_list = methods.any(|method| ListKind::from_method(method).is_some());
        let handles =
            HandleRules::for_answer(resource, messages, exchange.admitted.sender.as_ref());
        let rules = Self::new(exchange, request, others, answered.is_of_sender, handles)?;
        let lesson = Lesson::of_answer(resource, messages, &exchange.called);
        Some(Self { is_asked: is_list && resource.has_rules(), lesson, ..rules })
    }

    /// For a stream that may repeat answers given elsewhere.
    pub(in crate::serve) fn for_stream(exchange: &Arc<Exchange>, request: &Parts) -> Option<Self> {
        // RFC 9110 §9.3.2: nothing of the body is sent, and the headers are those of another response.
        if request.method == Method::HEAD {
            return None;
        }
        let handles =
            HandleRules::for_stream(&exchange.admitted.resource, exchange.admitted.sender.as_ref());
        Self::new(exchange, request, PrivateRule::IfCacheable, true, handles)
    }

    /// For a response of this resource; `None` as before.
    fn new(
        exchange: &Arc<Exchange>,
        request: &Parts,
        others: PrivateRule,
        is_of_sender: bool,
        handles: Option<HandleRules>,
    ) -> Option<Self> {
        if !exchange.admitted.resource.has_rules() && handles.is_none() {
            return None;
        }
        let lists = match mcp_headers::has_cache_scope(&request.headers) {
            true => PrivateRule::Always,
            false => PrivateRule::IfCacheable,
        };
        let Admitted { resource, session, .. } = &exchange.admitted;
        let named = resource.session_of_events(session.as_ref(), &request.headers);
        Some(Self {
            session: named.cloned(),
            exchange: exchange.clone(),
            is_of_sender,
            is_asked: false,
            privacy: Privacy { lists, others },
            lesson: None,
            handles: handles.map(Arc::new),
        })
    }

    /// Looks for the session in the headers of the response, as the service gave them: the one that begins with it, or goes
    /// on, is the one to which its events belong.
    pub(super) fn note_session(&mut self, response: &HeaderMap) {
        if let Some(given) = response.get(&MCP_SESSION_ID) {
            self.session = Some(given.clone());
        }
    }

    /// What seals the identifiers of events, if anything does.
    pub(super) fn event_sealer(&self) -> Option<SealId> {
        let handles = self.handles.clone().filter(|handles| handles.seals_events())?;
        let session = self.session.clone();
        Some(Box::new(move |event| handles.seal_event(session.as_ref(), event)))
    }

    /// The same for the data of an event, which need not be a message: some are only a sign of life. A stream goes on under
    /// the rules that are in force now, whatever it began under.
    pub(super) fn apply_to_event(&self, data: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if matches!(data.trim_ascii_start().first(), Some(b'{' | b'[')) {
            if self.exchange.admitted.resource.is_in_force() {
                return self.apply(data);
            }
            let standing = self.exchange.standing().ok_or(Fault::NotAdmitted)?;
            return self.apply_by(&standing.resource.authorizers, standing.sender.as_ref(), data);
        }
        // A list is written with braces, whatever stands before them.
        let has_list =
            self.is_asked || (self.exchange.admitted.resource.has_rules() && has_trace(data));
        match data.contains(&b'{') && (has_list || self.has_handle(data)) {
            true => Err(Fault::NotAMessage),
            false => Ok(None),
        }
    }

    /// The document with what the caller may see; `None` when nothing needs to change.
    pub(super) fn apply(&self, document: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let Admitted { resource, sender, .. } = &self.exchange.admitted;
        self.apply_by(&resource.authorizers, sender.as_ref(), document)
    }

    /// The same by these rules.
    fn apply_by(
        &self,
        authorizers: &Authorizers,
        sender: Option<&AuthInfo>,
        document: &[u8],
    ) -> Result<Option<Vec<u8>>, Fault> {
        let has_rules = !authorizers.is_empty();
        let has_handle = self.has_handle(document);
        let is_private = self.privacy.others == PrivateRule::Always;
        let is_read =
            self.is_asked || (has_rules && (is_private || may_have_member(document, &READ_FOR)));
        if !is_read && !has_handle {
            return Ok(None);
        }
        let caller = sender.filter(|_| self.is_of_sender);
        let rewritten = rewrite(
            document,
            Rules {
                is_asked: self.is_asked,
                filters_lists: has_rules,
                keep: &|kind, name| authorizers.lists(caller, &item(kind, name)),
                privacy: self.privacy,
                handles: self.handles.as_deref().filter(|_| has_handle),
            },
        );
        let changed = match rewritten {
            // What is no message is no result that a client keeps.
            Err(Fault::NotAMessage) if !self.is_asked && !has_handle && !has_trace(document) => {
                None
            }
            other => other?,
        };
        if let Some(lesson) = &self.lesson {
            lesson.learn(document, &self.exchange.admitted.resource, self.owner());
        }
        Ok(changed)
    }

    /// Whether a document could hold a handle that is sealed.
    fn has_handle(&self, document: &[u8]) -> bool {
        self.handles.as_ref().is_some_and(|handles| handles.may_be_in(document))
    }

    /// Whose the tasks are that are made: where their identifiers are sealed, of whoever that is for.
    fn owner(&self) -> Option<&AuthInfo> {
        match &self.handles {
            Some(handles) => handles.sender(),
            None => self.exchange.admitted.sender.as_ref().filter(|_| self.is_of_sender),
        }
    }
}

/// What an item of a list would call.
fn item(kind: ListKind, name: &str) -> Operation<'_> {
    match kind {
        ListKind::Tools => Operation::tool(name),
        ListKind::Prompts => Operation::prompt(name),
        ListKind::Resources => Operation::resource(name),
        ListKind::ResourceTemplates => Operation::template(name),
    }
}

/// Whether the results of this method say how long they may be kept; those of lists do too (MCP 2026-07-28, "Caching").
fn is_cacheable(operation: &Operation<'_>) -> bool {
    matches!(operation.method(), "resources/read" | "server/discover")
}

impl fmt::Debug for ListRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRules").field("is_asked", &self.is_asked).finish_non_exhaustive()
    }
}
