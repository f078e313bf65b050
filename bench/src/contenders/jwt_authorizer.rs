//! jwt-authorizer 0.15, which is built on jsonwebtoken 9 (ring) and axum 0.7.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use http::StatusCode;
use jsonwebtoken_9::TokenData;
use jwt_authorizer::{AuthError, Authorizer, IntoLayer as _, Validation};
use tower::ServiceBuilder;

use super::{Claims, Contender, Entrant, ReadSubject};
use crate::rounds::{Sample, measure};
use crate::world::{RESOURCE, Token, World};

pub(super) struct JwtAuthorizer {
    authorizer: Arc<Authorizer<Claims>>,
}

impl JwtAuthorizer {
    pub(super) async fn enter(world: &World) -> Entrant {
        let issuer = world.issuer.issuer();
        let validation = Validation::new().iss(&[issuer]).aud(&[RESOURCE]).nbf(true);
        let builder = jwt_authorizer::JwtAuthorizer::<Claims>::from_oidc(issuer);
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

    fn read_subject(&self) -> ReadSubject {
        |extensions| Some(&extensions.get::<TokenData<Claims>>()?.claims.sub)
    }
}

async fn verify_one(authorizer: &Authorizer<Claims>, token: &Token) -> bool {
    let found = authorizer.check_auth(&token.compact).await;
    found.is_ok_and(|token| token.claims.is_of_the_subject())
}

struct Adapted(Response);

impl From<AuthError> for Adapted {
    fn from(_: AuthError) -> Self {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        Self(response)
    }
}
