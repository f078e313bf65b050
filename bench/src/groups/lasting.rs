//! What outlives a request: tokens that were seen, beside revocations of others, and sealing the identifier of a session.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use dev_issuer::Algorithm;
use http::HeaderValue;
use mcp_auth::decision::{Decision, Forward};
use tokio::runtime::Builder;

use super::Plan;
use crate::Failure;
use crate::allocations;
use crate::contenders::{MCP_AUTH, OURS, REVOKED_OTHERS};
use crate::rounds::{self, Slot, Spread};
use crate::table::{ALLOCATIONS, MICROSECONDS, RATIO, Row, Section};
use crate::world::{Token, World};

const ABOUT: &str = "lasting: a seen RS256 token in a loop, and a session identifier of 36 characters; processor time of the thread; \
    ratio = with revocations / without";
/// Tokens that are seen again and again, and how often a slice visits each.
const SEEN: usize = 16;
const VISITS: usize = 250;
/// Session identifiers of one slice.
const SESSIONS: usize = 4_000;
/// As servers make them: a UUID.
const SESSION: HeaderValue = HeaderValue::from_static("8f14e45f-ceea-467f-a0e6-7f1c2d3b4a5e");

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let world = World::start()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let budget = plan.budget / 2;
    let mut rows = runtime.block_on(beside_revocations(&world, budget))?;
    rows.extend(runtime.block_on(sealing(&world, budget))?);
    Ok(Section { name: "lasting", about: ABOUT, rows })
}

async fn beside_revocations(world: &World, budget: Duration) -> Result<Vec<Row>, Failure> {
    let pool = world.tokens(Algorithm::Rs256, SEEN);
    let mut slots = Vec::new();
    for entry in [MCP_AUTH, REVOKED_OTHERS] {
        let contender = entry.make_warm(world, Algorithm::Rs256).await?;
        let tokens: Vec<&Token> = pool.iter().cycle().take(SEEN * VISITS).collect();
        slots.push(Slot { contender, tokens, forgets: false });
    }
    let summaries = rounds::run(&mut slots, budget).await;
    let works = ["nothing is revoked", "10,000 others are revoked"];
    let rows = works.iter().zip(&summaries).map(|(work, summary)| {
        Row::new(*work, OURS)
            .figure(MICROSECONDS, summary.microseconds)
            .figure(RATIO, summary.ratio)
            .figure(ALLOCATIONS, summary.allocations)
    });
    Ok(rows.collect())
}

/// What it takes to seal an identifier, beside a copy of it as another header.
async fn sealing(world: &World, budget: Duration) -> Result<Vec<Row>, Failure> {
    let tokens = world.tokens(Algorithm::Rs256, 1);
    let auth = mcp_auth::McpAuth::new(mcp_auth::Config::new(
        crate::world::RESOURCE,
        world.issuer.issuer(),
    )?)?;
    let Decision::Forward(forward) = auth.decide(&tokens[0].parts).await else {
        return Err("the token is refused".into());
    };
    let mut works = [Work::new("copying a header"), Work::new("sealing a session")];
    let end = Instant::now() + budget;
    while Instant::now() < end {
        works[0].measure(|| HeaderValue::from_bytes(SESSION.as_bytes()).ok());
        works[1].measure(|| seal(&forward));
    }
    Ok(works.iter().map(Work::row).collect())
}

fn seal(forward: &Forward) -> Option<HeaderValue> {
    forward.seal_session(&SESSION)
}

struct Work {
    name: &'static str,
    microseconds: Vec<f64>,
    allocations: Vec<f64>,
}

impl Work {
    fn new(name: &'static str) -> Self {
        Self { name, microseconds: Vec::new(), allocations: Vec::new() }
    }

    /// One slice of it.
    fn measure(&mut self, work: impl Fn() -> Option<HeaderValue>) {
        let (allocated, start) = (allocations::count(), ThreadTime::now());
        for _ in 0..SESSIONS {
            black_box(work());
        }
        let count = SESSIONS as f64;
        self.microseconds.push(start.elapsed().as_secs_f64() * 1e6 / count);
        self.allocations.push((allocations::count() - allocated) as f64 / count);
    }

    fn row(&self) -> Row {
        Row::new(self.name, OURS)
            .figure(MICROSECONDS, Spread::of(self.microseconds.iter().copied()))
            .figure(ALLOCATIONS, Spread::of(self.allocations.iter().copied()))
    }
}
