//! oauth-resource-server 0.4, which is built on jsonwebtoken 9 (ring).

use std::sync::Arc;

use axum::Router;
use dev_issuer::Algorithm;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use oauth_resource_server::axum::AuthLayer;
use oauth_resource_server::{
    AuthorizedToken, KeyNaming, OAuthConfig, OAuthValidator, static_token_policy,
};

use super::{Contender, Entrant, ReadSubject};
use crate::rounds::{Sample, measure};
use crate::world::{RESOURCE, SCOPE, SUBJECT, Token, World};

pub(super) struct OauthResourceServer {
    validator: Arc<OAuthValidator>,
    layer: AuthLayer,
}

impl OauthResourceServer {
    pub(super) fn enter(world: &World, algorithm: Algorithm) -> Entrant {
        let config = OAuthConfig {
            enabled: true,
            issuer: world.issuer.issuer().to_owned(),
            audience: RESOURCE.to_owned(),
            resource: RESOURCE.to_owned(),
            required_scopes: vec![SCOPE.to_owned()],
            algorithms: vec![algorithm.to_string()],
            ..OAuthConfig::default()
        };
        let config = config.resolve(KeyNaming::Dotted("oauth"))?.ok_or("it is not enabled")?;
        let validator = Arc::new(OAuthValidator::new(&config)?);
        let decision = static_token_policy(None, Some(&config), false)?;
        let layer = AuthLayer::from_decision(decision, Some(validator.clone()))?;
        Ok(Box::new(Self { validator, layer }))
    }
}

impl Contender for OauthResourceServer {
    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample> {
        measure(tokens.to_vec(), |token| verify_one(&self.validator, token)).boxed_local()
    }

    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool> {
        verify_one(&self.validator, token).boxed()
    }

    fn protect(&self, app: Router) -> Router {
        app.layer(self.layer.clone())
    }

    fn read_subject(&self) -> ReadSubject {
        |extensions| extensions.get::<AuthorizedToken>()?.subject.as_deref()
    }
}

async fn verify_one(validator: &OAuthValidator, token: &Token) -> bool {
    let found = validator.validate(&token.compact).await;
    found.is_ok_and(|token| token.subject.as_deref() == Some(SUBJECT))
}
