//! Ours: the whole of `McpAuth::decide`.

use axum::Router;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use mcp_auth::decision::Decision;
use mcp_auth::revocation::Revocation;
use mcp_auth::{AuthInfo, Config, McpAuth, ScopePolicy};

use super::{Contender, Entrant, ReadSubject};
use crate::Failure;
use crate::rounds::{Sample, measure};
use crate::world::{Documents, RESOURCE, SCOPE, SUBJECT, Token, World};

pub(super) struct OurOwn {
    config: Config,
    /// `None`: the library's own HTTP client.
    documents: Option<Documents>,
    auth: McpAuth,
    /// Whether the subject of each token is asked for, as handlers do.
    asks: bool,
}

impl OurOwn {
    /// With metadata and keys from memory.
    pub(super) fn from_memory(world: &World) -> Entrant {
        Self::enter(world, Some(world.documents()))
    }

    pub(super) fn over_http(world: &World) -> Entrant {
        Self::enter(world, None)
    }

    /// With metadata and keys from memory, and nobody asks who is calling.
    pub(super) fn unasked(world: &World) -> Entrant {
        let config = Config::new(RESOURCE, world.issuer.issuer())?;
        Self::of(config, Some(world.documents()), false)
    }

    /// With metadata and keys from memory, and 10,000 subjects that are revoked.
    pub(super) fn beside_revocations(world: &World) -> Entrant {
        let config = Config::new(RESOURCE, world.issuer.issuer())?;
        let documents = world.documents();
        let auth = build(&config, Some(&documents))?;
        for number in 0..10_000 {
            let subject = format!("dismissed-{number}");
            auth.revoke(Revocation::of_subject(world.issuer.issuer(), subject));
        }
        Ok(Box::new(Self { config, documents: Some(documents), auth, asks: true }))
    }

    /// With metadata and keys from memory, and a policy with a rule for each of so many tools.
    pub(super) fn with_policy(world: &World, tools: usize) -> Entrant {
        let mut config = Config::new(RESOURCE, world.issuer.issuer())?;
        let policy = ScopePolicy::new().require_for_tool("whoami", [SCOPE]);
        let rule = |policy: ScopePolicy, tool| {
            policy.require_for_tool(format!("tool_{tool:05}"), ["mcp:admin"])
        };
        config.resources[0].policy = Some((1..tools).fold(policy, rule));
        Self::of(config, Some(world.documents()), true)
    }

    fn enter(world: &World, documents: Option<Documents>) -> Entrant {
        Self::of(Config::new(RESOURCE, world.issuer.issuer())?, documents, true)
    }

    fn of(config: Config, documents: Option<Documents>, asks: bool) -> Entrant {
        let auth = build(&config, documents.as_ref())?;
        Ok(Box::new(Self { config, documents, auth, asks }))
    }
}

fn build(config: &Config, documents: Option<&Documents>) -> Result<McpAuth, Failure> {
    let builder = McpAuth::builder(config.clone());
    Ok(match documents {
        Some(documents) => builder.http_client(documents.clone()).build()?,
        None => builder.build()?,
    })
}

impl Contender for OurOwn {
    /// A new instance that has its keys but has seen no token.
    fn renew(&mut self) -> BoxFuture<'_, ()> {
        async {
            if let Ok(fresh) = build(&self.config, self.documents.as_ref())
                && fresh.ready().await.is_ok()
            {
                self.auth = fresh;
            }
        }
        .boxed()
    }

    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample> {
        measure(tokens.to_vec(), move |token| self.verify_one(token)).boxed_local()
    }

    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool> {
        self.verify_one(token).boxed()
    }

    fn protect(&self, app: Router) -> Router {
        app.layer(self.auth.layer())
    }

    fn read_subject(&self) -> ReadSubject {
        |extensions| extensions.get::<AuthInfo>()?.subject()
    }
}

impl OurOwn {
    async fn verify_one(&self, token: &Token) -> bool {
        match self.auth.decide(&token.parts).await {
            Decision::Forward(forward) if self.asks => {
                forward.auth_info.as_ref().and_then(AuthInfo::subject) == Some(SUBJECT)
            }
            Decision::Forward(_) => true,
            _ => false,
        }
    }
}
