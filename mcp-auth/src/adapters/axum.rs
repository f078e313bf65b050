//! axum: one call that protects a server, and the caller as an extractor.
//!
//! Everything here is the [layer](McpAuth::layer) at the right routes. A handler that wants [`AuthInfo`] on a route that
//! is not behind it gets a 500, and the log says what to add.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::auth_info::AuthInfo;
use crate::downstream::DownstreamError;
use crate::error::InsufficientScope;
use crate::mcp_auth::McpAuth;
use crate::serve::Reply;
use crate::text::Quoted;

impl McpAuth {
    /// A router with the service at the path of every resource, and what [`McpAuth::metadata_router`] has.
    ///
    /// `/mcp` and `/mcp/` both answer, without a redirect: some clients drop the token when they follow one. It
    /// has no other routes and no fallback, so it can be merged into a router of yours. Behind a prefix that
    /// your router cuts off (`nest`), the path that the client asked for counts. The routes are made once: see
    /// [`McpAuth::reload`].
    pub fn protect<S, B>(&self, service: S) -> Router
    where
        S: Service<Request, Response = http::Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError> + Send,
    {
        let mut router = self.metadata_router();
        for place in self.told_places() {
            let protected = self.layer_for(&place).layer(service.clone());
            for path in with_and_without_slash(place.path()) {
                router = router.route_service(&path, protected.clone());
            }
        }
        router
    }

    /// A router with the metadata documents, and the paths where issuers tell something ([`McpAuth::notice_paths`]), to
    /// merge into one of yours. Needed where [`McpAuth::layer`] stands around the MCP endpoint only: clients look for the
    /// documents at the root of the origin.
    pub fn metadata_router(&self) -> Router {
        let mut router = Router::new().without_v07_checks();
        for path in self.metadata_paths() {
            router = router.route(&path, any(metadata));
        }
        for path in [self.told_notice_paths(), self.told_connect_paths()].concat() {
            // The layer answers all that comes there.
            let answered = self.layer_around_all().layer(any(nothing_is_there));
            router = router.route_service(&path, answered);
        }
        router.with_state(self.clone())
    }
}

async fn nothing_is_there() -> Reply {
    Reply::not_found()
}

async fn metadata(State(auth): State<McpAuth>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    auth.metadata(&parts).await.unwrap_or_else(Reply::not_found).into_response()
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        Reply::into_response::<Body>(self)
    }
}

/// A 403 with the challenge.
impl IntoResponse for InsufficientScope {
    fn into_response(self) -> Response {
        let (status, description) =
            (StatusCode::FORBIDDEN, "the access token lacks a required scope");
        let mut reply = Reply::error(status, "insufficient_scope", description);
        let challenge = self.challenge.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
        reply.headers.extend(challenge.map(|value| (WWW_AUTHENTICATE, value)));
        reply.into_response()
    }
}

/// The status that says it; where the caller has to do something, the layer around the handler puts the challenge in its
/// place.
impl IntoResponse for DownstreamError {
    fn into_response(self) -> Response {
        let mut reply = Reply::error(self.status(), self.code(), &self.to_string());
        if let Some(seconds) = self.retry_after() {
            reply.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        reply.into_response()
    }
}

/// The caller of a protected route.
///
/// A route that is not behind [`McpAuth::layer`] has none: it answers 500, and says so in the log.
impl<S: Send + Sync> FromRequestParts<S> for AuthInfo {
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Reply> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!(
                path = %Quoted(parts.uri.path()),
                "a handler wants AuthInfo on an unprotected route"
            );
            Reply::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "this route is not protected; add McpAuth::layer()",
            )
        })
    }
}

/// The caller, where a route may be protected or not.
impl<S: Send + Sync> OptionalFromRequestParts<S> for AuthInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// `/mcp` and `/mcp/`, so that neither needs a redirect; the root is only itself.
fn with_and_without_slash(path: &str) -> Vec<String> {
    let trimmed = path.trim_end_matches('/');
    let mut paths = vec![path.to_owned(), trimmed.to_owned(), format!("{trimmed}/")];
    paths.retain(|one| !one.is_empty());
    paths.sort();
    paths.dedup();
    paths
}
