//! The body of a response: our own, the service's, or the service's with changes.
//!
//! It drives a [`ResponseFilter`] with the frames of the service's body, and decides nothing itself. A body that needs no
//! change is passed on as it is, frame by frame and without a copy, so that a server without rules streams as it would
//! alone.
//!
//! Where a filter is at work:
//!
//! 1. Status and headers wait until the filter has something to send, because until then it may put another response in
//!    place of this one. An event stream that nobody can ask for more scopes in begins at once.
//! 2. From then on nothing can be replaced. What must not go on breaks the body off, as a lost connection would, so that
//!    no client takes the part that it has for the whole.
//! 3. An error of the service's body reaches the server as it is.
//! 4. Frames are asked for one at a time, and none before it is needed.
//!
//! Tested in `authorize::policy::any_answer`.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use super::timed_stream::TimedStream;
use super::{Passage, ResponseFilter};
use crate::serve::Reply;

pin_project! {
    /// The body of a response from an [`AuthService`](crate::layer::AuthService).
    #[project = ProtectedBodyProjection]
    pub struct ProtectedBody<B>
    where
        B: Body,
    {
        #[pin]
        kind: Kind<B>,
        // Of a stream of events.
        end: Option<Box<TimedStream>>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B>
    where
        B: Body,
    {
        Own { #[pin] body: Full<Bytes> },
        Passed { #[pin] body: B },
        // In a box, or every body would be as large when it is moved: most are passed on.
        Filtered { body: Pin<Box<Filtered<B>>> },
    }
}

pin_project! {
    /// The service's body, as a filter lets it pass.
    struct Filtered<B>
    where
        B: Body,
    {
        filter: ResponseFilter,
        // Whether the service said how long it is.
        had_length: bool,
        // `None`: it is over.
        #[pin]
        body: Option<B>,
        // What can be sent already.
        ready: Option<Result<Frame<Bytes>, B::Error>>,
        // What comes after that.
        trailers: Option<Frame<Bytes>>,
    }
}

impl<B: Body<Data = Bytes>> ProtectedBody<B> {
    /// An answer of ours.
    pub(super) fn own(body: Bytes) -> Self {
        Self { kind: Kind::Own { body: Full::new(body) }, end: None }
    }

    /// The service's, as it is.
    pub(crate) fn passed(body: B) -> Self {
        Self { kind: Kind::Passed { body }, end: None }
    }

    /// The service's, filtered.
    pub(super) fn filtered(filter: ResponseFilter, body: B, had_length: bool) -> Self {
        let filtered =
            Filtered { filter, had_length, body: Some(body), ready: None, trailers: None };
        Self { kind: Kind::Filtered { body: Box::pin(filtered) }, end: None }
    }

    /// The same, which ends in time if it is a stream of events.
    pub(super) fn ending_with(self, end: Option<Box<TimedStream>>) -> Self {
        Self { end, ..self }
    }

    /// Waits until it is certain what is sent first; gives what takes the place of the whole response, if anything does.
    pub(super) fn poll_start(&mut self, context: &mut Context<'_>) -> Poll<Option<Reply>> {
        let Kind::Filtered { body } = &mut self.kind else { return Poll::Ready(None) };
        if let Poll::Ready(replaced) = body.as_mut().poll_start(context) {
            return Poll::Ready(replaced);
        }
        match &mut self.end {
            Some(end) => end.poll_refusal(context).map(Some),
            None => Poll::Pending,
        }
    }

    /// How long it is after all, where the service said how long its own is.
    pub(super) fn changed_length(&self) -> Option<HeaderValue> {
        match &self.kind {
            Kind::Filtered { body } if body.had_length => Some(body.whole_length()?.into()),
            _ => None,
        }
    }
}

impl<B: Body<Data = Bytes>> Filtered<B> {
    fn poll_start(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Reply>> {
        if self.as_mut().project().filter.begin_at_once() {
            return Poll::Ready(None);
        }
        self.poll_ready(context)
    }

    /// Reads until something can be sent, or all is over; gives what is to be sent in place of all, if anything.
    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Reply>> {
        while self.ready.is_none() && self.body.is_some() {
            if let Some(reply) = ready!(self.as_mut().poll_passage(context)) {
                return Poll::Ready(Some(reply));
            }
        }
        Poll::Ready(None)
    }

    /// The next frame to send; `None` at the end.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let outcome = ready!(self.as_mut().poll_ready(context));
        debug_assert!(outcome.is_none(), "a response that has begun is not replaced");
        let filtered = self.project();
        let next = filtered.ready.take();
        Poll::Ready(next.or_else(|| filtered.trailers.take().map(Ok)))
    }

    /// Takes one frame of the body through the filter; what is to be sent in place of all, if anything.
    fn poll_passage(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Reply>> {
        let mut filtered = self.as_mut().project();
        let Some(body) = filtered.body.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let frame = match ready!(body.poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                filtered.body.set(None);
                *filtered.ready = Some(Err(error));
                return Poll::Ready(None);
            }
            None => {
                filtered.body.set(None);
                let end = filtered.filter.end();
                return Poll::Ready(self.take(end));
            }
        };
        match frame.into_data() {
            Ok(data) if filtered.filter.is_transparent() => {
                *filtered.ready = Some(Ok(Frame::data(data)));
                Poll::Ready(None)
            }
            Ok(data) => {
                let passage = filtered.filter.push_bytes(data);
                Poll::Ready(self.take(passage))
            }
            Err(trailers) => {
                // Nothing of the body comes after them.
                let end = filtered.filter.end();
                let reply = self.as_mut().take(end);
                let mut ended = self.project();
                if ended.body.is_some() && reply.is_none() {
                    *ended.trailers = Some(trailers);
                }
                ended.body.set(None);
                Poll::Ready(reply)
            }
        }
    }

    /// How long the rest is, if all that will be sent is there.
    fn whole_length(&self) -> Option<u64> {
        match (&self.body, &self.ready) {
            (None, None) => Some(0),
            (None, Some(Ok(frame))) => Some(frame.data_ref().map_or(0, Bytes::len) as u64),
            (None, Some(Err(_))) | (Some(_), _) => None,
        }
    }

    /// Does what the filter says; what is to be sent in place of all, if anything.
    fn take(self: Pin<&mut Self>, passage: Passage) -> Option<Reply> {
        let mut filtered = self.project();
        match passage {
            Passage::Hold => None,
            Passage::Send(data) => {
                if !data.is_empty() {
                    *filtered.ready = Some(Ok(Frame::data(data)));
                }
                None
            }
            Passage::Replace(reply) => {
                filtered.body.set(None);
                Some(*reply)
            }
            Passage::CutOff => {
                filtered.body.set(None);
                None
            }
        }
    }
}

impl<B: Body<Data = Bytes>> Kind<B> {
    /// The next frame of it.
    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project() {
            KindProjection::Own { body } => {
                body.poll_frame(context).map_err(|never: Infallible| match never {})
            }
            KindProjection::Passed { body } => body.poll_frame(context),
            KindProjection::Filtered { body } => body.as_mut().poll_frame(context),
        }
    }
}

/// What [`Reply::into_response`](crate::decision::Reply::into_response) makes of its bytes.
impl<B: Body<Data = Bytes>> From<Bytes> for ProtectedBody<B> {
    fn from(body: Bytes) -> Self {
        Self::own(body)
    }
}

impl<B: Body<Data = Bytes>> Body for ProtectedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let ProtectedBodyProjection { kind, end } = self.project();
        let Some(end) = end else { return kind.poll_frame(context) };
        if let Some(last) = end.end() {
            return Poll::Ready(last.map(|data| Ok(Frame::data(data))));
        }
        match kind.poll_frame(context) {
            Poll::Pending => {
                ready!(end.poll_wait(context));
                let last = end.end().flatten();
                Poll::Ready(last.map(|data| Ok(Frame::data(data))))
            }
            Poll::Ready(next) => {
                let sent = next.map(|frame| Ok(frame?.map_data(|data| end.send(data))));
                Poll::Ready(sent)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Own { body } => body.is_end_stream(),
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Filtered { body } => {
                body.body.is_none() && body.ready.is_none() && body.trailers.is_none()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            // It may end before its time.
            _ if self.end.is_some() => SizeHint::default(),
            Kind::Own { body } => body.size_hint(),
            Kind::Passed { body } => body.size_hint(),
            Kind::Filtered { body } => {
                body.whole_length().map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}

/// Says nothing of what is in it.
impl<B: Body> fmt::Debug for ProtectedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedBody").finish_non_exhaustive()
    }
}
