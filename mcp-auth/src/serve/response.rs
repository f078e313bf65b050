//! What is done with a service's response before the client gets it.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Limited};

use super::event_stream::begins;
use super::protected_body::Frames;
use super::{Forward, ListRules, OpenRequest, ProtectedBody, Reply};

/// A longer document is not sent, where its lists are filtered.
pub(super) const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

impl Forward {
    /// Makes the headers of the request what the service may see: [without tokens](Self::remove_tokens),
    /// and asking for no encoding of a response that has to be read.
    pub fn prepare_request(&self, request: &mut HeaderMap) {
        self.remove_tokens(request);
        if self.lists.is_some() {
            request.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
    }

    /// Whether [`Forward::prepare_request`] removes or replaces the header of this name.
    pub fn withholds(&self, name: &str) -> bool {
        let asks_for_encoding = || name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str());
        self.is_token_header(name) || (self.lists.is_some() && asks_for_encoding())
    }

    /// Whether every response goes on as it is, so that [`Forward::respond`] need not be asked.
    pub fn passes_every_response(&self) -> bool {
        !self.changes_responses() && self.open.is_none()
    }

    /// Whether the response goes on as it is.
    pub(super) fn passes(&self, response: &HeaderMap) -> bool {
        let is_settled = |open: &OpenRequest| {
            !(open.is_refused() || (self.may_wait && is_event_stream(response)))
        };
        self.lists.is_none() && self.open.as_deref().is_none_or(is_settled)
    }

    /// The response as the client may see it.
    pub(super) async fn finish<B>(mut self, response: Response<B>) -> Response<ProtectedBody<B>>
    where
        B: Body<Data = Bytes>,
    {
        let (mut parts, body) = response.into_parts();
        self.add_headers(&mut parts.headers);
        let is_stream = is_event_stream(&parts.headers);
        let (mut body, mut frames) = (Some(Box::pin(body)), Frames::<B>::new());
        if let Some(open) = &self.open {
            if is_stream && self.may_wait {
                hold(open, &mut body, &mut frames).await;
            }
            if let Some(refusal) = open.refusal() {
                return refusal.with_headers(self.response_headers).into_response();
            }
        }
        let may_have_lists = parts.status.is_success() && (is_stream || is_json(&parts.headers));
        let (Some(lists), true) = (self.lists.take(), may_have_lists) else {
            return Response::from_parts(parts, ProtectedBody::held(frames, body, None));
        };
        let filtered = match body {
            _ if is_encoded(&parts.headers) => Err("the service encoded it although nobody asked"),
            Some(body) if !is_stream => {
                filter_document(&mut parts, body, &lists).await.map(ProtectedBody::own)
            }
            body => {
                parts.headers.remove(CONTENT_LENGTH);
                Ok(ProtectedBody::held(frames, body, Some(lists)))
            }
        };
        match filtered {
            Ok(body) => Response::from_parts(parts, body),
            Err(reason) => {
                tracing::error!(reason, "a response is withheld: its lists cannot be filtered");
                withheld().with_headers(self.response_headers).into_response()
            }
        }
    }
}

/// Waits until the stream begins in earnest, or the handler refuses.
async fn hold<B>(open: &OpenRequest, body: &mut Option<Pin<Box<B>>>, frames: &mut Frames<B>)
where
    B: Body<Data = Bytes>,
{
    let mut start = BytesMut::new();
    while let (false, Some(unread)) = (open.is_refused(), body.as_mut()) {
        let Some(frame) = unread.frame().await else {
            *body = None;
            return;
        };
        let data = frame.as_ref().ok().and_then(Frame::data_ref);
        data.into_iter().for_each(|data| start.extend_from_slice(data));
        let is_beginning = data.is_none() || begins(&start);
        frames.push_back(frame);
        if is_beginning {
            return;
        }
    }
}

async fn filter_document<B>(
    parts: &mut Parts,
    body: Pin<Box<B>>,
    lists: &ListRules,
) -> Result<Bytes, &'static str>
where
    B: Body<Data = Bytes>,
{
    let body = body.map_err(|_| std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
    let document = Limited::new(body, MAX_DOCUMENT_BYTES).collect().await;
    let document = document.map_err(|_| "it is too long, or broke off")?.to_bytes();
    if document.trim_ascii().is_empty() {
        return Ok(document);
    }
    let changed = lists.apply(&document).map_err(|_| "it is not what a list should be")?;
    Ok(match changed {
        Some(changed) => {
            parts.headers.remove(CONTENT_LENGTH);
            Bytes::from(changed)
        }
        None => document,
    })
}

pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|text| text.eq_ignore_ascii_case("text/event-stream"))
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|text| text.to_ascii_lowercase().ends_with("json"))
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next().map(str::trim)
}

pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|encoding| encoding != "identity")
}

pub(super) fn withheld() -> Reply {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Reply::error(status, "server_error", "the lists of this response cannot be filtered")
}
