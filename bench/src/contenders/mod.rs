//! Who takes part: a file for each.

mod axum_jwt_auth;
mod bare_check;
mod jsonwebtoken;
mod jwt_authorizer;
mod mcp_auth;
mod oauth_resource_server;
mod open_gate;
mod tower_oauth2_resource_server;
mod turbomcp_auth;

use std::future::ready;

use ::axum::Router;
use dev_issuer::Algorithm;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use http::Extensions;
use serde::Deserialize;

use self::axum_jwt_auth::AxumJwtAuth;
use self::bare_check::BareCheck;
use self::jsonwebtoken::JsonWebToken;
use self::jwt_authorizer::JwtAuthorizer;
use self::mcp_auth::OurOwn;
use self::oauth_resource_server::OauthResourceServer;
use self::open_gate::OpenGate;
use self::tower_oauth2_resource_server::TowerOauth2ResourceServer;
use self::turbomcp_auth::TurbomcpAuth;
use crate::Failure;
use crate::rounds::Sample;
use crate::world::{SUBJECT, Token, World};

/// One way to verify tokens.
pub(crate) trait Contender: Send + Sync {
    /// Forgets every token, before each slice. Those who remember none have nothing to do.
    fn renew(&mut self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }

    /// Verifies one after the other, asking each for its subject, and says what a token cost.
    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample>;

    /// Verifies one, among others.
    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool>;

    /// Puts its layer around an application.
    fn protect(&self, app: Router) -> Router;

    /// How a handler behind that layer learns who is calling.
    fn read_subject(&self) -> ReadSubject {
        the_only_subject
    }
}

/// A contender, or why it does not take part.
pub(crate) type Entrant = Result<Box<dyn Contender>, Failure>;

/// A name in the table, and how to make the contender.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    make: for<'a> fn(&'a World, Algorithm) -> BoxFuture<'a, Entrant>,
}

impl Entry {
    /// A fresh one, which need not have any keys yet.
    pub(crate) async fn make(self, world: &World, algorithm: Algorithm) -> Entrant {
        (self.make)(world, algorithm).await
    }

    /// A fresh one that has accepted a token.
    pub(crate) async fn make_warm(self, world: &World, algorithm: Algorithm) -> Entrant {
        let contender = self.make(world, algorithm).await?;
        let token = Token::new(world.mint(algorithm, 0));
        for _ in 0..100 {
            if contender.verify(&token).await {
                return Ok(contender);
            }
            // Some fetch their keys in the background, and refuse until they have them.
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Err(format!("{} refuses a good token", self.name).into())
    }
}

/// The name under which we appear; targets are ours alone.
pub(crate) const OURS: &str = "mcp-auth";

/// Ours, with documents from memory.
pub(crate) const MCP_AUTH: Entry =
    Entry { name: OURS, make: |world, _| ready(OurOwn::from_memory(world)).boxed() };

/// Ours, where no handler asks who is calling: what the check alone takes.
pub(crate) const MCP_AUTH_UNASKED: Entry = Entry {
    name: "mcp-auth, no claim asked for",
    make: |world, _| ready(OurOwn::unasked(world)).boxed(),
};

/// Ours, where 10,000 other subjects are revoked.
pub(crate) const REVOKED_OTHERS: Entry =
    Entry { name: OURS, make: |world, _| ready(OurOwn::beside_revocations(world)).boxed() };

/// Ours, which asks the issuer over the network as every peer does.
pub(crate) const MCP_AUTH_OVER_HTTP: Entry =
    Entry { name: OURS, make: |world, _| ready(OurOwn::over_http(world)).boxed() };

/// Ours with a policy of so many tools.
pub(crate) const POLICY_OF_10: Entry =
    Entry { name: OURS, make: |world, _| ready(OurOwn::with_policy(world, 10)).boxed() };
pub(crate) const POLICY_OF_10_000: Entry =
    Entry { name: OURS, make: |world, _| ready(OurOwn::with_policy(world, 10_000)).boxed() };

/// A layer that checks nothing.
pub(crate) const OPEN_GATE: Entry = Entry {
    name: "a layer that does nothing",
    make: |_, _| ready(Ok(Box::new(OpenGate) as Box<dyn Contender>)).boxed(),
};

/// A signature check and nothing else.
pub(crate) const BARE_CHECK: Entry = Entry {
    name: "bare aws-lc-rs",
    make: |world, algorithm| ready(BareCheck::enter(world, algorithm)).boxed(),
};

/// Libraries that only decode: no metadata, no fetching of keys.
pub(crate) const JSONWEBTOKEN: Entry = Entry {
    name: "jsonwebtoken 11 (decode only)",
    make: |world, algorithm| ready(JsonWebToken::enter(world, algorithm)).boxed(),
};

/// Who else fetches keys and checks `iss`, `aud` and `exp`.
pub(crate) const PEERS: [Entry; 5] = [
    Entry { name: "jwt-authorizer 0.15", make: |world, _| JwtAuthorizer::enter(world).boxed() },
    Entry {
        name: "tower-oauth2-resource-server 0.12",
        make: |world, _| TowerOauth2ResourceServer::enter(world).boxed(),
    },
    Entry {
        name: "oauth-resource-server 0.4",
        make: |world, algorithm| ready(OauthResourceServer::enter(world, algorithm)).boxed(),
    },
    Entry {
        name: "turbomcp-auth 4 alpha 5",
        make: |world, algorithm| ready(TurbomcpAuth::enter(world, algorithm)).boxed(),
    },
    Entry {
        name: "axum-jwt-auth 0.7",
        make: |world, algorithm| AxumJwtAuth::enter(world, algorithm).boxed(),
    },
];

/// Finds the subject of a request's token among what a layer has put into the request. Every handler answers with it.
pub(crate) type ReadSubject = fn(&Extensions) -> Option<&str>;

/// For layers that read no claims: all tokens are of one subject, and so all answers are the same bytes.
pub(crate) fn the_only_subject(_: &Extensions) -> Option<&str> {
    Some(SUBJECT)
}

/// What a handler wants to know, where a peer lets one choose. mcp-auth reads these of every token too.
#[derive(Clone, Debug, Deserialize)]
#[expect(dead_code, reason = "reading it is the work that is measured")]
pub(crate) struct Claims {
    iss: String,
    sub: String,
    azp: String,
    scope: String,
    exp: u64,
}

impl Claims {
    fn is_of_the_subject(&self) -> bool {
        self.sub == SUBJECT
    }

    fn read_subject(extensions: &Extensions) -> Option<&str> {
        extensions.get::<Self>().map(|claims| claims.sub.as_str())
    }
}
