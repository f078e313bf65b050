//! When a stream of events has to end: the token of its caller has expired or was revoked, or the configuration was replaced
//! by one that does not admit the request.
//!
//! One machine without IO, for every adapter; tower's is driven by [`TimedStream`](super::timed_stream::TimedStream).
//!
//! 1. It ends between two events, so that nothing is sent by halves: a piece of the handler's is cut where that is. The last thing that is sent is `retry`, after
//!    which clients connect again: with a new token, if they have one.
//! 2. It is watched from the beginning, also where nothing came of it yet.
//! 3. Nobody looks at it from time to time. It says how long it is good at most, and wakes whoever waits when something was
//!    revoked. Only where a revocation check of the user's, or the issuer of the token, is asked, it asks as often as
//!    requests do.
//!
//! Tested in `adapters::stream_end`.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use tokio::sync::watch;

use super::body_kind::{is_encoded, is_event_stream, names_event_stream};
use crate::auth_info::AuthInfo;
use crate::authenticate::{Authenticator, IssuerSays};
use crate::error::{AuthError, TokenError, Unavailable};
use crate::serve::exchange::{Admitted, Exchange, Held};
use crate::serve::standing::Standing;
use crate::serve::{Forward, Reply, Resource};

/// Asks for a new connection after a second (WHATWG HTML, server-sent events).
const RECONNECT: &[u8] = b"retry: 1000\n\n";

/// The longest end of an event: so many bytes are remembered.
const LONGEST_END: usize = 3;

/// Ends one stream of events when the token of its caller is good no more; made by
/// [`Forward::stream_end`](crate::decision::Forward::stream_end), for adapters of your own.
///
/// It stands behind the [`ResponseFilter`](crate::decision::ResponseFilter): what it is told of is what the client gets.
///
/// 1. Before anything is sent, ask [`StreamEnd::step`], send no more of the piece than [`StreamEnd::cut`] says, and tell it what
///    was sent with [`StreamEnd::see`]. Of a piece that was cut, the rest is not sent: ask for the next step at once.
/// 2. While there is nothing to send and it [is to be watched](StreamEnd::is_watched), ask again after
///    [`StreamEnd::time_left`], and when [`StreamEnd::poll_revoked`] wakes you. One timer is enough for a stream, and
///    nothing has to look from time to time.
/// 3. When it says that the stream ends, send the last piece (or [`StreamEnd::refusal`], where status and headers were not
///    sent yet), end the response, take nothing more of the handler's, and
///    tell the handler, as if the client had gone.
///
/// ```
/// use mcp_auth::decision::StreamEnd;
///
/// /// What is sent in place of a piece of the handler's, and whether that is the last.
/// fn sent(end: &mut StreamEnd, mut piece: Vec<u8>) -> (Vec<u8>, bool) {
///     if let Some(last) = end.step() {
///         return (last.to_vec(), true);
///     }
///     piece.truncate(end.cut(&piece).unwrap_or(piece.len()));
///     end.see(&piece);
///     let last = end.step();
///     piece.extend_from_slice(last.as_deref().unwrap_or_default());
///     (piece, last.is_some())
/// }
/// ```
pub struct StreamEnd {
    exchange: Arc<Exchange>,
    /// Whether nothing is known of the request but its caller, so that nobody can tell what another configuration says of it.
    is_unknown: bool,
    /// Ready when something was revoked; `None`: nobody waits for that yet.
    revoked: Option<BoxFuture<'static, watch::Receiver<u64>>>,
    /// Whether something can be put between its events: it is not encoded.
    is_plain: bool,
    /// Those that an answer in place of the stream has besides its own.
    response_headers: HeaderMap,
    /// The last bytes that were sent.
    tail: Vec<u8>,
    has_ended: bool,
}

impl StreamEnd {
    /// For a response with these headers, of which it takes the length; `None` where it is no stream of events.
    fn of(held: &Held, response: &mut HeaderMap) -> Option<Self> {
        if !is_event_stream(response) {
            return None;
        }
        // It may end before that.
        response.remove(CONTENT_LENGTH);
        Some(Self {
            exchange: held.shared(),
            is_unknown: false,
            revoked: None,
            is_plain: !is_encoded(response),
            response_headers: HeaderMap::new(),
            tail: Vec::new(),
            has_ended: false,
        })
    }

    /// Whether a response with this `Content-Type` is a stream of events, for adapters that make no [`HeaderMap`] of the headers
    /// of others.
    pub fn is_for(content_type: &[u8]) -> bool {
        names_event_stream(content_type)
    }

    /// What ends the stream here: the last piece, which may be empty. `None`: the next piece may be sent, because the token is
    /// good, or in the middle of an event.
    pub fn step(&mut self) -> Option<Bytes> {
        let is_good = self.is_still_good();
        self.step_of(is_good)
    }

