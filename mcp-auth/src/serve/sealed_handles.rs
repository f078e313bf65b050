//! The handles besides sessions that a resource seals, each by a setting: identifiers of tasks, states of requests, and
//! identifiers of events.
//!
//! 1. What a server gives away goes to the client with a tag, and the server gets it back as it gave it. The way back is in
//!    [`handle_rules`](super::response).
//! 2. A body is rewritten by splicing: every byte but those of handles stays. What is judged is the body that the server
//!    will see.
//! 3. A handle that does not open is answered as servers answer one that they do not know, whether there is such a one or
//!    not. Nothing of the body goes on then.
//! 4. `Mcp-Name` repeats the name of a task, and is rewritten with it; `Last-Event-ID` names an event.
//!
//! Tested in `serve::sealed_handles`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::mcp_headers::{self, MCP_NAME};
use super::sessions::MCP_SESSION_ID;
use super::splice::Splice;
use super::{Forward, Resource};
use crate::auth_info::AuthInfo;
use crate::authorize::{Messages, Operation, WrittenHandle};
use crate::clock::Clock;
use crate::error::MessageFault;
use crate::handles::{HandleKind, HandleSealer, StateOf};
use crate::json::read_value;

/// Names the event after which a stream is taken up again (WHATWG HTML §9.2).
pub(super) static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What seals the handles of one resource, and which.
pub(crate) struct SealedHandles {
    pub(crate) sealer: HandleSealer,
    pub(crate) tasks: bool,
    /// For how long states of requests are good; `None`: they are not sealed.
    pub(crate) states: Option<Duration>,
    pub(crate) events: bool,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What a request names, as the server knows it: in place of what came.
#[derive(Clone, Default)]
pub(super) struct OpenedHandles {
    pub(super) body: Option<Bytes>,
    pub(super) task_name: Option<HeaderValue>,
    pub(super) last_event: Option<HeaderValue>,
}

impl SealedHandles {
    /// Whether a request's body could hold some.
    pub(super) fn are_in_bodies(&self) -> bool {
        self.tasks || self.states.is_some()
    }

    /// An identifier of the server's with its tag; `None`: it cannot be sealed, or is not to be.
    pub(super) fn seal_task(&self, sender: Option<&AuthInfo>, task: &str) -> Option<String> {
        self.sealer.seal(HandleKind::Task, sender, task).filter(|_| self.tasks)
    }

    /// A state of the server's with its end and its tag; `None` as before.
    pub(super) fn seal_state(
        &self,
        sender: Option<&AuthInfo>,
        of: StateOf<'_>,
        state: &str,
    ) -> Option<String> {
        let ends = self.clock.unix_seconds().saturating_add(self.states?.as_secs());
        self.sealer.seal_state(sender, of, ends, state)
    }

    /// An identifier of an event with its tag; `None` as before.
    pub(super) fn seal_event(
        &self,
        sender: Option<&AuthInfo>,
        session: Option<&HeaderValue>,
        event: &str,
    ) -> Option<String> {
        let named = session.map(HeaderValue::to_str).transpose().ok()?;
        self.sealer.seal_event(sender, named, event).filter(|_| self.events)
    }

    /// An identifier of an event as the server knows it; `None`: it was not given to the sender in this session.
    fn open_event(
        &self,
        sender: Option<&AuthInfo>,
        session: Option<&HeaderValue>,
        sealed: &HeaderValue,
    ) -> Option<HeaderValue> {
        let named = session.map(HeaderValue::to_str).transpose().ok()?;
        let event = self.sealer.open_event(sender, named, sealed.to_str().ok()?)?;
        HeaderValue::from_str(event).ok()
    }

    /// The body with its handles as the server knows them; `None`: there are none in it.
    ///
    /// # Errors
    /// One of them is not the sender's.
    pub(super) fn open_body<'b>(
        &self,
        sender: Option<&AuthInfo>,
        messages: &Messages<'b>,
        body: &'b [u8],
    ) -> Result<Option<Bytes>, MessageFault> {
        let mut splice = Splice::new(body);
        for handle in &messages.handles {
            match *handle {
                WrittenHandle::Task(written) if self.tasks => {
                    let sealed = text_of(written).ok_or(MessageFault::UnknownTask)?;
                    let opened = self.sealer.open(HandleKind::Task, sender, &sealed);
                    splice.replace(written, in_json(opened.ok_or(MessageFault::UnknownTask)?));
                }
                WrittenHandle::State { written, of } if self.states.is_some() => {
                    let sealed = text_of(written).ok_or(MessageFault::UnknownState)?;
                    let request = messages.operations.get(of);
                    let opened = request.and_then(|call| self.open_state(sender, call, &sealed));
                    splice.replace(written, in_json(opened.ok_or(MessageFault::UnknownState)?));
                }
                WrittenHandle::Task(_) | WrittenHandle::State { .. } => {}
            }
        }
        Ok(splice.finish().map(Bytes::from))
    }

    /// A state as the server knows it. The name of a task, to which it is bound, is still sealed here.
    fn open_state<'s>(
        &self,
        sender: Option<&AuthInfo>,
        call: &Operation<'_>,
        sealed: &'s str,
    ) -> Option<&'s str> {
        let name = match call.name() {
            Some(task) if self.tasks && call.is_about_task() => {
                Some(self.sealer.open(HandleKind::Task, sender, task)?)
            }
            other => other,
        };
        let of = StateOf { method: call.method(), name };
        self.sealer.open_state(sender, of, self.clock.unix_seconds(), sealed)
    }
}

