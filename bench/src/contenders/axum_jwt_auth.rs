//! axum-jwt-auth 0.7, which is built on jsonwebtoken 10 with the RustCrypto crates.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, Request};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum_jwt_auth::{Decoder, JwtDecoder, RemoteJwksDecoder};
use dev_issuer::Algorithm;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use jsonwebtoken_10::Validation;

use super::{Claims, Contender, Entrant, ReadSubject};
use crate::rounds::{Sample, measure};
use crate::world::{RESOURCE, Token, World};

pub(super) struct AxumJwtAuth {
    decoder: Arc<RemoteJwksDecoder>,
}

impl AxumJwtAuth {
    pub(super) async fn enter(world: &World, algorithm: Algorithm) -> Entrant {
        let mut validation = Validation::new(algorithm.as_str().parse()?);
        validation.set_audience(&[RESOURCE]);
        validation.set_issuer(&[world.issuer.issuer()]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        validation.validate_nbf = true;
        let builder = RemoteJwksDecoder::builder().jwks_url(world.issuer.jwks_uri());
        let decoder = Arc::new(builder.validation(validation).build()?);
        decoder.refresh().await?;
        Ok(Box::new(Self { decoder }))
    }
}

impl Contender for AxumJwtAuth {
    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample> {
        measure(tokens.to_vec(), |token| verify_one(&self.decoder, token)).boxed_local()
    }

    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool> {
        verify_one(&self.decoder, token).boxed()
    }

    fn protect(&self, app: Router) -> Router {
        let state = Decoding { decoder: self.decoder.clone() };
        app.layer(from_fn_with_state(state, gate))
    }

    fn read_subject(&self) -> ReadSubject {
        Claims::read_subject
    }
}

/// It is an extractor; as a layer it must hand on what it has extracted.
async fn gate(caller: axum_jwt_auth::Claims<Claims>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(caller.claims);
    next.run(request).await
}

async fn verify_one(decoder: &RemoteJwksDecoder, token: &Token) -> bool {
    let found = JwtDecoder::<Claims>::decode(decoder, &token.compact).await;
    found.is_ok_and(|token| token.claims.is_of_the_subject())
}

#[derive(Clone)]
struct Decoding {
    decoder: Decoder<Claims>,
}

impl FromRef<Decoding> for Decoder<Claims> {
    fn from_ref(state: &Decoding) -> Self {
        state.decoder.clone()
    }
}
