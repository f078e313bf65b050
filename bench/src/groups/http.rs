//! Over HTTP: how many requests one core serves, protected and not. Shared by two groups.

use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use dev_issuer::Algorithm;

use crate::Failure;
use crate::contenders::{BARE_CHECK, Entry, JSONWEBTOKEN, MCP_AUTH, OPEN_GATE, PEERS};
use crate::load::Load;
use crate::rounds::median;
use crate::server::Server;
use crate::table::Row;
use crate::world::{Token, World};

/// Requests of one slice, each with a token that the server has not seen.
const REQUESTS: usize = 2000;
/// Tokens that are seen again and again.
const SEEN: usize = 16;
/// Requests that are not counted, so that connections and buffers are there.
const WARM_UP: usize = 320;
/// Fewer rounds say nothing.
const FEWEST_ROUNDS: usize = 7;

/// An application and the requests to it.
pub(super) struct Subject {
    /// In the first column.
    pub(super) name: &'static str,
    pub(super) app: fn() -> Router,
    /// A whole request with this token.
    pub(super) request: fn(&Token) -> Vec<u8>,
}

struct Slot<'a> {
    work: String,
    name: &'static str,
    guard: Option<Entry>,
    /// Not counted.
    warm_up: Vec<&'a [u8]>,
    requests: Vec<&'a [u8]>,
    /// The slot that this one is compared with.
    baseline: usize,
    samples: Vec<Sample>,
    /// Why there are no more samples.
    failure: Option<Failure>,
}

#[derive(Clone, Copy)]
struct Sample {
    /// Time of the server's thread, in nanoseconds per request.
    processor: f64,
    allocations: f64,
    /// The share of the time in which the server was at work.
    busy: f64,
    accepted: f64,
}

/// A row of the table.
pub(super) struct Line {
    /// What is measured, behind the subject's name.
    pub(super) work: &'static str,
    /// `None`: unprotected.
    pub(super) guard: Option<Entry>,
    /// Whether every token has been seen before.
    pub(super) seen: bool,
    /// The line that this one is compared with.
    pub(super) baseline: usize,
}

/// Seen and distinct tokens, with every guard.
pub(super) fn usual_lines() -> Vec<Line> {
    let line = |work, guard, baseline| Line { work, guard, seen: work == "seen", baseline };
    let guards = [BARE_CHECK, MCP_AUTH, JSONWEBTOKEN].into_iter().chain(PEERS);
    let mut lines = vec![line("seen", None, 0), line("seen", Some(OPEN_GATE), 0)];
    lines.push(line("seen", Some(MCP_AUTH), 0));
    let unprotected = lines.len();
    lines.push(line("distinct", None, unprotected));
    lines.extend(guards.map(|guard| line("distinct", Some(guard), unprotected)));
    lines
}

/// Rounds of slices, each with a fresh server.
pub(super) fn run(
    subject: &Subject,
    lines: &[Line],
    budget: Duration,
) -> Result<Vec<Row>, Failure> {
    let world = World::start()?;
    let requests = |count| -> Vec<Vec<u8>> {
        world.tokens(Algorithm::Rs256, count).iter().map(subject.request).collect()
    };
    let (warm_up, distinct, seen) = (requests(WARM_UP), requests(REQUESTS), requests(SEEN));
    let mut slots = slots(subject.name, lines, &warm_up, &distinct, &seen);
    let end = Instant::now() + budget;
    let mut round = 0;
    while round < FEWEST_ROUNDS || Instant::now() < end {
        for turn in 0..slots.len() {
            let index = (turn + round) % slots.len();
            let slot = &mut slots[index];
            match slice(&world, subject.app, slot) {
                Ok(sample) => slot.samples.push(sample),
                Err(failure) => slot.failure = Some(failure),
            }
        }
        round += 1;
    }
    Ok(slots.iter().map(|slot| row(slot, &slots[slot.baseline])).collect())
}

fn slots<'a>(
    name: &str,
    lines: &[Line],
    warm_up: &'a [Vec<u8>],
    distinct: &'a [Vec<u8>],
    seen: &'a [Vec<u8>],
) -> Vec<Slot<'a>> {
    let slot = |line: &Line| {
        // Where tokens are to have been seen, they come once before.
        let (pool, before) = if line.seen { (seen, seen) } else { (distinct, &seen[..0]) };
        Slot {
            work: format!("{name} {}", line.work),
            name: line.guard.map_or("unprotected", |entry| entry.name),
            guard: line.guard,
            warm_up: warm_up.iter().chain(before).map(Vec::as_slice).collect(),
            requests: pool.iter().map(Vec::as_slice).cycle().take(REQUESTS).collect(),
            baseline: line.baseline,
            samples: Vec::new(),
            failure: None,
        }
    };
    lines.iter().map(slot).collect()
}

/// One slice with a fresh server.
fn slice(world: &World, app: fn() -> Router, slot: &Slot<'_>) -> Result<Sample, Failure> {
    thread::scope(|scope| {
        let server = Server::start(scope, world, slot.guard, app)?;
        let mut load = Load::connect(server.address)?;
        load.send(&slot.warm_up)?;
        let (before, start) = (server.reading()?, Instant::now());
        let accepted = load.send(&slot.requests)?;
        let (elapsed, after) = (start.elapsed(), server.reading()?);
        drop(load);
        server.stop()?;
        let count = slot.requests.len() as f64;
        let processor = (after.processor - before.processor).as_secs_f64();
        Ok(Sample {
            processor: processor * 1e9 / count,
            allocations: (after.allocations - before.allocations) as f64 / count,
            busy: processor / elapsed.as_secs_f64(),
            accepted: accepted as f64 / count,
        })
    })
}

fn row(slot: &Slot<'_>, baseline: &Slot<'_>) -> Row {
    let row = Row::new(&slot.work, slot.name);
    if let Some(failure) = &slot.failure {
        return row.note(failure.to_string());
    }
    let accepted = slot.samples.iter().map(|sample| sample.accepted).fold(1.0, f64::min);
    if accepted < 1.0 {
        return row.note(format!("refused {:.0} %", (1.0 - accepted) * 100.0));
    }
    let pairs = baseline.samples.iter().zip(&slot.samples);
    let busy = median(slot.samples.iter().map(|sample| sample.busy));
    row.measured(median(slot.samples.iter().map(|sample| 1e9 / sample.processor)), "requests/s")
        .ratio(median(pairs.map(|(bare, own)| bare.processor / own.processor)))
        .allocations(median(slot.samples.iter().map(|sample| sample.allocations)))
        .note(format!("server at work {:.0} % of the time", busy * 100.0))
}
