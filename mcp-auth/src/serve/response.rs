//! What is done with a service's response before the client gets it, by the layer.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Body;

pub(super) use super::body_kind::is_encoded;
use super::body_kind::is_event_stream;
use super::{Forward, OpenRequest, ProtectedBody};

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

    /// The response as the client may see it, once it is certain what is sent first.
    pub(super) async fn finish<B>(self, response: Response<B>) -> Response<ProtectedBody<B>>
    where
        B: Body<Data = Bytes>,
    {
        let (mut parts, body) = response.into_parts();
        let had_length = parts.headers.contains_key(CONTENT_LENGTH);
        let filter = self.respond(parts.status, &mut parts.headers);
        if filter.is_transparent() {
            return Response::from_parts(parts, ProtectedBody::passed(body));
        }
        match ProtectedBody::begin(filter, body).await {
            Ok(body) => {
                let length = body.size_hint().exact().filter(|_| had_length);
                if let Some(length) = length.filter(|_| !parts.headers.contains_key(CONTENT_LENGTH))
                {
                    parts.headers.insert(CONTENT_LENGTH, length.into());
                }
                Response::from_parts(parts, body)
            }
            Err(reply) => reply.into_response(),
        }
    }
}
