//! What is to be done with a request.
//!
//! Tested in `adapters::adapter`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::PendingDecision;
use super::exchange::Exchange;
use super::response::ListRules;
use crate::auth_info::AuthInfo;
use crate::error::AuthError;

/// What is to be done with a request; adapters carry it out and decide nothing.
///
/// # Examples
///
/// An adapter for a framework whose bodies are bytes:
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response, StatusCode};
/// use mcp_auth::decision::{Decision, Passage};
/// use mcp_auth::McpAuth;
///
/// async fn serve(
///     auth: &McpAuth,
///     request: Request<Bytes>,
///     service: impl Fn(Request<Bytes>) -> Response<Bytes>,
/// ) -> Response<Bytes> {
///     let (mut head, mut body) = request.into_parts();
///     let mut decision = auth.decide(&head).await;
///     if let Decision::ReadBody(pending) = decision {
///         if body.len() > pending.max_bytes() {
///             return pending.too_large().into_response();
///         }
///         decision = pending.decide(&head, &body).await;
///     }
///     let forward = match decision {
///         Decision::Forward(forward) => forward,
///         Decision::Reply(reply) => return reply.into_response(),
///         _ => panic!("it is asked for the body once"),
///     };
///     forward.prepare_request(&mut head.headers);
///     if let Some(replaced) = forward.body() {
///         body = replaced.clone();
///     } else if !forward.takes_body() {
///         body = Bytes::new();
///     }
///     head.extensions.insert(forward.auth_info.clone());
///     let (mut head, body) = service(Request::from_parts(head, body)).into_parts();
///     let mut filter = forward.respond(head.status, &mut head.headers);
///     let mut sent = Vec::new();
///     for passage in [filter.push(&body), filter.end()] {
///         match passage {
///             Passage::Send(data) => sent.extend(data),
///             Passage::Replace(reply) => return reply.into_response(),
///             // Nothing may be sent of a response that is cut off.
///             Passage::CutOff => sent.clear(),
///             _ => {}
///         }
///     }
///     Response::from_parts(head, sent.into())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = dev_issuer::DevIssuer::start().await?;
/// let config = mcp_auth::Config::new("https://mcp.example.com/mcp", issuer.issuer())?;
/// let auth = McpAuth::new(config)?;
/// let request = |token: &str| Request::get("/mcp").header("authorization", token).body(Bytes::new());
/// let service = |_| Response::new(Bytes::new());
/// let token = format!("Bearer {}", issuer.mint().audience("https://mcp.example.com/mcp").sign());
/// assert_eq!(serve(&auth, request(&token)?, service).await.status(), StatusCode::OK);
/// assert_eq!(serve(&auth, request("Bearer x")?, service).await.status(), StatusCode::UNAUTHORIZED);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Hand the request on, without its `Authorization` header and with the caller's identity.
    Forward(Forward),
    /// Read the body first: the answer depends on what it asks for.
    ReadBody(PendingDecision),
    /// Answer at once; the request goes no further.
    Reply(Reply),
}

impl Decision {
    /// The answer, where the request does not go on.
    pub(crate) fn into_reply(self) -> Reply {
        match self {
            Self::Reply(reply) => reply,
            // What was not decided is not allowed.
            Self::Forward(_) | Self::ReadBody(_) => Reply::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "the request was not decided",
            ),
        }
    }
}

/// A request that may go on.
///
/// What is to be done with the response, such as filtering its lists, [`Forward::respond`] knows; the layer
/// does it by itself.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct Forward {
    /// Who is calling; `None` only for operations that need no token by policy.
    pub auth_info: Option<AuthInfo>,
    /// To be added to the response by [`Forward::add_headers`]: CORS headers, when a page calls.
    pub response_headers: HeaderMap,
    /// Where tokens may be besides `Authorization`.
    token_headers: Option<Arc<[HeaderName]>>,
    /// What the lists in the response may show; `None`: it is passed on as it is.
    pub(super) lists: Option<Box<ListRules>>,
    /// Where a handler's refusal is found.
    pub(super) exchange: Arc<Exchange>,
    /// Whether a refusal takes the place of the response; else the handler's error says it all.
    pub(super) looks_for_refusal: bool,
    /// Whether the start of a stream may wait for it.
    pub(super) may_wait: bool,
    takes_body: bool,
}

