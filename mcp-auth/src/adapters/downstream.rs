//! A tower layer for HTTP clients: it puts the token of a downstream API on requests to it.
//!
//! 1. A request to the API gets the token of its caller; an `Authorization` that is there already goes.
//! 2. After a 401, the token is forgotten, and the request sent once more with a new one.
//! 3. A request to anywhere else goes without a token.
//! 4. Without a token, nothing is sent to the API.

use std::fmt;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::auth_info::AuthInfo;
use crate::downstream::Downstream;

/// What is wrong with a call: that of the client, or a [`DownstreamError`](crate::downstream::DownstreamError).
type CallError = Box<dyn std::error::Error + Send + Sync>;

impl Downstream {
    /// A layer for an HTTP client, to call the API for this caller.
    ///
    /// The client must not follow redirects by itself: it would take the token along. Bodies are sent twice where the API
    /// answers 401 and there is a newer token, so they must be ones that can be cloned, such as those that are in memory.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use mcp_auth::downstream::Downstream;
    /// use mcp_auth::AuthInfo;
    /// use tower::{Layer as _, ServiceExt as _};
    ///
    /// async fn reports<C>(client: C, api: &Downstream, caller: &AuthInfo) -> Result<C::Response, Box<dyn std::error::Error + Send + Sync>>
    /// where
    ///     C: tower::Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>> + Clone + Send + 'static,
    ///     C::Future: Send,
    ///     C::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    /// {
    ///     let request = Request::get("https://reports.example.com/all").body(Full::default())?;
    ///     api.layer_for(caller).layer(client).oneshot(request).await
    /// }
    /// ```
    pub fn layer_for(&self, caller: &AuthInfo) -> DownstreamLayer {
        DownstreamLayer { downstream: self.clone(), caller: caller.clone() }
    }
}

/// Puts the token of a caller on requests to an API: [`Downstream::layer_for`].
#[derive(Clone, Debug)]
pub struct DownstreamLayer {
    downstream: Downstream,
    caller: AuthInfo,
}

impl<C> Layer<C> for DownstreamLayer {
    type Service = DownstreamClient<C>;

    fn layer(&self, client: C) -> DownstreamClient<C> {
        DownstreamClient { layer: self.clone(), client }
    }
}

/// An HTTP client that calls an API for one caller.
#[derive(Clone)]
pub struct DownstreamClient<C> {
    layer: DownstreamLayer,
    client: C,
}

impl<C> fmt::Debug for DownstreamClient<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownstreamClient").field("layer", &self.layer).finish_non_exhaustive()
    }
}

impl<C, B, R> Service<Request<B>> for DownstreamClient<C>
where
    C: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    C::Future: Send,
    C::Error: Into<CallError>,
    B: Clone + Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = CallError;
    type Future = BoxFuture<'static, Result<Response<R>, CallError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        self.client.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that was polled until it was ready is used, and another takes its place.
        let another = self.client.clone();
        let mut client = std::mem::replace(&mut self.client, another);
        let DownstreamLayer { downstream, caller } = self.layer.clone();
        request.headers_mut().remove(AUTHORIZATION);
        Box::pin(async move {
            if !downstream.is_at(request.uri()) {
                return client.call(request).await.map_err(Into::into);
            }
            let token = downstream.token_for(&caller).await?;
            let mut again = request.clone();
            request.headers_mut().insert(AUTHORIZATION, token.header_value());
            let response = client.call(request).await.map_err(Into::into)?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            downstream.forget(&caller, &token);
            let newer = downstream.token_for(&caller).await?;
            // It is not forgotten where it came in place of one that was refused just now.
            if newer.expose() == token.expose() {
                return Ok(response);
            }
            again.headers_mut().insert(AUTHORIZATION, newer.header_value());
            std::future::poll_fn(|context| client.poll_ready(context)).await.map_err(Into::into)?;
            client.call(again).await.map_err(Into::into)
        })
    }
}
