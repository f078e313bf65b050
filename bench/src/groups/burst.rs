//! A hundred first requests at once, to an instance that knows nothing yet.

use std::time::Instant;

use dev_issuer::Algorithm;
use futures_util::future::join_all;
use tokio::runtime::Builder;

use super::Plan;
use crate::Failure;
use crate::contenders::{Entry, MCP_AUTH_OVER_HTTP, PEERS};
use crate::rounds::Spread;
use crate::table::{Row, Section};
use crate::world::{Token, World};

const ABOUT: &str = "burst: 100 first requests at once, distinct RS256 tokens, issuer on loopback, a fresh instance each round; ms \
    by the clock, from the first request to the last answer, and before that for start-up";
const REQUESTS: usize = 100;
/// Fewer rounds say nothing.
const FEWEST_ROUNDS: usize = 11;

struct Sample {
    accepted: f64,
    discoveries: f64,
    key_fetches: f64,
    milliseconds: f64,
    /// Until there was something to send requests to.
    start_up: f64,
}

/// A figure of each row.
struct Column {
    name: &'static str,
    value: fn(&Sample) -> f64,
}

const COLUMNS: [Column; 5] = [
    Column { name: "accepted of 100", value: |sample| sample.accepted },
    Column { name: "discoveries", value: |sample| sample.discoveries },
    Column { name: "key fetches", value: |sample| sample.key_fetches },
    Column { name: "start-up ms", value: |sample| sample.start_up },
    Column { name: "ms", value: |sample| sample.milliseconds },
];

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let world = World::start()?;
    let tokens = world.tokens(Algorithm::Rs256, REQUESTS);
    let entries: Vec<Entry> = [MCP_AUTH_OVER_HTTP].into_iter().chain(PEERS).collect();
    let mut samples: Vec<Vec<Sample>> = entries.iter().map(|_| Vec::new()).collect();
    let mut failures: Vec<Option<Failure>> = entries.iter().map(|_| None).collect();
    let end = Instant::now() + plan.budget / 2;
    let mut round = 0;
    while round < FEWEST_ROUNDS || Instant::now() < end {
        for turn in 0..entries.len() {
            let index = (turn + round) % entries.len();
            // A runtime of its own, so that nobody's background work goes on in another's turn.
            let runtime = Builder::new_current_thread().enable_all().build()?;
            match runtime.block_on(burst(&world, entries[index], &tokens)) {
                Ok(sample) => samples[index].push(sample),
                Err(failure) => failures[index] = Some(failure),
            }
        }
        round += 1;
    }
    let mut rows = Vec::new();
    for ((entry, own), failure) in entries.iter().zip(&samples).zip(&failures) {
        let row = Row::new("burst", entry.name);
        rows.push(match failure {
            Some(reason) => row.note(reason.to_string()),
            None => COLUMNS.iter().fold(row, |row, column| {
                row.figure(column.name, Spread::of(own.iter().map(column.value)))
            }),
        });
    }
    Ok(Section { name: "burst", about: ABOUT, rows })
}

async fn burst(world: &World, entry: Entry, tokens: &[Token]) -> Result<Sample, Failure> {
    let before = world.issuer.requests();
    let created = Instant::now();
    let contender = entry.make(world, Algorithm::Rs256).await?;
    let start = Instant::now();
    let answers = join_all(tokens.iter().map(|token| contender.verify(token))).await;
    let elapsed = start.elapsed();
    let after = world.issuer.requests();
    Ok(Sample {
        accepted: answers.iter().filter(|accepted| **accepted).count() as f64,
        discoveries: (after.metadata - before.metadata) as f64,
        key_fetches: (after.jwks - before.jwks) as f64,
        milliseconds: elapsed.as_secs_f64() * 1000.0,
        start_up: (start - created).as_secs_f64() * 1000.0,
    })
}
