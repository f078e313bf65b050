//! turbomcp-auth 4 alpha 5 over aws-lc-rs. It does no discovery: it is given the URL of the keys.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use dev_issuer::Algorithm;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use http::StatusCode;
use http::header::AUTHORIZATION;
use turbomcp_auth::{AuthPrincipal, BearerValidator as _, HttpJwks, JwtValidator};

use super::{Contender, Entrant, ReadSubject};
use crate::rounds::{Sample, measure};
use crate::world::{RESOURCE, SUBJECT, Token, World};

type Validator = JwtValidator<HttpJwks>;

pub(super) struct TurbomcpAuth {
    validator: Arc<Validator>,
}

impl TurbomcpAuth {
    pub(super) fn enter(world: &World, algorithm: Algorithm) -> Entrant {
        let keys = HttpJwks::new(world.issuer.jwks_uri(), Duration::from_secs(3600));
        let validator = JwtValidator::new(keys, RESOURCE, world.issuer.issuer())
            .algorithms(vec![algorithm.as_str().parse()?]);
        Ok(Box::new(Self { validator: Arc::new(validator) }))
    }
}

impl Contender for TurbomcpAuth {
    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample> {
        measure(tokens.to_vec(), |token| verify_one(&self.validator, token)).boxed_local()
    }

    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool> {
        verify_one(&self.validator, token).boxed()
    }

    /// Its own layer is part of its MCP server; this is the least that one needs around it.
    fn protect(&self, app: Router) -> Router {
        app.layer(from_fn_with_state(self.validator.clone(), gate))
    }

    fn read_subject(&self) -> ReadSubject {
        |extensions| Some(&extensions.get::<AuthPrincipal>()?.subject)
    }
}

async fn gate(State(auth): State<Arc<Validator>>, mut request: Request, next: Next) -> Response {
    let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = value.and_then(|value| value.strip_prefix("Bearer ")) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let Ok(principal) = auth.validate(token).await else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    request.extensions_mut().insert(principal);
    next.run(request).await
}

async fn verify_one(validator: &Validator, token: &Token) -> bool {
    let found = validator.validate(&token.compact).await;
    found.is_ok_and(|caller| caller.subject == SUBJECT)
}
