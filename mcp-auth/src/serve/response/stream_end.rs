//! When a stream of events has to end: the token of its caller has expired, or was revoked.
//!
//! 1. It ends between two events, so that nothing is sent by halves, and the last thing that is sent is `retry`, after
//!    which clients connect again: with a new token, if they have one.
//! 2. A stream of a GET is watched from the beginning. One that answers a POST is watched from its first event on, because
//!    nearly all of them end by themselves at once. Until then nothing is sent of it after its time either.

use std::fmt;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, select};
use tokio::runtime::Handle;

use crate::serve::exchange::Exchange;

/// Asks for a new connection after a second (WHATWG HTML, server-sent events).
const RECONNECT: &[u8] = b"retry: 1000\n\n";

/// Ends one stream in time.
pub(super) struct StreamEnd {
    exchange: Arc<Exchange>,
    /// Ready when the caller's token is good no more; `None`: nobody waits for that yet.
    over: Option<BoxFuture<'static, ()>>,
    /// Whether it is watched although nothing came of it yet.
    from_beginning: bool,
    /// Whether something can be put between its events: it is not compressed.
    is_plain: bool,
    /// The last bytes that were sent.
    tail: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The last thing was sent.
    Ended,
}

impl Exchange {
    /// Whether a request with its sender's token would still be authenticated.
    fn is_still_good(&self) -> bool {
        let Some(sender) = &self.sender else { return true };
        let cutoffs = &self.resource.authenticator.cutoffs;
        let now = self.resource.authenticator.clock.unix_seconds();
        let is_unrevoked = cutoffs.is_current(now) && cutoffs.check(sender).is_ok();
        self.seconds_left() != Some(0) && is_unrevoked
    }

    /// How long the token is good; `None`: it does not say.
    fn seconds_left(&self) -> Option<u64> {
        let authenticator = &self.resource.authenticator;
        let tolerance = authenticator.rules.clock_tolerance.as_secs();
        let until = self.sender.as_ref()?.expires_at()?.saturating_add(tolerance);
        Some(until.saturating_sub(authenticator.clock.unix_seconds()))
    }
}

impl StreamEnd {
    pub(super) fn new(exchange: Arc<Exchange>, from_beginning: bool, is_plain: bool) -> Self {
        let (tail, state) = (Vec::new(), State::Open);
        Self { exchange, over: None, from_beginning, is_plain, tail, state }
    }

    /// What to send in place of the stream's next piece: `None`, the stream goes on; `Some(None)`, it is over.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Option<Option<Bytes>> {
        if self.state == State::Ended {
            return Some(None);
        }
        let is_over = match &mut self.over {
            Some(over) => over.as_mut().poll(context).is_ready(),
            None => !self.exchange.is_still_good(),
        };
        if !is_over || !self.is_between_events() {
            if is_over {
                // It was ready, and is not asked again.
                self.over = None;
            }
            return None;
        }
        self.state = State::Ended;
        tracing::info!(
            target: "mcp_auth::decision",
            code = "stream_ended",
            resource = %self.exchange.resource.identifier,
            "a stream is ended: its token has expired or was revoked"
        );
        Some(self.is_plain.then(|| Bytes::from_static(RECONNECT)))
    }

    /// Waits for the end, where the stream has nothing to send. `Ready`: it has come.
    pub(super) fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.from_beginning && self.tail.is_empty() {
            return Poll::Pending;
        }
        let exchange = &self.exchange;
        let over = self.over.get_or_insert_with(|| until_over(exchange.clone()).boxed());
        let is_over = over.as_mut().poll(context).is_ready();
        if is_over {
            self.over = None;
        }
        match is_over && self.is_between_events() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Takes note of what is sent.
    pub(super) fn see(&mut self, data: &[u8]) {
        const LONGEST: usize = 4;
        let end = &data[data.len().saturating_sub(LONGEST)..];
        self.tail.extend_from_slice(end);
        let surplus = self.tail.len().saturating_sub(LONGEST);
        self.tail.drain(..surplus);
    }

    /// Whether the last thing that was sent is a whole event. An encoded stream is ended wherever it is.
    fn is_between_events(&self) -> bool {
        let ends: [&[u8]; 4] = [b"\n\n", b"\r\r", b"\n\r", b"\n\r\n"];
        !self.is_plain || self.tail.is_empty() || ends.iter().any(|end| self.tail.ends_with(end))
    }
}

/// Waits until the sender's token is good no more.
async fn until_over(exchange: Arc<Exchange>) {
    // Before the first look, so that nothing is missed.
    let mut changes = exchange.resource.authenticator.cutoffs.changes();
    while exchange.is_still_good() {
        let changed = pin!(changes.changed());
        match exchange.seconds_left().filter(|_| Handle::try_current().is_ok()) {
            Some(seconds) => {
                let time = pin!(tokio::time::sleep(Duration::from_secs(seconds)));
                select(changed, time).await;
            }
            // Without tokio, time is the business of whoever runs the service.
            None if changed.await.is_err() => pending().await,
            None => {}
        }
    }
}

/// Says nothing of the caller.
impl fmt::Debug for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEnd").field("state", &self.state).finish_non_exhaustive()
    }
}
