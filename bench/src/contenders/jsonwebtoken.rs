//! jsonwebtoken 11 over aws-lc-rs: a prepared key and prepared rules. It fetches nothing.

use axum::Router;
use dev_issuer::Algorithm;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture, ready};
use http::header::AUTHORIZATION;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation, decode};

use super::{Claims, Contender, Entrant, ReadSubject};
use crate::gate::{Gate, Verdict};
use crate::rounds::{Sample, measure};
use crate::world::{RESOURCE, Token, World};

#[derive(Clone)]
pub(super) struct JsonWebToken {
    key: DecodingKey,
    validation: Validation,
}

impl JsonWebToken {
    pub(super) fn enter(world: &World, algorithm: Algorithm) -> Entrant {
        let jwk: Jwk = serde_json::from_value(world.jwk(algorithm)?.clone())?;
        let mut validation = Validation::new(algorithm.as_str().parse()?);
        validation.set_audience(&[RESOURCE]);
        validation.set_issuer(&[world.issuer.issuer()]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        validation.validate_nbf = true;
        Ok(Box::new(Self { key: DecodingKey::from_jwk(&jwk)?, validation }))
    }

    fn claims(&self, token: &str) -> Option<Claims> {
        Some(decode(token, &self.key, &self.validation).ok()?.claims)
    }

    fn accepts(&self, token: &str) -> bool {
        self.claims(token).is_some_and(|claims| claims.is_of_the_subject())
    }
}

impl Contender for JsonWebToken {
    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample> {
        measure(tokens.to_vec(), |token| ready(self.accepts(&token.compact))).boxed_local()
    }

    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool> {
        ready(self.accepts(&token.compact)).boxed()
    }

    fn protect(&self, app: Router) -> Router {
        let this = self.clone();
        app.layer(Gate::new(move |headers| {
            let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let token = value.and_then(|value| value.strip_prefix("Bearer "));
            token
                .and_then(|token| this.claims(token))
                .map_or(Verdict::Refused, Verdict::AcceptedWith)
        }))
    }

    fn read_subject(&self) -> ReadSubject {
        Claims::read_subject
    }
}