    /// The same for a stream that was just found to be good, or not.
    pub(super) fn step_of(&mut self, is_good: bool) -> Option<Bytes> {
        if self.has_ended {
            return Some(Bytes::new());
        }
        if is_good || !self.is_between_events() {
            return None;
        }
        self.has_ended = true;
        tracing::info!(
            target: "mcp_auth::decision",
            code = "stream_ended",
            resource = %self.exchange.admitted.resource.identifier,
            "a stream is ended: its token has expired or was revoked, or the configuration admits it no more"
        );
        Some(Bytes::from_static(if self.is_plain { RECONNECT } else { b"" }))
    }

    /// The answer in place of the whole response, after a [step](Self::step) that ended the stream before its status and
    /// headers were sent: the challenge that a request with its token gets now.
    pub fn refusal(&mut self) -> Reply {
        let reply = self.exchange.admitted.resource.refuse(self.why());
        reply.with_headers(std::mem::take(&mut self.response_headers))
    }

    /// Why it ends.
    fn why(&self) -> AuthError {
        let retry_after = 1;
        let unknown = Unavailable::new("a stream", "nobody can tell at once", retry_after);
        let standing = self.exchange.standing().filter(|_| !self.is_unknown);
        let Some(Standing { resource, sender: Some(caller) }) = standing else {
            return AuthError::Unavailable(unknown);
        };
        let Authenticator { cutoffs, clock, .. } = &resource.authenticator;
        let now = clock.unix_seconds();
        if let (Some(exp), Some(0)) =
            (caller.expires_at(), seconds_until_expired(&resource, &caller, now))
        {
            return TokenError::Expired { exp, now }.into();
        }
        match cutoffs.check(&caller) {
            Err(revoked) => revoked.into(),
            Ok(()) => AuthError::Unavailable(unknown),
        }
    }

    /// How much of the next piece may be sent, after a [step](Self::step) that let the stream go on: up to the end of the event
    /// in whose middle it is, if the stream ends there. `None`: the whole piece.
    ///
    /// A piece need not end with an event, and where pieces come one after the other, none may.
    pub fn cut(&self, piece: &[u8]) -> Option<usize> {
        if self.is_still_good() { None } else { self.end_of_event(piece) }
    }

    /// How much of the piece belongs to the event in whose middle the stream is; `None`: in the middle of none, or all of it.
    pub(super) fn end_of_event(&self, piece: &[u8]) -> Option<usize> {
        if self.is_between_events() {
            return None;
        }
        let mut last = [0; LONGEST_END];
        last[LONGEST_END - self.tail.len()..].copy_from_slice(&self.tail);
        let ends = piece.iter().position(|byte| {
            last.rotate_left(1);
            last[LONGEST_END - 1] = *byte;
            ends_event(&last)
        });
        ends.map(|place| place + 1).filter(|length| *length < piece.len())
    }

    /// Takes note of what is sent.
    pub fn see(&mut self, sent: &[u8]) {
        let end = &sent[sent.len().saturating_sub(LONGEST_END)..];
        self.tail.extend_from_slice(end);
        let surplus = self.tail.len().saturating_sub(LONGEST_END);
        self.tail.drain(..surplus);
    }

    /// Whether its end is to be waited for: it has not come.
    pub fn is_watched(&self) -> bool {
        !self.has_ended
    }

    /// After how long to ask for the next [step](Self::step) at the latest. `None`: there is nothing to wait for, because
    /// the token does not say how long it is good, or because what ends the stream is the next piece of it.
    pub fn time_left(&self) -> Option<Duration> {
        let seconds = self.seconds_left().filter(|seconds| *seconds > 0)?;
        Some(Duration::from_secs(seconds))
    }

    /// Ready when the next [step](Self::step) is to be asked for, because something was revoked since this was last asked;
    /// until then it wakes the task. It needs no runtime.
    pub fn poll_revoked(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(revoked) = &mut self.revoked else {
            // Before the first look, so that nothing is missed.
            let changes = self.exchange.admitted.resource.authenticator.cutoffs.changes();
            self.revoked = Some(next_change(changes).boxed());
            return if self.is_still_good() { self.poll_revoked(context) } else { Poll::Ready(()) };
        };
        let changes = ready!(revoked.as_mut().poll(context));
        self.revoked = Some(next_change(changes).boxed());
        Poll::Ready(())
    }

    /// Wakes nobody any more, and lets go of whoever it would have woken.
    pub fn stop_waking(&mut self) {
        self.revoked = None;
    }

    /// Whether the request would still be admitted, by the configuration that is in force.
    pub(super) fn is_still_good(&self) -> bool {
        if self.has_ended {
            return false;
        }
        let Admitted { resource, sender, .. } = &self.exchange.admitted;
        // Nearly always: without a look at what came in its place.
        if resource.is_in_force() {
            return is_good(resource, sender.as_ref());
        }
        let standing = self.exchange.standing().filter(|_| !self.is_unknown);
        standing.is_some_and(|now| is_good(&now.resource, now.sender.as_ref()))
    }