impl Forward {
    pub(super) fn new(
        exchange: Arc<Exchange>,
        auth_info: Option<AuthInfo>,
        response_headers: HeaderMap,
    ) -> Self {
        let headers = &exchange.resource.authenticator.token_headers;
        let token_headers = (!headers.is_empty()).then(|| headers.clone());
        Self {
            auth_info: auth_info.map(|caller| caller.with_step_up(exchange.clone())),
            response_headers,
            token_headers,
            lists: None,
            exchange,
            looks_for_refusal: false,
            may_wait: false,
            takes_body: true,
        }
    }

    /// Hands on a request that calls nothing, as far as its head tells: no body goes with it.
    pub(super) fn without_body(mut self) -> Self {
        self.takes_body = false;
        self
    }

    /// Whether the request goes on with its body. Under a policy only a POST does: what is behind us may
    /// take a GET for one, and nobody has looked at its body. HTTP/2 has no header that would have told
    /// of it. Adapters hand on an empty body instead.
    pub fn takes_body(&self) -> bool {
        self.takes_body
    }

    pub(super) fn with_lists(mut self, lists: Option<ListRules>) -> Self {
        self.lists = lists.map(Box::new);
        self
    }

    /// Looks whether a handler has asked for more scopes, and lets the start of a stream wait for that.
    pub(super) fn with_step_up(mut self, may_wait: bool) -> Self {
        self.looks_for_refusal = true;
        self.may_wait = may_wait;
        self
    }

    /// Removes every header that may hold a token from the request, before it goes on.
    pub fn remove_tokens(&self, request: &mut HeaderMap) {
        // MCP authorization, "Token handling": a token must not be passed on.
        request.remove(header::AUTHORIZATION);
        for name in self.token_headers.iter().flat_map(|names| &**names) {
            request.remove(name);
        }
    }

    pub(super) fn is_token_header(&self, name: &str) -> bool {
        let mut others = self.token_headers.iter().flat_map(|names| &**names);
        name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str())
            || others.any(|other| name.eq_ignore_ascii_case(other.as_str()))
    }

    /// Seals the session that the service's response names, and adds our headers, keeping its own lists.
    pub fn add_headers(&self, response: &mut HeaderMap) {
        self.exchange.prepare_response(response);
        for (name, value) in &self.response_headers {
            if *name == header::ACCESS_CONTROL_ALLOW_ORIGIN {
                response.insert(name, value.clone());
            } else {
                response.append(name, value.clone());
            }
        }
    }
}

/// An answer that is ready to be sent: a refusal, a preflight, or a metadata document.
///
/// Its texts are fixed. Why a request was refused is in [`Reply::error`](field@Reply::error), for outer layers and logs; a client that
/// learned which part of its token was wrong could try the parts one by one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// All headers, `Content-Type` included.
    pub headers: HeaderMap,
    /// The body; JSON unless it is empty.
    pub body: Bytes,
    /// Why the request is refused, for outer layers; `None` when it is not.
    pub error: Option<AuthError>,
}

impl Reply {
    /// A JSON document.
    pub(crate) fn json(status: StatusCode, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers, body, error: None }
    }

    /// A JSON error in the form of RFC 6749 §5.2, which must not be cached.
    pub(crate) fn error(status: StatusCode, error: &str, description: &str) -> Self {
        let body = json!({ "error": error, "error_description": description });
        let mut reply = Self::json(status, Bytes::from(body.to_string()));
        reply.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply
    }

    /// Names the methods that are allowed.
    pub(crate) fn method_not_allowed(allowed: &'static str) -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut reply = Self::error(status, "method_not_allowed", "not with this method");
        reply.headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        reply
    }

    pub(crate) fn not_found() -> Self {
        Self::error(StatusCode::NOT_FOUND, "not_found", "nothing is served at this path")
    }

    /// A status alone.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), error: None }
    }

    #[must_use]
    pub(crate) fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers.extend(headers);
        self
    }

    /// As a response with any body type; why it was refused is in the extensions, as [`AuthError`].
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(B::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(error) = self.error {
            response.extensions_mut().insert(error);
        }
        response
    }
}
