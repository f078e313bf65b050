//! What is done with a service's response, piece by piece: one machine without IO, for every adapter.
//!
//! Its states, in the order in which a body takes it through them:
//!
//! ```text
//! Start ──────── first bytes tell the kind ──┬─ JSON ───────── Document   held whole, then filtered
//!                                            ├─ events ─┬───── Waiting    until the first event, if a handler may
//!                                            │          │                 still ask for more scopes
//!                                            │          └───── Events     filtered event by event
//!                                            └─ neither ┬───── Passing    goes on, while no list shows in it
//!                                                       └───── Words      an error's text, where a list was asked for
//! Transparent    there are no lists to filter               Unreadable    encoded, or in another charset: withheld
//! ```
//!
//! Whatever state it is in:
//!
//! 1. While nothing was sent, the whole response may be replaced: by the challenge of a handler that asks for more scopes,
//!    or by an error where lists cannot be filtered.
//! 2. After that it is too late for the first, and the second cuts the response off, without the piece that was wrong.
//! 3. Memory is bounded: a document is held up to [`MAX_DOCUMENT_BYTES`], text up to [`MAX_WORDS`].
//! 4. The label of a body is not believed. A list that is labelled as plain text is a list.
//!
//! Tested in `authorize::policy::any_answer` and `authorize::policy::lists`.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

use super::ListRules;
use super::body_kind::{BodyKind, BodyStart, carries_nothing, unreadable};
use super::event_stream::Beginning;
use super::filtered_events::FilteredEvents;
use super::list_trace::ListTrace;
use crate::serve::exchange::Exchange;
use crate::serve::{Forward, HeldBytes, Reply};

/// A longer document is not sent, where a list is asked for or shows in it.
const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// A longer text that is no message is not sent, where a list is asked for.
const MAX_WORDS: usize = 64 * 1024;

/// Changes one response as the policy asks; made by [`Forward::respond`].
///
/// Give it every piece of the body with [`ResponseFilter::push`], and then its end with
/// [`ResponseFilter::end`]. While it says [`Passage::Hold`], nothing is sent, the status and headers not either: the
/// whole response may still be replaced. Whoever sends the pieces themselves, and not what it says, shows a caller
/// what the policy forbids. [`Decision`](crate::decision::Decision) has an example.
pub struct ResponseFilter {
    state: State,
    status: StatusCode,
    /// Whether it is labelled as an event stream.
    is_stream: bool,
    /// Whether its handler may ask for more scopes until the first event of a stream.
    may_wait: bool,
    /// Where a handler's refusal is found.
    step_up: Option<Arc<Exchange>>,
    /// Whether something was sent: from then on a refusal comes too late.
    has_begun: bool,
    response_headers: HeaderMap,
}

enum State {
    /// Everything goes on as it is.
    Transparent,
    /// It cannot be read, for this reason.
    Unreadable(&'static str),
    /// Nothing has come yet that tells what the body is.
    Start {
        start: BodyStart,
        lists: Box<ListRules>,
    },
    /// The start of a stream waits for its first event; then its lists are filtered, if there are any.
    Waiting {
        held: HeldBytes,
        beginning: Beginning,
        lists: Option<Box<ListRules>>,
    },
    Events(FilteredEvents),
    /// A document that is filtered as a whole.
    Document {
        held: HeldBytes,
        lists: Box<ListRules>,
    },
    /// The rest of a document that is too long for that, or of no message at all; nothing of it could be a
    /// list yet.
    Passing(ListTrace),
    /// Words in place of a list, with the status of an error.
    Words(HeldBytes),
    /// The answer was replaced, or has ended.
    Over,
}

/// Headers that are computed of the body as the service made it: of a filtered one they are not true, and they would
/// tell callers who see less whether the rest has changed.
const OF_THE_WHOLE_BODY: &[&str] = &[
    "etag",
    "content-md5",
    "digest",
    "content-digest",
    "repr-digest",
    "last-modified",
    "accept-ranges",
];

fn remove_headers_of_the_whole_body(headers: &mut HeaderMap) {
    // Few responses have one, and to look each of them up costs more.
    if !headers.keys().any(|name| OF_THE_WHOLE_BODY.contains(&name.as_str())) {
        return;
    }
    for name in OF_THE_WHOLE_BODY {
        headers.remove(*name);
    }
}

/// What to do with a piece of a response, or with its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum Passage {
    /// Send nothing yet.
    Hold,
    /// Send this; before the first of it, the status and headers.
    Send(Bytes),
    /// Nothing was sent: send this instead, and nothing more of the service's response.
    Replace(Box<Reply>),
    /// End the response here, as one that broke off.
    CutOff,
}

