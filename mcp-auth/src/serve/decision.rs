//! What is to be done with a request.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::auth_info::AuthInfo;
use crate::error::AuthError;

/// What is to be done with a request; adapters carry it out and decide nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Hand the request on, without its `Authorization` header and with the caller's identity.
    Forward(Forward),
    /// Answer at once; the request goes no further.
    Reply(Reply),
}

/// A request that may go on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward {
    /// Who is calling.
    pub auth_info: AuthInfo,
    /// To be added to the response by [`Forward::add_headers`]: CORS headers, when a page calls.
    pub response_headers: HeaderMap,
}

impl Forward {
    /// Adds our headers to the service's response, keeping its own lists.
    pub fn add_headers(&self, response: &mut HeaderMap) {
        for (name, value) in &self.response_headers {
            if *name == header::ACCESS_CONTROL_ALLOW_ORIGIN {
                response.insert(name, value.clone());
            } else {
                response.append(name, value.clone());
            }
        }
    }
}

/// An answer that is ready to be sent.
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
