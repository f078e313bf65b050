//! Two threads on one instance against one thread.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use dev_issuer::Algorithm;
use tokio::runtime::Builder;

use crate::contenders::{BARE_CHECK, Contender, Entry, MCP_AUTH};
use crate::machine::{Watch, percent};
use crate::rounds::Spread;
use crate::table::{MICROSECONDS, RATIO, Row};
use crate::world::{Token, World};
use crate::{Failure, machine};

/// Tokens of a thread in a slice.
const TOKENS: usize = 500;
/// How often a slice visits each token, when they are to have been seen.
const VISITS: usize = 20;
/// Fewer rounds say nothing.
const FEWEST_ROUNDS: usize = 11;

pub(super) fn run(world: &World, budget: Duration) -> Result<Vec<Row>, Failure> {
    let pools = [world.tokens(Algorithm::Rs256, TOKENS), world.tokens(Algorithm::Rs256, TOKENS)];
    // What this machine can do at all: two of its processors may share one core.
    let subjects =
        [(BARE_CHECK, "distinct", 1), (MCP_AUTH, "distinct", 1), (MCP_AUTH, "seen", VISITS)];
    let mut rows = Vec::new();
    for (entry, seen, visits) in subjects {
        let (end, watch) = (Instant::now() + budget / 3, Watch::start());
        let (mut single, mut ratios) = (Vec::new(), Vec::new());
        while ratios.len() < FEWEST_ROUNDS || Instant::now() < end {
            let one = slice(world, entry, &pools[..1], visits)?;
            let two = slice(world, entry, &pools, visits)?;
            single.push(1e6 / one);
            ratios.push(two / one);
        }
        let others = watch.others();
        let row = Row::new(format!("two threads, {seen}"), entry.name)
            .figure(MICROSECONDS, Spread::of(single))
            .figure(RATIO, Spread::of(ratios))
            .note(format!("requests of two / one; others used {} meanwhile", percent(others)));
        let is_idle = others.is_some_and(|others| others < machine::IDLE);
        rows.push(if is_idle { row } else { row.not_judged() });
    }
    Ok(rows)
}

/// Requests per second of one fresh instance, with a thread for each pool.
fn slice(world: &World, entry: Entry, pools: &[Vec<Token>], visits: usize) -> Result<f64, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let auth = runtime.block_on(entry.make_warm(world, Algorithm::Rs256))?;
    if visits > 1 {
        for token in pools.iter().flatten() {
            runtime.block_on(auth.verify(token));
        }
    }
    let start_line = Barrier::new(pools.len());
    let slowest = thread::scope(|scope| {
        let workers: Vec<_> = pools
            .iter()
            .map(|pool| scope.spawn(|| work(&*auth, pool, visits, &start_line)))
            .collect();
        let times = workers.into_iter().filter_map(|worker| worker.join().ok()?.ok());
        times.max().ok_or("no thread has finished")
    })?;
    Ok((pools.len() * TOKENS * visits) as f64 / slowest.as_secs_f64())
}

fn work(
    auth: &dyn Contender,
    pool: &[Token],
    visits: usize,
    start_line: &Barrier,
) -> Result<Duration, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let tokens: Vec<&Token> = pool.iter().cycle().take(TOKENS * visits).collect();
    start_line.wait();
    let start = Instant::now();
    runtime.block_on(auth.verify_all(&tokens));
    Ok(start.elapsed())
}