impl State {
    fn waiting(lists: Option<Box<ListRules>>) -> Self {
        Self::Waiting { held: HeldBytes::default(), beginning: Beginning::default(), lists }
    }
}

impl ResponseFilter {
    /// For a response whose headers already have what [`Forward`] adds to them.
    pub(super) fn new(
        mut forward: Forward,
        status: StatusCode,
        headers: &mut HeaderMap,
        is_stream: bool,
    ) -> Self {
        let may_wait = forward.may_wait && forward.looks_for_refusal;
        let state = match forward.lists.take() {
            None if is_stream && may_wait => State::waiting(None),
            None => State::Transparent,
            Some(lists) => match unreadable(status, headers) {
                Some(reason) => State::Unreadable(reason),
                None => State::Start { start: BodyStart::default(), lists },
            },
        };
        let is_empty = headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0");
        if !(matches!(state, State::Transparent) || is_empty || carries_nothing(status)) {
            headers.remove(CONTENT_LENGTH);
        }
        if matches!(state, State::Start { .. } | State::Unreadable(_)) {
            remove_headers_of_the_whole_body(headers);
        }
        let step_up = forward.looks_for_refusal.then(|| forward.held.shared());
        let response_headers = forward.response_headers;
        Self { state, status, is_stream, may_wait, step_up, has_begun: false, response_headers }
    }

    /// Whether the response goes on as it is: then it need not be shown here.
    pub fn is_transparent(&self) -> bool {
        // Once something was sent, a refusal comes too late.
        matches!(self.state, State::Transparent) && (self.has_begun || !self.is_refused())
    }

    /// Begins at once, where that is possible: then status and headers are to be sent without waiting for
    /// the first piece of the body.
    pub fn begin_at_once(&mut self) -> bool {
        // A filtered stream that nobody can ask for more scopes in; what fails later breaks it off.
        let is_filtered = matches!(self.state, State::Start { .. });
        self.has_begun |= is_filtered && self.is_stream && !self.may_wait && !self.is_refused();
        self.has_begun
    }

    /// Whether the handler has asked for more scopes.
    fn is_refused(&self) -> bool {
        self.step_up.as_ref().is_some_and(|step_up| step_up.is_refused())
    }

    /// Takes a piece of the body.
    pub fn push(&mut self, chunk: &[u8]) -> Passage {
        self.push_bytes(Bytes::copy_from_slice(chunk))
    }

    /// The same of a piece that need not be copied.
    pub(super) fn push_bytes(&mut self, chunk: Bytes) -> Passage {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        if chunk.is_empty() {
            // Nothing of the body: the response may still be replaced.
            return Passage::Hold;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Transparent => {
                self.state = State::Transparent;
                self.send(chunk)
            }
            State::Unreadable(reason) => self.withhold(reason),
            // What is labelled as a stream is read as one by its first bytes already: there may be no more
            // of them for long.
            State::Start { lists, .. }
                if self.is_stream && !matches!(*chunk, [b'{' | b'[', ..]) =>
            {
                self.begin(BodyKind::Events, chunk, lists)
            }
            State::Start { mut start, lists } => match start.push(chunk) {
                Some(kind) => self.begin(kind, start.held.into_bytes(), lists),
                None => {
                    self.state = State::Start { start, lists };
                    Passage::Hold
                }
            },
            State::Waiting { held, beginning, lists } => self.wait(held, beginning, lists, chunk),
            State::Events(events) => self.filter(events, chunk),
            State::Document { held, lists } => self.hold(held, lists, chunk),
            State::Passing(trace) => self.pass_on(trace, chunk),
            State::Words(held) => self.hold_words(held, chunk),
            State::Over => Passage::CutOff,
        }
    }

