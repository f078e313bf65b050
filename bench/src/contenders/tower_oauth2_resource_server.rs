//! tower-oauth2-resource-server 0.12 over aws-lc-rs. It is a layer and nothing else.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use http::{Request, Response, StatusCode};
use tower::{Layer as _, Service};
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;

use super::{Claims, Contender, Entrant, ReadSubject};
use crate::rounds::{Sample, measure};
use crate::world::{RESOURCE, SUBJECT, Token, World};

pub(super) struct TowerOauth2ResourceServer {
    server: OAuth2ResourceServer<Claims>,
}

impl TowerOauth2ResourceServer {
    pub(super) async fn enter(world: &World) -> Entrant {
        let tenant = TenantConfiguration::builder(world.issuer.issuer())
            .audiences(&[RESOURCE])
            .jwks_refresh_interval(Duration::from_secs(3600));
        let tenant = tenant.build().await?;
        let server = OAuth2ResourceServer::<Claims>::builder().add_tenant(tenant).build().await?;
        Ok(Box::new(Self { server }))
    }

    async fn accepts(&self, request: Request<()>) -> bool {
        let mut service = self.server.into_layer().layer(Accepted);
        service.call(request).await.is_ok_and(|response| response.status() == StatusCode::OK)
    }
}

impl Contender for TowerOauth2ResourceServer {
    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample> {
        let mut service = self.server.into_layer().layer(Accepted);
        let requests = tokens.iter().map(|token| token.request(())).collect();
        let verify = move |request| {
            let response = service.call(request);
            async { response.await.is_ok_and(|response| response.status() == StatusCode::OK) }
        };
        measure(requests, verify).boxed_local()
    }

    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool> {
        self.accepts(token.request(())).boxed()
    }

    fn protect(&self, app: Router) -> Router {
        app.layer(self.server.into_layer())
    }

    fn read_subject(&self) -> ReadSubject {
        Claims::read_subject
    }
}

/// The protected service: it asks who is calling.
#[derive(Clone)]
struct Accepted;

impl Service<Request<()>> for Accepted {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let mut response = Response::new(());
        if Claims::read_subject(request.extensions()) != Some(SUBJECT) {
            *response.status_mut() = StatusCode::FORBIDDEN;
        }
        ready(Ok(response))
    }
}
