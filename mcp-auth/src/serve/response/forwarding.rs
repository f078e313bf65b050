//! What [`Forward`] knows of the response to the request that it hands on.
//!
//! Tested in `adapters::adapter`.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body;

use super::body_kind::is_event_stream;
use super::timed_stream::TimedStream;
use super::{Passage, ProtectedBody, ResponseFilter};
use crate::serve::Forward;
use crate::serve::sessions::MCP_SESSION_ID;

impl Forward {
    /// Makes the headers of the request what the service may see: [without tokens](Self::remove_tokens), with the
    /// length of the [body](Self::body) that goes on, and asking for no encoding of a response that has to be read.
    pub fn prepare_request(&self, request: &mut HeaderMap) {
        self.remove_tokens(request);
        if self.replaces_headers() {
            for (name, value) in self.replaced_headers() {
                if request.contains_key(&name) {
                    request.insert(name, value);
                }
            }
        }
        if self.lists.is_some() {
            request.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
    }

    /// Whether [`Forward::prepare_request`] removes or replaces the header of this name.
    pub fn withholds(&self, name: &str) -> bool {
        self.is_token_header(name)
            || (self.replaces_headers()
                && self.replaced_headers().any(|(one, _)| name.eq_ignore_ascii_case(one.as_str())))
            || (self.lists.is_some() && name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str()))
    }

    /// The session that the request names, as the service knows it: what [`Forward::prepare_request`] puts in the place of
    /// the header that it [withholds](Self::withholds). `None`: the request names none, or sessions are not bound.
    pub fn session_header(&self) -> Option<(&HeaderName, &HeaderValue)> {
        Some((&MCP_SESSION_ID, self.held.admitted().session.as_ref()?))
    }

    /// A session identifier of the service's as the client gets it: what [`Forward::add_headers`] puts in the place of each.
    /// `None`: it must not be sent. Where sessions are not bound, it is the same.
    pub fn seal_session(&self, given: &HeaderValue) -> Option<HeaderValue> {
        self.held.admitted().seal(given)
    }

    /// Whether the identifiers of sessions in responses are sealed: each response must then be looked at for
    /// `Mcp-Session-Id`.
    pub fn binds_sessions(&self) -> bool {
        self.held.admitted().binds_sessions()
    }

    /// Whether every response goes on as it is, so that [`Forward::respond`] need not be asked: but for streams of events,
    /// which [`Forward::stream_end`] ends.
    pub fn passes_every_response(&self) -> bool {
        self.passes_all_but_sessions() && !self.binds_sessions()
    }

    /// Whether nothing of any response changes but the session that it names: [`Forward::seal_session`] for each
    /// `Mcp-Session-Id` is then all that [`Forward::respond`] would do. Streams of events are ended as well: see
    /// [`Forward::stream_end`].
    pub fn only_seals_sessions(&self) -> bool {
        self.passes_all_but_sessions() && self.binds_sessions()
    }

    /// Whether the issuer of the caller's token was asked about it, so that it is asked again while a stream is open. Only
    /// [`Forward::stream_end`] does that, and not [`McpAuth::stream_end`](crate::McpAuth::stream_end), which has no token to
    /// ask about.
    pub fn asks_issuer_again(&self) -> bool {
        self.auth_info.as_ref().is_some_and(|caller| caller.issuer_answer().is_known())
    }

    fn passes_all_but_sessions(&self) -> bool {
        !self.changes_responses() && !self.looks_for_refusal
    }

    /// Whether the response goes on as it is.
    fn passes(&self, is_stream: bool) -> bool {
        let may_be_replaced = self.held.is_refused() || (self.may_wait && is_stream);
        self.lists.is_none() && !(self.looks_for_refusal && may_be_replaced)
    }

    /// Whether [`Forward::respond`] could change the headers or the body of an ordinary response: one
    /// that is no event stream, to a request whose handler asked for no more scopes.
    ///
    /// Under a policy it is asked about every response: any could hold a list.
    pub fn changes_responses(&self) -> bool {
        self.lists.is_some() || !self.response_headers.is_empty()
    }

    /// Looks at the start of the service's response and prepares its headers.
    ///
    /// Under a policy lists are filtered in every response, whatever its status and its content type say.
    /// Give it all headers that describe the body: `Content-Type`, `Content-Encoding`, `Content-Length` and
    /// `Transfer-Encoding`; and `Mcp-Session-Id` as the service gave it, to which events belong.
    pub fn respond(self, status: StatusCode, headers: &mut HeaderMap) -> ResponseFilter {
        let is_stream = is_event_stream(headers);
        self.respond_with(status, headers, is_stream)
    }

    /// The same where it is known whether the response is a stream of events.
    fn respond_with(
        mut self,
        status: StatusCode,
        headers: &mut HeaderMap,
        is_stream: bool,
    ) -> ResponseFilter {
        if let Some(lists) = &mut self.lists {
            lists.note_session(headers);
        }
        self.add_headers(headers);
        ResponseFilter::new(self, status, headers, is_stream)
    }

    /// The response as the client may see it. It is not to be sent before [`poll_start`] says so.
    pub(crate) fn filter<B>(self, mut response: Response<B>) -> Response<ProtectedBody<B>>
    where
        B: Body<Data = Bytes>,
    {
        let stream_end = self.stream_end(response.headers_mut());
        let is_stream = stream_end.is_some();
        let end = stream_end.map(|end| Box::new(TimedStream::new(end)));
        if self.passes(is_stream) {
            self.add_headers(response.headers_mut());
            return response.map(|body| ProtectedBody::passed(body).ending_with(end));
        }
        let had_length = response.headers().contains_key(CONTENT_LENGTH);
        let status = response.status();
        let mut filter = self.respond_with(status, response.headers_mut(), is_stream);
        if let Some(Passage::Replace(reply)) = filter.refusal() {
            return reply.into_response();
        }
        response.map(|body| ProtectedBody::filtered(filter, body, had_length).ending_with(end))
    }
}

/// Waits until it is certain what is sent first, and puts another response in place of the whole one where that is due.
pub(crate) fn poll_start<B>(
    response: &mut Response<ProtectedBody<B>>,
    context: &mut Context<'_>,
) -> Poll<()>
where
    B: Body<Data = Bytes>,
{
    if let Some(reply) = ready!(response.body_mut().poll_start(context)) {
        *response = reply.into_response();
        return Poll::Ready(());
    }
    if let Some(length) = response.body().changed_length()
        && !response.headers().contains_key(CONTENT_LENGTH)
    {
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    Poll::Ready(())
}
