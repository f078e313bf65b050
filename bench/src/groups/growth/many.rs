//! A thousand issuers at one resource, and a thousand resources with an issuer each.

use std::time::Duration;

use dev_issuer::Algorithm;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use mcp_auth::decision::Decision;
use mcp_auth::{Config, McpAuth, ProtectedResource};
use serde_json::json;
use tokio::runtime::Builder;

use crate::Failure;
use crate::contenders::{Contender, OURS};
use crate::rounds::{self, Sample, Slot, measure};
use crate::table::{ALLOCATIONS, MICROSECONDS, RATIO, Row};
use crate::world::{Documents, Token, World};

/// How many are many.
const MANY: usize = 1000;
/// Tokens of a slice: one for each issuer.
const TOKENS: usize = MANY;

pub(super) fn run(world: &World, budget: Duration) -> Result<Vec<Row>, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for forgets in [true, false] {
        let seen = if forgets { "distinct" } else { "seen" };
        let shapes = [Shape::One, Shape::ManyIssuers, Shape::ManyResources];
        let tokens: Vec<_> = shapes.iter().map(|shape| shape.tokens(world)).collect();
        let mut slots = Vec::new();
        for (shape, tokens) in shapes.iter().zip(&tokens) {
            let documents = shape.documents(world)?;
            let auth = build(&shape.config()?, &documents)?;
            let contender = Box::new(Crowd { config: shape.config()?, documents, auth });
            slots.push(Slot { contender, tokens: tokens.iter().collect(), forgets });
        }
        let summaries = runtime.block_on(rounds::run(&mut slots, budget / 2));
        for (shape, summary) in shapes.iter().zip(&summaries) {
            let row = Row::new(format!("{}, {seen}", shape.name()), OURS);
            rows.push(match summary.accepted < 1.0 {
                true => row.note("refused some"),
                false => row
                    .figure(MICROSECONDS, summary.microseconds)
                    .figure(RATIO, summary.ratio)
                    .figure(ALLOCATIONS, summary.allocations),
            });
        }
    }
    Ok(rows)
}

#[derive(Clone, Copy)]
enum Shape {
    One,
    ManyIssuers,
    ManyResources,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::One => "one of each",
            Self::ManyIssuers => "1,000 issuers",
            Self::ManyResources => "1,000 resources",
        }
    }

    fn issuers(self) -> usize {
        if matches!(self, Self::One) { 1 } else { MANY }
    }

    fn resource(self, index: usize) -> String {
        match self {
            Self::ManyResources => format!("https://mcp.example.com/tenant-{index:04}/mcp"),
            Self::One | Self::ManyIssuers => "https://mcp.example.com/tenant/mcp".to_owned(),
        }
    }

    fn config(self) -> Result<Config, Failure> {
        let config = match self {
            Self::ManyResources => (0..MANY).fold(Config::default(), |config, index| {
                let resource = ProtectedResource::new(self.resource(index), [issuer(index)]);
                config.protect_resource(resource)
            }),
            Self::One | Self::ManyIssuers => Config::default().protect_resource(
                ProtectedResource::new(self.resource(0), (0..self.issuers()).map(issuer)),
            ),
        };
        config.check()?;
        Ok(config)
    }

    /// All issuers have the same key, which nobody can tell.
    fn documents(self, world: &World) -> Result<Documents, Failure> {
        let keys = bytes::Bytes::from(world.jwks.to_string());
        let documents = (0..self.issuers()).flat_map(|index| {
            let issuer = issuer(index);
            let jwks_uri = format!("{issuer}/jwks");
            let metadata = json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string();
            let metadata_url = format!("{issuer}/.well-known/oauth-authorization-server");
            [(metadata_url, metadata.into()), (jwks_uri, keys.clone())]
        });
        Ok(Documents::new(documents))
    }

    fn tokens(self, world: &World) -> Vec<Token> {
        let token = |index: usize| {
            let resource = self.resource(index);
            let mint = world.mint_for(Algorithm::Rs256, 0, &resource);
            let mut token = Token::new(mint.issuer(issuer(index % self.issuers())).sign());
            let path = resource.trim_start_matches("https://mcp.example.com");
            token.parts.uri = path.parse().unwrap_or_default();
            token
        };
        // Neighbours in the list are not visited one after the other.
        (0..TOKENS).map(|index| token(index * 7 % MANY)).collect()
    }
}

fn issuer(index: usize) -> String {
    format!("https://tenant-{index:04}.auth.example.com")
}

struct Crowd {
    config: Config,
    documents: Documents,
    auth: McpAuth,
}

fn build(config: &Config, documents: &Documents) -> Result<McpAuth, Failure> {
    Ok(McpAuth::builder(config.clone()).http_client(documents.clone()).build()?)
}

impl Contender for Crowd {
    fn renew(&mut self) -> BoxFuture<'_, ()> {
        async {
            if let Ok(fresh) = build(&self.config, &self.documents)
                && fresh.ready().await.is_ok()
            {
                self.auth = fresh;
            }
        }
        .boxed()
    }

    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample> {
        measure(tokens.to_vec(), |token| self.verify_one(token)).boxed_local()
    }

    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool> {
        self.verify_one(token).boxed()
    }

    fn protect(&self, app: axum::Router) -> axum::Router {
        app.layer(self.auth.layer())
    }
}

impl Crowd {
    async fn verify_one(&self, token: &Token) -> bool {
        matches!(self.auth.decide(&token.parts).await, Decision::Forward(_))
    }
}