/// The string that a JSON value is.
fn text_of(written: &str) -> Option<String> {
    match read_value(written) {
        Ok(serde_json::Value::String(text)) => Some(text),
        Ok(_) | Err(_) => None,
    }
}

/// A text as a JSON string.
pub(super) fn in_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Resource {
    /// Whether handles in bodies are sealed, so that every body is read.
    pub(super) fn seals_bodies(&self) -> bool {
        self.sealed_handles.as_ref().is_some_and(|sealed| sealed.are_in_bodies())
    }

    /// The body with its handles as the server knows them; `None`: nothing in it is sealed.
    ///
    /// # Errors
    /// One of them is not the sender's.
    pub(super) fn open_body<'b>(
        &self,
        sender: Option<&AuthInfo>,
        messages: &Messages<'b>,
        body: &'b [u8],
    ) -> Result<Option<Bytes>, MessageFault> {
        match &self.sealed_handles {
            Some(sealed) if !messages.handles.is_empty() => {
                sealed.open_body(sender, messages, body)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// `Mcp-Name` as the server knows it, where it repeats the name of a task; it was found to say what the body says.
    pub(super) fn open_task_name(
        &self,
        request: &HeaderMap,
        opened: &Messages<'_>,
    ) -> Option<HeaderValue> {
        let seals_tasks = self.sealed_handles.as_ref().is_some_and(|sealed| sealed.tasks);
        let call = opened.sent().last().filter(|call| seals_tasks && call.is_about_task())?;
        let name = call.name().filter(|_| request.contains_key(&MCP_NAME))?;
        Some(mcp_headers::encoded(name))
    }

    /// `Last-Event-ID` as the server knows it; `None`: none is there, or it stays as it is.
    ///
    /// It opens in the session in which it was given, or without one if there was none. Where identifiers of events are not
    /// sealed, nobody but the server knows whose stream one is of. So it is handed on with a session alone, of which it is
    /// known whose it is.
    ///
    /// # Errors
    /// It was not given to the sender in this session, or no session of theirs is named.
    pub(super) fn open_last_event(
        &self,
        sender: Option<&AuthInfo>,
        session: Option<&HeaderValue>,
        request: &HeaderMap,
    ) -> Result<Option<HeaderValue>, MessageFault> {
        let mut values = request.get_all(&LAST_EVENT_ID).iter();
        let Some(written) = values.next() else { return Ok(None) };
        let Some(sealed) = self.sealed_handles.as_ref().filter(|sealed| sealed.events) else {
            let is_bound = self.session_sealer.is_none() || session.is_some();
            return if is_bound { Ok(None) } else { Err(MessageFault::UnknownEvent) };
        };
        // Of several, somebody else might read another one.
        let is_only = values.next().is_none();
        let names_several = request.get_all(&MCP_SESSION_ID).iter().nth(1).is_some();
        if !is_only || names_several {
            return Err(MessageFault::UnknownEvent);
        }
        let named = self.session_of_events(session, request);
        let event = sealed.open_event(sender, named, written);
        event.map(Some).ok_or(MessageFault::UnknownEvent)
    }

    /// The session that a request names, to which the events in its answer belong. Where sessions are not bound, it is the
    /// one that the server reads.
    pub(super) fn session_of_events<'r>(
        &self,
        opened: Option<&'r HeaderValue>,
        request: &'r HeaderMap,
    ) -> Option<&'r HeaderValue> {
        match &self.session_sealer {
            Some(_) => opened,
            None => request.get(&MCP_SESSION_ID),
        }
    }
}

impl OpenedHandles {
    /// What is to be kept of them with the request; `None`: nothing.
    pub(super) fn boxed(self) -> Option<Box<Self>> {
        let is_empty = self.body.is_none() && self.task_name.is_none() && self.last_event.is_none();
        (!is_empty).then(|| Box::new(self))
    }

    /// What takes the place of headers that are there.
    fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let length = self.body.as_ref().map(|body| HeaderValue::from(body.len()));
        let all = [
            (CONTENT_LENGTH, length),
            (MCP_NAME.clone(), self.task_name.clone()),
            (LAST_EVENT_ID.clone(), self.last_event.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

impl Forward {
    /// The body that goes on in place of the one that came: its handles are those that the service gave. `None`: the body
    /// goes on as it came.
    pub fn body(&self) -> Option<&Bytes> {
        self.held.admitted().opened.as_ref()?.body.as_ref()
    }

    /// What [`Forward::prepare_request`] puts in the place of headers of the request, where it has one of the name,
    /// whatever it says: the session and what else it names as the service knows it, and the length of
    /// [another body](Self::body).
    pub fn replaced_headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let session = self.session_header().map(|(name, value)| (name.clone(), value.clone()));
        let opened = self.held.admitted().opened.as_deref();
        session.into_iter().chain(opened.into_iter().flat_map(OpenedHandles::headers))
    }

    /// Whether there are any.
    pub fn replaces_headers(&self) -> bool {
        self.session_header().is_some() || self.held.admitted().opened.is_some()
    }
}

/// Says nothing of keys.
impl fmt::Debug for SealedHandles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedHandles")
            .field("tasks", &self.tasks)
            .field("states", &self.states)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
