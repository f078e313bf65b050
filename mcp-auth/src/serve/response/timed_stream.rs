//! Ends a stream of the tower layer in time: the [`StreamEnd`] with a timer of tokio's.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::time::Sleep;

use super::stream_end::StreamEnd;
use crate::serve::Reply;

/// Most streams have few events, which come one turn after the other: so often a stream with nothing to send is asked again at
/// once, before anything that wakes is made for it.
const TURNS: u8 = 2;

/// A stream that ends in time.
pub(super) struct TimedStream {
    end: StreamEnd,
    /// Whether its token was good when it was asked for the next piece.
    is_good: bool,
    /// How often it had nothing to send since its last piece, until somebody waits.
    turns: u8,
    /// `None`: nobody waits yet.
    timer: Option<Pin<Box<Sleep>>>,
}

impl TimedStream {
    pub(super) fn new(end: StreamEnd) -> Self {
        Self { end, is_good: true, turns: 0, timer: None }
    }

    /// What to send in place of the stream's next piece: `None`, the stream goes on; `Some(None)`, it is over.
    pub(super) fn end(&mut self) -> Option<Option<Bytes>> {
        self.is_good = self.end.is_still_good();
        let last = self.end.step_of(self.is_good)?;
        Some((!last.is_empty()).then_some(last))
    }

    /// Waits for the end, where the stream has nothing to send. `Ready`: it has come.
    pub(super) fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.end.is_watched() {
            return Poll::Pending;
        }
        if self.turns < TURNS && self.timer.is_none() {
            self.turns += 1;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if !self.end.is_still_good() {
                // In the middle of an event, the rest of it wakes us.
                return if self.end.is_between_events() { Poll::Ready(()) } else { Poll::Pending };
            }
            if self.end.poll_revoked(context).is_ready() {
                continue;
            }
            // Without tokio, time is the business of whoever runs the service.
            let has_timers = Handle::try_current().is_ok();
            let Some(left) = self.end.time_left().filter(|_| has_timers) else {
                return Poll::Pending;
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
        }
    }

    /// The answer in place of the whole response, where the end comes before its head was sent. `Ready`: it has come.
    pub(super) fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<Reply> {
        ready!(self.poll_wait(context));
        match self.end.step() {
            Some(_) => Poll::Ready(self.end.refusal()),
            None => Poll::Pending,
        }
    }

    /// What may be sent of the stream's next piece.
    pub(super) fn send(&mut self, mut piece: Bytes) -> Bytes {
        if !self.is_good
            && let Some(length) = self.end.end_of_event(&piece)
        {
            piece.truncate(length);
        }
        self.end.see(&piece);
        self.turns = 0;
        piece
    }
}

impl fmt::Debug for TimedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}
