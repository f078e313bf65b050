//! The body of a response: our own, the service's, or the service's with changes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use super::ListRules;
use super::filtered_events::FilteredEvents;

pin_project! {
    /// The body of a response from an [`AuthService`](crate::AuthService).
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
        Held { frames: Frames<B>, body: Option<Pin<Box<B>>>, events: Option<FilteredEvents> },
    }
}

/// Frames that were read before the response was begun.
pub(super) type Frames<B> = VecDeque<Result<Frame<Bytes>, <B as Body>::Error>>;

impl<B: Body<Data = Bytes>> ProtectedBody<B> {
    /// An answer of ours.
    pub(super) fn own(body: Bytes) -> Self {
        Self { kind: Kind::Own { body: Full::new(body) } }
    }

    /// The service's, as it is.
    pub(super) fn passed(body: B) -> Self {
        Self { kind: Kind::Passed { body } }
    }

    /// The service's, of which some frames were read already; no body: it is over.
    pub(super) fn held(
        frames: Frames<B>,
        body: Option<Pin<Box<B>>>,
        lists: Option<Box<ListRules>>,
    ) -> Self {
        let events = lists.map(FilteredEvents::new);
        Self { kind: Kind::Held { frames, body, events } }
    }
}

/// What [`Reply::into_response`](crate::Reply::into_response) makes of its bytes.
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
            KindProjection::Held { frames, body, events } => loop {
                let frame = match (frames.pop_front(), body.as_mut()) {
                    (Some(frame), _) => Some(frame),
                    (None, Some(unread)) => ready!(unread.as_mut().poll_frame(context)),
                    (None, None) => None,
                };
                if frame.is_none() {
                    *body = None;
                }
                match (frame, events.as_mut()) {
                    (Some(Ok(frame)), Some(events)) => {
                        if let Some(changed) = pass(events, frame) {
                            return Poll::Ready(changed.map(Ok));
                        }
                    }
                    (None, Some(events)) => {
                        let rest = events.finish();
                        return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                    }
                    (frame, _) => return Poll::Ready(frame),
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Own { body } => body.is_end_stream(),
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Held { frames, body, events: None } => {
                frames.is_empty() && body.as_ref().is_none_or(|body| body.is_end_stream())
            }
            Kind::Held { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Own { body } => body.size_hint(),
            Kind::Passed { body } => body.size_hint(),
            Kind::Held { .. } => SizeHint::default(),
        }
    }
}

/// The frame with shorter lists; `None`: nothing to send yet; `Some(None)`: the end.
#[expect(clippy::option_option, reason = "nothing yet and nothing more are different")]
fn pass(events: &mut FilteredEvents, frame: Frame<Bytes>) -> Option<Option<Frame<Bytes>>> {
    match frame.into_data() {
        Ok(data) => match events.push(&data) {
            Some(data) if data.is_empty() => None,
            Some(data) => Some(Some(Frame::data(data))),
            None => Some(None),
        },
        Err(trailers) => Some((!events.is_over()).then_some(trailers)),
    }
}

/// Says nothing of what is in it.
impl<B: Body> fmt::Debug for ProtectedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedBody").finish_non_exhaustive()
    }
}
