//! What is done with a service's response, piece by piece: for adapters that are no tower service.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

use super::event_stream::begins;
use super::filtered_events::FilteredEvents;
use super::response::{MAX_DOCUMENT_BYTES, is_encoded, is_event_stream, is_json, withheld};
use super::{Forward, ListRules, OpenRequest, Reply};

/// Changes one response as the policy asks; made by [`Forward::respond`].
///
/// Give it every piece of the body, and then its end. While it says [`Passage::Hold`], nothing is sent,
/// the status and headers not either.
pub struct ResponseFilter {
    state: State,
    /// Where a handler's refusal is found.
    open: Option<Arc<OpenRequest>>,
    /// Whether something was sent: from then on a refusal comes too late.
    has_begun: bool,
    response_headers: HeaderMap,
}

enum State {
    /// Everything goes on as it is.
    Transparent,
    /// The start of a stream waits for its first event; then its lists are filtered, if there are any.
    Waiting {
        held: BytesMut,
        lists: Option<Box<ListRules>>,
    },
    Events(FilteredEvents),
    /// A document that is filtered as a whole.
    Document {
        held: BytesMut,
        lists: Box<ListRules>,
    },
    /// The answer was replaced, or has ended.
    Over,
}

/// What to do with a piece of a response.
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

impl Forward {
    /// Whether [`Forward::respond`] would change the headers or the body of an ordinary response: one
    /// that is no event stream, to a request whose handler asked for no more scopes.
    pub fn changes_responses(&self) -> bool {
        self.lists.is_some() || !self.response_headers.is_empty()
    }

    /// Looks at the start of the service's response and prepares its headers.
    pub fn respond(mut self, status: StatusCode, headers: &mut HeaderMap) -> ResponseFilter {
        self.add_headers(headers);
        let is_stream = is_event_stream(headers);
        let has_lists = status.is_success() && (is_stream || is_json(headers));
        let lists = self.lists.take().filter(|_| has_lists);
        let state = match lists {
            Some(_) if is_encoded(headers) => {
                tracing::error!(
                    "a response is withheld: the service encoded it although nobody asked"
                );
                State::Over
            }
            lists if is_stream && self.may_wait => State::Waiting { held: BytesMut::new(), lists },
            Some(lists) if is_stream => State::Events(FilteredEvents::new(lists)),
            Some(lists) => State::Document { held: BytesMut::new(), lists },
            None => State::Transparent,
        };
        if !matches!(state, State::Transparent) {
            headers.remove(CONTENT_LENGTH);
        }
        let response_headers = self.response_headers;
        ResponseFilter { state, open: self.open, has_begun: false, response_headers }
    }
}

impl ResponseFilter {
    /// Whether the response goes on as it is: then it need not be shown here.
    pub fn is_transparent(&self) -> bool {
        matches!(self.state, State::Transparent)
            && self.open.as_ref().is_none_or(|open| !open.is_refused())
    }

    /// Begins at once, where that is possible: then status and headers are to be sent without waiting for
    /// the first piece of the body.
    pub fn begin_at_once(&mut self) -> bool {
        // A filtered stream that nobody can ask for more scopes in; what fails later breaks it off.
        let is_refused = self.open.as_ref().is_some_and(|open| open.is_refused());
        self.has_begun |= matches!(self.state, State::Events(_)) && !is_refused;
        self.has_begun
    }

    /// Takes a piece of the body.
    pub fn push(&mut self, chunk: &[u8]) -> Passage {
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
                self.send(Bytes::copy_from_slice(chunk))
            }
            State::Waiting { mut held, lists } => {
                held.extend_from_slice(chunk);
                if begins(&held) {
                    return self.begin(&held, lists);
                }
                self.state = State::Waiting { held, lists };
                Passage::Hold
            }
            State::Events(events) => self.filter(events, chunk),
            State::Document { mut held, lists } => {
                if held.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                    return self.withhold("it is too long");
                }
                held.extend_from_slice(chunk);
                self.state = State::Document { held, lists };
                Passage::Hold
            }
            State::Over => self.withhold("it is over"),
        }
    }

    /// Takes the end of the body; what it says to send is the last.
    pub fn end(&mut self) -> Passage {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Transparent => self.send(Bytes::new()),
            State::Waiting { held, lists } => match self.begin(&held, lists) {
                Passage::Send(first) => {
                    let rest = match &mut self.state {
                        State::Events(events) => events.finish(),
                        _ => Bytes::new(),
                    };
                    Passage::Send([first, rest].concat().into())
                }
                other => other,
            },
            State::Events(mut events) => self.send(events.finish()),
            State::Document { held, .. } if held.trim_ascii().is_empty() => {
                self.send(held.freeze())
            }
            State::Document { held, lists } => match lists.apply(&held) {
                Ok(changed) => self.send(changed.map_or(held.freeze(), Bytes::from)),
                Err(_) => self.withhold("it is not what a list should be"),
            },
            State::Over => self.withhold("it is over"),
        }
    }

    /// A stream that begins in earnest.
    fn begin(&mut self, held: &[u8], lists: Option<Box<ListRules>>) -> Passage {
        match lists {
            Some(lists) => self.filter(FilteredEvents::new(lists), held),
            None => {
                self.state = State::Transparent;
                self.send(Bytes::copy_from_slice(held))
            }
        }
    }

    fn filter(&mut self, mut events: FilteredEvents, chunk: &[u8]) -> Passage {
        match events.push(chunk) {
            Some(data) => {
                self.state = State::Events(events);
                self.send(data)
            }
            None => self.withhold("an event is not what it should be"),
        }
    }

    fn send(&mut self, data: Bytes) -> Passage {
        self.has_begun = true;
        Passage::Send(data)
    }

    fn refusal(&mut self) -> Option<Passage> {
        let refusal = self.open.as_ref().filter(|_| !self.has_begun)?.refusal()?;
        Some(self.replace(refusal))
    }

    fn withhold(&mut self, reason: &str) -> Passage {
        if self.has_begun {
            return Passage::CutOff;
        }
        tracing::error!(reason, "a response is withheld: its lists cannot be filtered");
        self.replace(withheld())
    }

    fn replace(&mut self, reply: Reply) -> Passage {
        (self.state, self.has_begun) = (State::Over, true);
        Passage::Replace(Box::new(reply.with_headers(std::mem::take(&mut self.response_headers))))
    }
}

/// Says nothing of what is in it.
impl fmt::Debug for ResponseFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFilter").finish_non_exhaustive()
    }
}
