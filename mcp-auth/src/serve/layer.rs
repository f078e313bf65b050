//! A tower layer that carries out what [`McpAuth`] decides.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use super::{Decision, Resource};
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
    RequestBody: Send + 'static,
{
    type Response = Response<Either<Full<Bytes>, ResponseBody>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        // The service that is ready is used; its clone may not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match layer.check(&parts).await {
                Decision::Reply(reply) => {
                    Ok(reply.into_response::<Full<Bytes>>().map(Either::Left))
                }
                Decision::Forward(forward) => {
                    // MCP authorization, "Token handling": a token must not be passed on.
                    parts.headers.remove(AUTHORIZATION);
                    parts.extensions.insert(forward.auth_info.clone());
                    let mut response = inner.call(Request::from_parts(parts, body)).await?;
                    forward.add_headers(response.headers_mut());
                    Ok(response.map(Either::Right))
                }
            }
        })
    }
}
