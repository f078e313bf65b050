//! How documents are fetched: a trait, so that a user can bring another client.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};

use super::FaultKind;

/// Sends HTTP requests to authorization servers.
///
/// The default uses `reqwest` with rustls; give your own through
/// [`McpAuthBuilder::http_client`](crate::McpAuthBuilder::http_client) for a proxy with rules of
/// its own, or for tests.
pub trait HttpClient: Send + Sync {
    /// Sends one request and reads the whole answer. An answer with an error status is no [`HttpError`].
    ///
    /// An implementation should follow redirects within the same origin at most, should bound both
    /// time and size, and should connect only where the [`AllowedAddresses`](crate::http_client::AllowedAddresses)
    /// in the request's extensions permit. A `POST`, or a request with `Authorization`, is a question about a token:
    /// no redirect but 307 and 308 repeats it, and the answer to another question must not be taken for its own. So
    /// a connection that was used before is safe only if nothing is left on it to be read, and what was sent on one
    /// that the server had closed must be sent again.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>>;
}

/// A request got no usable answer. The text is for operators and must not hold secrets.
#[derive(Clone, Debug)]
pub struct HttpError {
    text: String,
    kind: FaultKind,
}

impl HttpError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: FaultKind::Unreachable }
    }

    /// There was an answer, which is of no use: it is too large, or leads elsewhere.
    pub(super) fn of_answer(kind: FaultKind, text: impl Into<String>) -> Self {
        Self { text: text.into(), kind }
    }

    pub(super) fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for HttpError {}
