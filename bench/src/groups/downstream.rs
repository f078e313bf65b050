//! Tokens for other APIs: one that is kept, and the memory that those of many callers need.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cpu_time::ThreadTime;
use dev_issuer::Algorithm;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::{AuthInfo, Config, McpAuth};
use serde_json::json;
use tokio::runtime::Builder;

use super::Plan;
use crate::contenders::OURS;
use crate::rounds::Spread;
use crate::table::{ALLOCATIONS, MICROSECONDS, Row, Section};
use crate::world::{RESOURCE, World};
use crate::{Failure, allocations, machine};

const ABOUT: &str = "downstream: `token_for` of a caller whose token for another API is kept; processor time of the thread; and the \
    resident memory of kept tokens of 1,000 characters, one for each caller, whose own tokens are not kept";
/// How often a slice asks.
const ASKED: usize = 4_000;
const CALLERS: usize = 100_000;
const TOKEN_LENGTH: usize = 1_000;
/// Minting is most of the time, and EdDSA is the fastest to sign.
const ALGORITHM: Algorithm = Algorithm::EdDsa;

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let world = World::start()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let kept = runtime.block_on(kept(&world, plan.budget))?;
    // In a process of its own: what others have given back would hide growth.
    let child = Command::new(std::env::current_exe()?)
        .args(["--callers-after", &CALLERS.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let mebibytes: f64 = serde_json::from_slice(&child.stdout)?;
    let memory = Row::new("memory, 100,000 callers", OURS).figure("MiB", Spread::exact(mebibytes));
    Ok(Section { name: "downstream", about: ABOUT, rows: vec![kept, memory] })
}

async fn kept(world: &World, budget: Duration) -> Result<Row, Failure> {
    let auth = auth(world)?;
    let api = auth.downstream("reports");
    let caller = caller(&auth, world, "alice").await?;
    api.token_for(&caller).await?;
    let (mut microseconds, mut allocated) = (Vec::new(), Vec::new());
    let end = Instant::now() + budget;
    while Instant::now() < end {
        let (before, start) = (allocations::count(), ThreadTime::now());
        for _ in 0..ASKED {
            std::hint::black_box(api.token_for(&caller).await?);
        }
        microseconds.push(start.elapsed().as_secs_f64() * 1e6 / ASKED as f64);
        allocated.push((allocations::count() - before) as f64 / ASKED as f64);
    }
    Ok(Row::new("a token that is kept", OURS)
        .figure(MICROSECONDS, Spread::of(microseconds.into_iter()))
        .figure(ALLOCATIONS, Spread::of(allocated.into_iter())))
}

/// What a child process does: has tokens for so many callers, and prints the MiB that they need.
pub(crate) fn report_callers(callers: usize) -> Result<(), Failure> {
    let world = World::start()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(grown(&world, callers))?);
    Ok(())
}

async fn grown(world: &World, callers: usize) -> Result<f64, Failure> {
    let auth = auth(world)?;
    let api = auth.downstream("reports");
    let mut at_start = 0.0;
    // The first thousand, so that what is allocated once is there.
    for number in 0..callers + 1_000 {
        if number == 1_000 {
            at_start = resident()?;
        }
        let subject = format!("auth0|65f3a1c29b7e4d00{number:08}");
        let caller = caller(&auth, world, &subject).await?;
        api.token_for(&caller).await?;
    }
    Ok(resident()? - at_start)
}

fn resident() -> Result<f64, Failure> {
    machine::resident().ok_or_else(|| "resident memory cannot be read here".into())
}

async fn caller(auth: &McpAuth, world: &World, subject: &str) -> Result<AuthInfo, Failure> {
    let mint = world.issuer.mint().audience(RESOURCE).algorithm(ALGORITHM).client_id("a-client");
    Ok(auth.authenticate(&mint.subject(subject).scope("mcp").sign()).await?)
}

fn auth(world: &World) -> Result<McpAuth, Failure> {
    let issuer = world.issuer.issuer();
    let data = json!({
        "token_cache_bytes": 0,
        "downstream_cache_entries": 2 * CALLERS,
        "resources": [{ "resource": RESOURCE, "authorization_servers": [
            { "issuer": issuer, "jwks": { "keys": [world.jwk(ALGORITHM)?] } },
        ] }],
        "downstreams": { "reports": {
            "token_endpoint": "https://as.example.com/token", "subject_issuers": [issuer],
            "client_id": "tools", "client_secret": "secret", "audience": ["reports"],
        } },
    });
    let config: Config = serde_json::from_value(data)?;
    Ok(McpAuth::builder(config).http_client(Endpoint::default()).build()?)
}

/// A token endpoint that gives another token each time, without a network.
#[derive(Default)]
struct Endpoint(AtomicU64);

impl HttpClient for Endpoint {
    fn send(&self, _: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let answer = json!({
            "access_token": format!("{number:0TOKEN_LENGTH$}"), "token_type": "Bearer", "expires_in": 3600,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        Box::pin(async move { Ok(Response::new(Bytes::from(answer.to_string()))) })
    }
}