    /// Takes the end of the body; what it says to send is the last.
    pub fn end(&mut self) -> Passage {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        let had_begun = self.has_begun;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start { start, lists } => match start.whole() {
                // It holds nothing.
                None => self.send(start.held.into_bytes()),
                Some(kind) => match self.begin(kind, start.held.into_bytes(), lists) {
                    Passage::Hold => self.end(),
                    begun => self.and_end(begun, had_begun),
                },
            },
            State::Waiting { held, lists, .. } => {
                let begun = self.begin_waiting(held.into_bytes(), lists);
                self.and_end(begun, had_begun)
            }
            State::Transparent | State::Passing(_) => self.send(Bytes::new()),
            State::Events(events) => self.finish(events),
            State::Document { held, lists } => match lists.apply(held.as_slice()) {
                Ok(changed) => self.send(changed.map_or_else(|| held.into_bytes(), Bytes::from)),
                Err(fault) => self.withhold(&fault.to_string()),
            },
            State::Words(held) if is_words(held.as_slice()) => self.send(held.into_bytes()),
            State::Words(_) => self.withhold("it is no message and no event stream"),
            State::Unreadable(reason) => self.withhold(reason),
            State::Over => Passage::CutOff,
        }
    }

    /// What was begun at the end of the body, with what is left there.
    fn and_end(&mut self, begun: Passage, had_begun: bool) -> Passage {
        match (begun, std::mem::replace(&mut self.state, State::Over)) {
            (Passage::Send(first), State::Events(events)) => {
                // Nothing of the first is sent yet, so all of it may still be replaced.
                self.has_begun = had_begun;
                match self.finish(events) {
                    Passage::Send(rest) => Passage::Send([first, rest].concat().into()),
                    other => other,
                }
            }
            (Passage::Hold, State::Events(events)) => self.finish(events),
            (begun, _) => begun,
        }
    }

    /// What is left of a stream of events at its end.
    fn finish(&mut self, events: FilteredEvents) -> Passage {
        match events.finish() {
            Ok(rest) => self.send(rest),
            Err(fault) => self.withhold(&fault.to_string()),
        }
    }

    /// A body whose kind is known by what was held of it.
    fn begin(&mut self, kind: BodyKind, held: Bytes, lists: Box<ListRules>) -> Passage {
        match kind {
            BodyKind::Json => self.hold(HeldBytes::default(), lists, held),
            BodyKind::Events if self.may_wait => {
                self.wait(HeldBytes::default(), Beginning::default(), Some(lists), held)
            }
            BodyKind::Events => self.filter(FilteredEvents::new(lists), held),
            BodyKind::Unreadable => self.withhold("it is in another encoding than UTF-8"),
            BodyKind::Other if !lists.is_asked => self.pass_on(ListTrace::default(), held),
            // What came of a list that went well, and no client reads as one, could be one to others.
            BodyKind::Other if self.status.is_success() => {
                self.withhold("it is no message and no event stream")
            }
            BodyKind::Other => self.hold_words(HeldBytes::default(), held),
        }
    }

    /// The next of a stream that has not begun in earnest.
    fn wait(
        &mut self,
        mut held: HeldBytes,
        mut beginning: Beginning,
        lists: Option<Box<ListRules>>,
        chunk: Bytes,
    ) -> Passage {
        let has_begun = beginning.push(&chunk);
        held.push(chunk);
        if has_begun {
            return match self.begin_waiting(held.into_bytes(), lists) {
                // It may be long until an event is complete.
                Passage::Hold if beginning.is_too_long() => self.send(Bytes::new()),
                begun => begun,
            };
        }
        self.state = State::Waiting { held, beginning, lists };
        Passage::Hold
    }

    /// A stream that begins in earnest.
    fn begin_waiting(&mut self, held: Bytes, lists: Option<Box<ListRules>>) -> Passage {
        match lists {
            Some(lists) => self.filter(FilteredEvents::new(lists), held),
            None => {
                self.state = State::Transparent;
                self.send(held)
            }
        }
    }

    /// The next piece of a stream of events, as far as it has whole ones.
    fn filter(&mut self, mut events: FilteredEvents, chunk: Bytes) -> Passage {
        match events.push(chunk) {
            Ok(data) => {
                self.state = State::Events(events);
                // As long as nothing was sent, the response may be replaced.
                if data.is_empty() { Passage::Hold } else { self.send(data) }
            }
            Err(fault) => self.withhold(&fault.to_string()),
        }
    }

    /// The next piece of a document. One that is too long to be held goes on where no list was asked for, and as long as
    /// none shows in it.
    fn hold(&mut self, mut held: HeldBytes, lists: Box<ListRules>, chunk: Bytes) -> Passage {
        held.push(chunk);
        if held.len() <= MAX_DOCUMENT_BYTES {
            self.state = State::Document { held, lists };
            return Passage::Hold;
        }
        match lists.is_asked {
            true => self.withhold("it is too long"),
            false => self.pass_on(ListTrace::default(), held.into_bytes()),
        }
    }

    /// The next piece of what is not held; the trace of a list ends it.
    fn pass_on(&mut self, mut trace: ListTrace, chunk: Bytes) -> Passage {
        if trace.is_in(&chunk) {
            return self.withhold("it could hold a list, and is too long or no message");
        }
        self.state = State::Passing(trace);
        self.send(chunk)
    }

    fn hold_words(&mut self, mut held: HeldBytes, chunk: Bytes) -> Passage {
        held.push(chunk);
        if held.len() > MAX_WORDS {
            return self.withhold("it is no message and no event stream");
        }
        self.state = State::Words(held);
        Passage::Hold
    }

    fn send(&mut self, data: Bytes) -> Passage {
        self.has_begun = true;
        Passage::Send(data)
    }

    /// What is to be sent in place of everything, because the handler has asked for more scopes.
    pub(super) fn refusal(&mut self) -> Option<Passage> {
        let refusal = self.step_up.as_ref().filter(|_| !self.has_begun)?.refusal()?;
        Some(self.replace(refusal))
    }

    /// Sends nothing more of a body whose lists cannot be filtered. The client is told no reason: it could be made of what
    /// the list holds.
    fn withhold(&mut self, reason: &str) -> Passage {
        if self.has_begun {
            tracing::error!(reason, "a response is cut off: its lists cannot be filtered");
            return Passage::CutOff;
        }
        tracing::error!(reason, "a response is withheld: its lists cannot be filtered");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let text = "the lists of this response cannot be filtered";
        self.replace(Reply::error(status, "server_error", text))
    }

    fn replace(&mut self, reply: Reply) -> Passage {
        (self.state, self.has_begun) = (State::Over, true);
        Passage::Replace(Box::new(reply.with_headers(std::mem::take(&mut self.response_headers))))
    }
}

/// Whether this is text for people: it has no braces, so nobody finds a list in it.
fn is_words(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|words| words.chars().all(may_be_in_words))
}

fn may_be_in_words(one: char) -> bool {
    !matches!(one, '{' | '[') && (!one.is_control() || one.is_whitespace())
}

/// Says nothing of what is in it.
impl fmt::Debug for ResponseFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFilter").finish_non_exhaustive()
    }
}
