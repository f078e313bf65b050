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

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use super::{Passage, ResponseFilter};
use crate::serve::Reply;

pin_project! {
    /// The body of a response from an [`AuthService`](crate::layer::AuthService).
    pub struct ProtectedBody<B>
    where
        B: Body,
    {
        #[pin]
        kind: Kind<B>,
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
        Filtered { body: Box<Filtered<B>> },
    }
}

/// The service's body, as a filter lets it pass.
struct Filtered<B: Body> {
    filter: ResponseFilter,
    /// `None`: it is over.
    body: Option<Pin<Box<B>>>,
    /// What can be sent already.
    ready: VecDeque<Result<Frame<Bytes>, B::Error>>,
}

impl<B: Body<Data = Bytes>> ProtectedBody<B> {
    /// An answer of ours.
    pub(super) fn own(body: Bytes) -> Self {
        Self { kind: Kind::Own { body: Full::new(body) } }
    }

    /// The service's, as it is.
    pub(crate) fn passed(body: B) -> Self {
        Self { kind: Kind::Passed { body } }
    }

    /// The service's, filtered, as soon as something of it can be sent.
    ///
    /// # Errors
    /// The answer that takes the place of the whole response.
    pub(super) async fn begin(filter: ResponseFilter, body: B) -> Result<Self, Reply> {
        let ready = VecDeque::new();
        let mut filtered = Filtered { filter, body: Some(Box::pin(body)), ready };
        if let Some(Passage::Replace(reply)) = filtered.filter.refusal() {
            return Err(*reply);
        }
        if !filtered.filter.begin_at_once() {
            poll_fn(|context| filtered.poll_beginning(context)).await?;
        }
        Ok(Self { kind: Kind::Filtered { body: Box::new(filtered) } })
    }
}

impl<B: Body<Data = Bytes>> Filtered<B> {
    /// Reads until something can be sent, or all is over.
    fn poll_beginning(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Reply>> {
        while self.ready.is_empty() && self.body.is_some() {
            if let Some(reply) = ready!(self.poll_passage(context)) {
                return Poll::Ready(Err(reply));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The next frame to send; `None` at the end.
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let outcome = ready!(self.poll_beginning(context));
        debug_assert!(outcome.is_ok(), "a response that has begun is not replaced");
        Poll::Ready(self.ready.pop_front())
    }

    /// Takes one frame of the body through the filter; what is to be sent in place of all, if anything.
    fn poll_passage(&mut self, context: &mut Context<'_>) -> Poll<Option<Reply>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        let frame = match ready!(body.as_mut().poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                self.body = None;
                self.ready.push_back(Err(error));
                return Poll::Ready(None);
            }
            None => {
                self.body = None;
                let end = self.filter.end();
                return Poll::Ready(self.take(end));
            }
        };
        match frame.into_data() {
            Ok(data) if self.filter.is_transparent() => {
                self.ready.push_back(Ok(Frame::data(data)));
                Poll::Ready(None)
            }
            Ok(data) => {
                let passage = self.filter.push(&data);
                Poll::Ready(self.take(passage))
            }
            Err(trailers) => {
                // Nothing of the body comes after them.
                let end = self.filter.end();
                let reply = self.take(end);
                if self.body.take().is_some() && reply.is_none() {
                    self.ready.push_back(Ok(trailers));
                }
                Poll::Ready(reply)
            }
        }
    }

    /// Whether all that will be sent is there.
    fn is_whole(&self) -> bool {
        self.body.is_none() && self.ready.iter().all(Result::is_ok)
    }

    /// Does what the filter says; what is to be sent in place of all, if anything.
    fn take(&mut self, passage: Passage) -> Option<Reply> {
        match passage {
            Passage::Hold => None,
            Passage::Send(data) => {
                if !data.is_empty() {
                    self.ready.push_back(Ok(Frame::data(data)));
                }
                None
            }
            Passage::Replace(reply) => {
                self.body = None;
                Some(*reply)
            }
            Passage::CutOff => {
                self.body = None;
                None
            }
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
        match self.project().kind.project() {
            KindProjection::Own { body } => {
                body.poll_frame(context).map_err(|never: Infallible| match never {})
            }
            KindProjection::Passed { body } => body.poll_frame(context),
            KindProjection::Filtered { body } => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Own { body } => body.is_end_stream(),
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Filtered { body } => body.ready.is_empty() && body.body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Own { body } => body.size_hint(),
            Kind::Passed { body } => body.size_hint(),
            Kind::Filtered { body } if body.is_whole() => {
                let data = body.ready.iter().flatten().filter_map(Frame::data_ref);
                SizeHint::with_exact(data.map(|piece| piece.len() as u64).sum())
            }
            Kind::Filtered { .. } => SizeHint::default(),
        }
    }
}

/// Says nothing of what is in it.
impl<B: Body> fmt::Debug for ProtectedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedBody").finish_non_exhaustive()
    }
}
