//! In process: what one token costs beyond its signature.

use std::time::Duration;

use dev_issuer::Algorithm;
use tokio::runtime::Builder;

use super::Plan;
use crate::Failure;
use crate::contenders::{BARE_CHECK, Entry, JSONWEBTOKEN, MCP_AUTH, MCP_AUTH_UNASKED, OURS, PEERS};
use crate::rounds::{self, Slot, Summary};
use crate::table::{ALLOCATIONS, MICROSECONDS, RATIO, Row, Section};
use crate::world::{ALGORITHMS, Token, World};

const ABOUT: &str = "verify: one token in a loop, until its subject is known; processor time of the thread; ratio = time / bare \
    signature check (seen: / that of RS256)";
/// Tokens of one slice. Who remembers tokens is made anew before each.
const DISTINCT: usize = 250;
/// Tokens that are seen again and again.
const SEEN: usize = 16;
/// How often a slice visits each of them.
const VISITS: usize = 250;

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let world = World::start()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let budget = plan.budget / 4;
    let mut rows = Vec::new();
    for algorithm in ALGORITHMS {
        rows.extend(runtime.block_on(distinct(&world, algorithm, budget))?);
    }
    rows.extend(runtime.block_on(seen(&world, budget))?);
    Ok(Section { name: "verify", about: ABOUT, rows })
}

async fn distinct(
    world: &World,
    algorithm: Algorithm,
    budget: Duration,
) -> Result<Vec<Row>, Failure> {
    let work = format!("{algorithm} distinct");
    let tokens = world.tokens(algorithm, DISTINCT);
    let mut slots = vec![Slot {
        contender: BARE_CHECK.make(world, algorithm).await?,
        tokens: tokens.iter().collect(),
        forgets: true,
    }];
    let mut names = vec![BARE_CHECK.name];
    let mut absent = Vec::new();
    for entry in [MCP_AUTH, MCP_AUTH_UNASKED, JSONWEBTOKEN].into_iter().chain(PEERS) {
        match entry.make_warm(world, algorithm).await {
            Ok(contender) => {
                slots.push(Slot { contender, tokens: tokens.iter().collect(), forgets: true });
                names.push(entry.name);
            }
            Err(reason) => absent.push(absent_row(&work, entry, &reason)),
        }
    }
    let summaries = rounds::run(&mut slots, budget).await;
    let rows = names.iter().zip(&summaries).map(|(name, summary)| row(&work, name, summary));
    Ok(rows.chain(absent).collect())
}

/// Nobody else remembers tokens: for the others this is what a distinct one costs.
async fn seen(world: &World, budget: Duration) -> Result<Vec<Row>, Failure> {
    let pools = ALGORITHMS.map(|algorithm| world.tokens(algorithm, SEEN));
    let floor = BARE_CHECK.make(world, Algorithm::Rs256).await?;
    let floor_tokens = pools[0].iter().cycle().take(DISTINCT).collect();
    let mut slots = vec![Slot { contender: floor, tokens: floor_tokens, forgets: false }];
    for (algorithm, pool) in ALGORITHMS.into_iter().zip(&pools) {
        let contender = MCP_AUTH.make_warm(world, algorithm).await?;
        let tokens: Vec<&Token> = pool.iter().cycle().take(SEEN * VISITS).collect();
        slots.push(Slot { contender, tokens, forgets: false });
    }
    let summaries = rounds::run(&mut slots, budget).await;
    let rows = ALGORITHMS.iter().zip(&summaries[1..]);
    Ok(rows.map(|(algorithm, one)| row(&format!("{algorithm} seen"), OURS, one)).collect())
}

fn row(work: &str, name: &str, summary: &Summary) -> Row {
    let row = Row::new(work, name);
    if summary.accepted < 1.0 {
        return row.note(format!("refused {:.0} %", (1.0 - summary.accepted) * 100.0));
    }
    row.figure(MICROSECONDS, summary.microseconds)
        .figure(RATIO, summary.ratio)
        .figure(ALLOCATIONS, summary.allocations)
}

fn absent_row(work: &str, entry: Entry, reason: &Failure) -> Row {
    Row::new(work, entry.name).note(reason.to_string())
}