    /// After how many seconds to look again; `None`: only when something was revoked.
    fn seconds_left(&self) -> Option<u64> {
        let Standing { resource, sender } = self.exchange.standing()?;
        seconds_left(&resource, &sender?)
    }

    /// Whether the last thing that was sent is a whole event. An encoded stream is ended wherever it is.
    pub(super) fn is_between_events(&self) -> bool {
        !self.is_plain || self.tail.is_empty() || ends_event(&self.tail)
    }
}

/// Whether an event ends with these bytes.
fn ends_event(bytes: &[u8]) -> bool {
    let ends: [&[u8]; 4] = [b"\n\n", b"\r\r", b"\n\r", b"\n\r\n"];
    ends.iter().any(|end| bytes.ends_with(end))
}

/// Whether this resource would still authenticate its sender.
fn is_good(resource: &Arc<Resource>, sender: Option<&AuthInfo>) -> bool {
    let Some(caller) = sender else { return true };
    let Authenticator { cutoffs, asked_revocations, clock, .. } = &resource.authenticator;
    let now = clock.unix_seconds();
    seconds_until_expired(resource, caller, now) != Some(0)
        && cutoffs.is_current(now)
        && asked_revocations.as_ref().is_none_or(|asked| asked.is_known_to_be_good(caller, now))
        && is_good_for_issuer(resource, caller, now)
        // After it was asked, which may be answered at once.
        && cutoffs.check(caller).is_ok()
}

/// Whether the issuer, where it was asked about this caller, says nothing else by now. It is asked again in the background.
fn is_good_for_issuer(resource: &Arc<Resource>, caller: &AuthInfo, now: u64) -> bool {
    match resource.authenticator.issuer_says(caller, now) {
        IssuerSays::GoOn => true,
        IssuerSays::GoOnAndAsk(spawner) => {
            let (asking, asked_about) = (resource.clone(), caller.clone());
            let question = async move {
                asking.authenticator.ask_issuer_again(&asked_about).await;
            };
            spawner.start(question.boxed());
            true
        }
        IssuerSays::End => false,
    }
}

/// After how long it is to be looked again whether this resource takes the token for good; `None`: only when something was
/// revoked.
fn seconds_left(resource: &Resource, sender: &AuthInfo) -> Option<u64> {
    let Authenticator { asked_revocations, clock, .. } = &resource.authenticator;
    let now = clock.unix_seconds();
    let until_asked = asked_revocations.as_ref().map(|asked| asked.seconds_left(sender, now));
    let all = [
        seconds_until_expired(resource, sender, now),
        until_asked,
        resource.authenticator.seconds_until_issuer_is_asked(sender),
    ];
    all.into_iter().flatten().min()
}

/// How long this resource takes the token for good; `None`: it does not say.
fn seconds_until_expired(resource: &Resource, sender: &AuthInfo, now: u64) -> Option<u64> {
    let tolerance = resource.authenticator.rules.clock_tolerance.as_secs();
    let until = sender.expires_at()?.saturating_add(tolerance);
    Some(until.saturating_sub(now))
}

/// Waits until something is revoked; for ever, where nobody can revoke anything any more.
async fn next_change(mut changes: watch::Receiver<u64>) -> watch::Receiver<u64> {
    if changes.changed().await.is_err() {
        pending::<()>().await;
    }
    changes
}

impl Resource {
    /// What ends a stream of events to this caller, of whose request nothing else is known.
    pub(crate) fn stream_end(
        self: Arc<Self>,
        caller: &AuthInfo,
        response: &mut HeaderMap,
    ) -> Option<StreamEnd> {
        let sender = Some(caller.clone());
        if let Some(asked) = &self.authenticator.asked_revocations {
            asked.has_gone_on(caller);
        }
        let admitted = Admitted { resource: self, sender, session: None, opened: None };
        let end = StreamEnd::of(&Held::Alone(admitted), response)?;
        Some(StreamEnd { is_unknown: true, ..end })
    }
}

impl Forward {
    /// What ends the response with these headers when its caller's token is good no more, for adapters of your own; the
    /// layer does it by itself. `None`: it is no stream of events. Ask before [`Forward::respond`]. A `Content-Length` is
    /// removed, because the stream may end before that.
    pub fn stream_end(&self, response: &mut HeaderMap) -> Option<StreamEnd> {
        let end = StreamEnd::of(&self.held, response)?;
        Some(StreamEnd { response_headers: self.response_headers.clone(), ..end })
    }
}

/// Says nothing of the caller.
impl fmt::Debug for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEnd").field("has_ended", &self.has_ended).finish_non_exhaustive()
    }
}
