//! jwt-authorizer 0.15, which is built on jsonwebtoken 9 (ring) and axum 0.7.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use http::StatusCode;
use jwt_authorizer::{AuthError, Authorizer, IntoLayer as _, RegisteredClaims, Validation};
use tower::ServiceBuilder;

use super::{Contender, Entrant};
use crate::rounds::{Sample, measure};
use crate::world::{RESOURCE, Token, World};

pub(super) struct JwtAuthorizer {
    authorizer: Arc<Authorizer<RegisteredClaims>>,
}

impl JwtAuthorizer {
    pub(super) async fn enter(world: &World) -> Entrant {
        let issuer = world.issuer.issuer();
        let validation = Validation::new().iss(&[issuer]).aud(&[RESOURCE]).nbf(true);
        let builder = jwt_authorizer::JwtAuthorizer::<RegisteredClaims>::from_oidc(issuer);
        let authorizer = Arc::new(builder.validation(validation).build().await?);
        Ok(Box::new(Self { authorizer }))
    }
}

impl Contender for JwtAuthorizer {
    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample> {
        measure(tokens.to_vec(), |token| verify_one(&self.authorizer, token)).boxed_local()
    }

    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool> {
        verify_one(&self.authorizer, token).boxed()
    }

    fn protect(&self, app: Router) -> Router {
        // Its own response type is axum 0.7's; only the status of a refusal is kept.
        let layer = ServiceBuilder::new()
            .map_response(|Adapted(response)| response)
            .layer(self.authorizer.clone().into_layer())
            .map_response(Adapted);
        app.layer(layer)
    }
}

async fn verify_one(authorizer: &Authorizer<RegisteredClaims>, token: &Token) -> bool {
    authorizer.check_auth(&token.compact).await.is_ok()
}

struct Adapted(Response);

impl From<AuthError> for Adapted {
    fn from(_: AuthError) -> Self {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        Self(response)
    }
}
