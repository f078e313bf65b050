//! A tower layer that carries out what [`McpAuth`] decides.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, EXPECT};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{Decision, Forward, Resource};
use crate::mcp_auth::McpAuth;

impl McpAuth {
    /// A layer that protects any tower service that speaks HTTP.
    ///
    /// The inner service sees only requests that are allowed, with [`AuthInfo`](crate::AuthInfo)
    /// in their extensions and without `Authorization`. Metadata documents are answered by the
    /// layer where it sees their paths; else add `metadata_router`, or [`McpAuth::metadata`].
    pub fn layer(&self) -> AuthLayer {
        AuthLayer { auth: self.clone(), resource: None }
    }

    /// A layer for one resource, whatever the path that it is mounted at.
    #[cfg(feature = "axum")]
    pub(super) fn layer_for(&self, resource: &Arc<Resource>) -> AuthLayer {
        AuthLayer { auth: self.clone(), resource: Some(resource.clone()) }
    }
}

/// Protects a service; made by [`McpAuth::layer`].
#[derive(Clone, Debug)]
pub struct AuthLayer {
    auth: McpAuth,
    resource: Option<Arc<Resource>>,
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { inner, layer: self.clone() }
    }
}

impl AuthLayer {
    /// What needs neither a signature nor the network: a caller whose token was accepted before.
    fn check_seen(&self, request: &Parts) -> Option<Forward> {
        if let Some(resource) = &self.resource {
            return resource.check_seen(request);
        }
        let path = requested_path(request);
        if path.starts_with("/.well-known/") {
            return None;
        }
        self.auth.resource_at(path)?.check_seen(request)
    }

    async fn check(&self, request: &Parts) -> Decision {
        if let Some(resource) = &self.resource {
            return resource.check(request).await;
        }
        let path = requested_path(request);
        // A layer around a whole application must not ask for a token where clients learn how to
        // get one.
        match self.auth.metadata_at(path, request).await {
            Some(document) => Decision::Reply(document),
            None => self.auth.check_at(path, request).await,
        }
    }
}

/// The path that the client asked for: a nested axum router cuts its own off.
fn requested_path(request: &Parts) -> &str {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions.get::<axum::extract::OriginalUri>() {
        return original.path();
    }
    request.uri.path()
}

/// A protected service; made by [`AuthLayer`].
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    inner: S,
    layer: AuthLayer,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for AuthService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>> + Clone + Send + 'static,
    S::Future: Send,
    RequestBody: BodyExt + Send + 'static,
    RequestBody::Data: Send,
    RequestBody::Error: Send,
{
    type Response = Response<Either<Full<Bytes>, ResponseBody>>;
    type Error = S::Error;
    type Future = AuthFuture<S::Future, Self::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let (parts, body) = request.into_parts();
        // Nearly every request: handed on without memory for a task of its own.
        if let Some(forward) = self.layer.check_seen(&parts) {
            let future = self.inner.call(admitted(parts, body, &forward));
            return AuthFuture { state: State::Forwarded { future, forward } };
        }
        // The service that is ready is used; its clone may not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        let future = Box::pin(async move {
            match layer.check(&parts).await {
                Decision::Reply(reply) => {
                    discard(&parts, body).await;
                    Ok(reply.into_response::<Full<Bytes>>().map(Either::Left))
                }
                Decision::Forward(forward) => {
                    let mut response = inner.call(admitted(parts, body, &forward)).await?;
                    forward.add_headers(response.headers_mut());
                    Ok(response.map(Either::Right))
                }
            }
        });
        AuthFuture { state: State::Checked { future } }
    }
}

/// Reads what a refused request still sends, within limits.
///
/// A server that answers before it has read the body closes the connection afterwards, and a
/// client that has just put it back for its next request, the sign-in, loses that request.
async fn discard<B: BodyExt>(parts: &Parts, body: B) {
    // RFC 9110 §10.1.1: this client waits for our word before it sends anything.
    if parts.headers.contains_key(EXPECT) {
        return;
    }
    let mut body = std::pin::pin!(body);
    let mut left = MAX_DISCARDED;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Buf::remaining);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Bytes of a refused request that are read and thrown away; one with more loses its connection.
const MAX_DISCARDED: usize = 256 * 1024;

/// The request as the service sees it.
fn admitted<B>(mut parts: Parts, body: B, forward: &Forward) -> Request<B> {
    // MCP authorization, "Token handling": a token must not be passed on.
    parts.headers.remove(AUTHORIZATION);
    parts.extensions.insert(forward.auth_info.clone());
    Request::from_parts(parts, body)
}

pin_project! {
    /// The response of an [`AuthService`].
    pub struct AuthFuture<F, R, E> {
        #[pin]
        state: State<F, R, E>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R, E> {
        Forwarded { #[pin] future: F, forward: Forward },
        Checked { future: BoxFuture<'static, Result<R, E>> },
    }
}

impl<F, B, E> Future for AuthFuture<F, Response<Either<Full<Bytes>, B>>, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Either<Full<Bytes>, B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Forwarded { future, forward } => {
                let mut response = ready!(future.poll(context))?;
                forward.add_headers(response.headers_mut());
                Poll::Ready(Ok(response.map(Either::Right)))
            }
            StateProjection::Checked { future } => future.as_mut().poll(context),
        }
    }
}

/// Says nothing of the request in it.
impl<F, R, E> fmt::Debug for AuthFuture<F, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}
