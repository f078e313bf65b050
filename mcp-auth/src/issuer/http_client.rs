//! How documents are fetched: a seam with one careful default.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};

use crate::identifier::is_loopback;

/// Sends HTTP requests to authorization servers.
///
/// The default uses `reqwest` with rustls; give your own through
/// [`McpAuthBuilder::http_client`](crate::McpAuthBuilder::http_client) for a proxy, a private
/// certificate authority, or tests.
pub trait HttpClient: Send + Sync {
    /// Sends one request and reads the whole answer, whatever its status.
    ///
    /// An implementation should not follow redirects to another host, and should bound both time
    /// and size.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>>;
}

/// A request got no usable answer. The text is for operators and must not hold secrets.
#[derive(Clone, Debug)]
pub struct HttpError(String);

impl HttpError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HttpError {}

/// Largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;

/// The default client: no redirects, 1 MiB at most, bounded in time.
pub(crate) struct ReqwestClient {
    timeout: Duration,
    /// By the proxy of the environment, if there is one.
    remote: LazyClient,
    /// To this machine itself, where no proxy can reach.
    loopback: LazyClient,
}

/// Made when first needed: loading the certificate roots takes milliseconds.
type LazyClient = OnceLock<Result<reqwest::Client, HttpError>>;

impl ReqwestClient {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, remote: OnceLock::new(), loopback: OnceLock::new() }
    }

    fn client_for(&self, host: &str) -> Result<&reqwest::Client, HttpError> {
        let loopback = is_loopback(host);
        let build = || {
            let builder = reqwest::Client::builder()
                .timeout(self.timeout)
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("mcp-auth/", env!("CARGO_PKG_VERSION")));
            let builder = if loopback { builder.no_proxy() } else { builder };
            builder.build().map_err(|error| HttpError(describe(&error)))
        };
        let client = if loopback { &self.loopback } else { &self.remote };
        client.get_or_init(build).as_ref().map_err(Clone::clone)
    }

    async fn fetch(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client_for(request.uri().host().unwrap_or_default())?;
        let request = reqwest::Request::try_from(request.map(reqwest::Body::from))
            .map_err(|error| HttpError(describe(&error)))?;
        let answer = client.execute(request).await;
        let mut answer = answer.map_err(|error| HttpError(describe(&error)))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| HttpError(describe(&error)))? {
            if body.len() + chunk.len() > MAX_DOCUMENT {
                return Err(HttpError(format!("the answer is larger than {MAX_DOCUMENT} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

impl HttpClient for ReqwestClient {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        Box::pin(self.fetch(request))
    }
}

/// The whole chain of causes: the outermost alone only says "error sending request".
fn describe(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
