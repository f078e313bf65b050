//! The built-in client: careful about where it connects, what it follows, and how much it reads.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Identity;
use reqwest::redirect::{Action, Attempt, Policy};

use super::resolver::{HINT, PublicResolver, SystemResolver};
use super::{AllowedAddresses, FaultKind, HttpClient, HttpError, TrustAnchors};
use crate::identifier::is_loopback;

/// Largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 1024 * 1024;
/// Redirects that are followed for one document.
const MAX_REDIRECTS: usize = 3;

/// The default client: redirects within an origin, 1 MiB at most, bounded in time, and a connection of its own for
/// each request.
pub(crate) struct ReqwestClient {
    timeout: Duration,
    /// Which redirects are followed.
    redirects: fn(Attempt<'_>) -> Action,
    trust_anchors: TrustAnchors,
    /// The certificate that is shown to servers that ask for one.
    identity: Option<Identity>,
    proxies: Matcher,
    /// To other machines, by the proxy of the environment if there is one.
    remote: LazyClient,
    /// To this machine itself, where no proxy can reach.
    loopback: LazyClient,
    /// To this machine itself without TLS, as a development issuer is: no roots are loaded for it.
    plain_loopback: LazyClient,
    /// To public addresses only, without a proxy.
    public: LazyClient,
}

/// Made when first needed: loading the certificate roots takes milliseconds.
type LazyClient = OnceLock<Result<reqwest::Client, HttpError>>;

impl ReqwestClient {
    /// For metadata and keys.
    pub(crate) fn for_documents(timeout: Duration, trust_anchors: TrustAnchors) -> Self {
        Self::new(timeout, trust_anchors, within_the_origin, None)
    }

    /// For questions about tokens, which no redirect may turn into other questions.
    pub(crate) fn for_questions(
        timeout: Duration,
        trust_anchors: TrustAnchors,
        identity: Option<Identity>,
    ) -> Self {
        Self::new(timeout, trust_anchors, repeated_within_the_origin, identity)
    }

    fn new(
        timeout: Duration,
        trust_anchors: TrustAnchors,
        redirects: fn(Attempt<'_>) -> Action,
        identity: Option<Identity>,
    ) -> Self {
        let proxies = Matcher::from_system();
        let [remote, loopback, plain_loopback, public] = [const { OnceLock::new() }; 4];
        Self {
            timeout,
            redirects,
            trust_anchors,
            identity,
            proxies,
            remote,
            loopback,
            plain_loopback,
            public,
        }
    }

    fn client_for(
        &self,
        request: &reqwest::Request,
        addresses: AllowedAddresses,
    ) -> Result<&reqwest::Client, HttpError> {
        let host = request.url().host_str().ok_or_else(|| HttpError::new("the URL has no host"))?;
        if addresses == AllowedAddresses::Public {
            refuse_private(host)?;
            // A proxy resolves names itself, and decides itself where it goes.
            if !self.is_proxied(request) {
                return self.get_or_build(&self.public, |builder| {
                    builder.no_proxy().dns_resolver(PublicResolver(SystemResolver))
                });
            }
        }
        if is_loopback(host) && request.url().scheme() == "http" {
            return self.get_or_build(&self.plain_loopback, |builder| {
                builder.no_proxy().tls_certs_only([])
            });
        }
        if is_loopback(host) {
            return self.get_or_build(&self.loopback, reqwest::ClientBuilder::no_proxy);
        }
        self.get_or_build(&self.remote, |builder| builder)
    }

    fn is_proxied(&self, request: &reqwest::Request) -> bool {
        let parsed = request.url().as_str().parse();
        parsed.is_ok_and(|uri| self.proxies.intercept(&uri).is_some())
    }

    /// One of these clients; it is built when there is none yet, by what all share and what is `special` to it.
    fn get_or_build<'a>(
        &self,
        client: &'a LazyClient,
        special: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<&'a reqwest::Client, HttpError> {
        client
            .get_or_init(|| special(self.client_builder()).build().map_err(http_error_of))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// What all clients share.
    fn client_builder(&self) -> reqwest::ClientBuilder {
        // RFC 9112 §9.6: the server need not keep the connection either.
        let close = HeaderMap::from_iter([(header::CONNECTION, HeaderValue::from_static("close"))]);
        let builder = reqwest::Client::builder()
            .timeout(self.timeout)
            // A connection that was used before may be closed by now, or hold an answer that nobody asked for: it
            // would be taken for the answer to the next question.
            .pool_max_idle_per_host(0)
            .default_headers(close)
            // So that after an address that does not answer another one can be tried.
            .connect_timeout(self.timeout / 2)
            .tls_certs_merge(self.trust_anchors.certificates())
            .redirect(Policy::custom(self.redirects))
            .user_agent(concat!("mcp-auth/", env!("CARGO_PKG_VERSION")));
        match &self.identity {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    }

    async fn fetch(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let addresses = request.extensions().get().copied().unwrap_or(AllowedAddresses::Public);
        let outgoing =
            reqwest::Request::try_from(request.map(reqwest::Body::from)).map_err(http_error_of)?;
        let client = self.client_for(&outgoing, addresses)?;
        let mut answer = client.execute(outgoing).await.map_err(http_error_of)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(http_error_of)? {
            if body.len() + chunk.len() > MAX_DOCUMENT {
                let reason = format!("larger than {MAX_DOCUMENT} bytes");
                return Err(HttpError::of_answer(FaultKind::NoDocument, reason));
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

/// Refuses private addresses and names of this machine, about which our resolver is never asked.
fn refuse_private(host: &str) -> Result<(), HttpError> {
    let parsed = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_private = parsed.is_ok_and(|address| !AllowedAddresses::Public.permits(address));
    if is_private || is_loopback(host) {
        return Err(HttpError::new(format!("{host} is not a public address; {HINT}")));
    }
    Ok(())
}

/// For questions. RFC 9110 §15.4: 301, 302 and 303 may turn a POST into a GET without its body, and what is answered
/// then is not what was asked.
fn repeated_within_the_origin(attempt: Attempt<'_>) -> Action {
    match attempt.status() {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
            within_the_origin(attempt)
        }
        other => {
            let status = other.as_u16();
            attempt.error(format!("redirected with {status}, which does not repeat the question"))
        }
    }
}

fn within_the_origin(attempt: Attempt<'_>) -> Action {
    let first_url = attempt.previous().first();
    if first_url.is_none_or(|url| url.origin() != attempt.url().origin()) {
        return attempt.error("redirected to another origin");
    }
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("redirected too often");
    }
    attempt.follow()
}

/// An error with its innermost cause, which says what happened, and without the URL, which whoever reports it names.
fn http_error_of(error: reqwest::Error) -> HttpError {
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let cause = innermost.to_string();
    if error.is_redirect() {
        return HttpError::of_answer(FaultKind::Redirected, cause);
    }
    if error.is_connect() {
        return HttpError::new(format!("no connection: {cause}"));
    }
    if error.is_request() {
        return HttpError::new(format!("no answer: {cause}"));
    }
    HttpError::new(format!("{}: {cause}", error.without_url()))
}
