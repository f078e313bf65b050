//! Over HTTP: what a request costs a server, protected and not. Shared by three groups.

use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use dev_issuer::Algorithm;

use crate::Failure;
use crate::contenders::{BARE_CHECK, Entry, JSONWEBTOKEN, MCP_AUTH, OPEN_GATE, PEERS, ReadSubject};
use crate::load::Load;
use crate::rounds::Spread;
use crate::server::Server;
use crate::table::{ALLOCATIONS, MICROSECONDS, OVER_BARE, OVER_EMPTY, RATIO, Row};
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
    pub(super) app: fn(ReadSubject) -> Router,
    /// A whole request with this token.
    pub(super) request: fn(&Token) -> Vec<u8>,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub(super) struct Line {
    /// What is measured, behind the subject's name.
    pub(super) work: &'static str,
    /// `None`: unprotected.
    pub(super) guard: Option<Entry>,
    /// Whether every token has been seen before.
    pub(super) seen: bool,
    /// The lines that this one is compared with.
    pub(super) beside: Beside,
}

/// Places of lines in their list.
#[derive(Clone, Copy)]
pub(super) struct Beside {
    /// What the ratio is to.
    pub(super) baseline: usize,
    pub(super) empty_layer: usize,
    pub(super) bare_check: Option<usize>,
}

/// Seen and distinct tokens, with every guard.
pub(super) fn usual_lines() -> Vec<Line> {
    let seen = Beside { baseline: 0, empty_layer: 1, bare_check: None };
    let thin = Beside { baseline: 3, empty_layer: 4, bare_check: None };
    let whole = Beside { bare_check: Some(5), ..thin };
    let mut lines = Vec::new();
    for guard in [None, Some(OPEN_GATE), Some(MCP_AUTH)] {
        lines.push(Line { work: "seen", guard, seen: true, beside: seen });
    }
    for guard in [None, Some(OPEN_GATE), Some(BARE_CHECK)] {
        lines.push(Line { work: "distinct", guard, seen: false, beside: thin });
    }
    for entry in [MCP_AUTH, JSONWEBTOKEN].into_iter().chain(PEERS) {
        lines.push(Line { work: "distinct", guard: Some(entry), seen: false, beside: whole });
    }
    lines
}

/// A line alone.
pub(super) fn line_alone(guard: Entry, seen: bool) -> Line {
    let beside = Beside { baseline: 0, empty_layer: 0, bare_check: None };
    Line { work: "", guard: Some(guard), seen, beside }
}

/// All that is sent.
struct Requests {
    warm_up: Vec<Vec<u8>>,
    distinct: Vec<Vec<u8>>,
    seen: Vec<Vec<u8>>,
}

impl Requests {
    fn new(world: &World, subject: &Subject) -> Self {
        let requests = |count| -> Vec<Vec<u8>> {
            world.tokens(Algorithm::Rs256, count).iter().map(subject.request).collect()
        };
        Self { warm_up: requests(WARM_UP), distinct: requests(REQUESTS), seen: requests(SEEN) }
    }
}

struct Slot<'a> {
    line: Line,
    /// Not counted.
    warm_up: Vec<&'a [u8]>,
    requests: Vec<&'a [u8]>,
    samples: Vec<Sample>,
    /// What was answered, which must be the same for all.
    body: Vec<u8>,
    /// Why there are no more samples.
    failure: Option<Failure>,
}

#[derive(Clone, Copy)]
struct Sample {
    /// Time of the server's thread, in microseconds per request.
    microseconds: f64,
    allocations: f64,
    /// The share of the time in which the server was at work.
    busy: f64,
    accepted: f64,
}

/// Rounds of slices, each with a fresh server.
pub(super) fn run(
    subject: &Subject,
    lines: &[Line],
    budget: Duration,
) -> Result<Vec<Row>, Failure> {
    let world = World::start()?;
    let requests = Requests::new(&world, subject);
    let mut slots: Vec<Slot<'_>> = lines.iter().map(|line| Slot::new(*line, &requests)).collect();
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
    Ok(slots.iter().map(|slot| row(subject, slot, &slots)).collect())
}

/// Slices of one line alone, for a profile. Returns how many requests were answered.
pub(super) fn repeat(subject: &Subject, line: Line, budget: Duration) -> Result<usize, Failure> {
    let world = World::start()?;
    let requests = Requests::new(&world, subject);
    let mut slot = Slot::new(line, &requests);
    // A profile shows one kind of request.
    slot.warm_up.retain(|request| slot.requests.contains(request));
    let end = Instant::now() + budget;
    let mut answered = 0;
    while Instant::now() < end {
        slice(&world, subject.app, &mut slot)?;
        answered += slot.warm_up.len() + slot.requests.len();
    }
    Ok(answered)
}

impl<'a> Slot<'a> {
    fn new(line: Line, requests: &'a Requests) -> Self {
        // Where tokens are to have been seen, they come once before.
        let (pool, before) = match line.seen {
            true => (&requests.seen, &requests.seen[..]),
            false => (&requests.distinct, &[][..]),
        };
        Self {
            line,
            warm_up: requests.warm_up.iter().chain(before).map(Vec::as_slice).collect(),
            requests: pool.iter().map(Vec::as_slice).cycle().take(REQUESTS).collect(),
            samples: Vec::new(),
            body: Vec::new(),
            failure: None,
        }
    }
}

/// One slice with a fresh server.
fn slice(
    world: &World,
    app: fn(ReadSubject) -> Router,
    slot: &mut Slot<'_>,
) -> Result<Sample, Failure> {
    thread::scope(|scope| {
        let server = Server::start(scope, world, slot.line.guard, app)?;
        let mut load = Load::connect(server.address)?;
        load.send(&slot.warm_up)?;
        slot.body = load.last_body().to_vec();
        let (before, start) = (server.reading()?, Instant::now());
        let accepted = load.send(&slot.requests)?;
        let (elapsed, after) = (start.elapsed(), server.reading()?);
        drop(load);
        server.stop()?;
        let count = slot.requests.len() as f64;
        let processor = (after.processor - before.processor).as_secs_f64();
        Ok(Sample {
            microseconds: processor * 1e6 / count,
            allocations: (after.allocations - before.allocations) as f64 / count,
            busy: processor / elapsed.as_secs_f64(),
            accepted: accepted as f64 / count,
        })
    })
}

fn row(subject: &Subject, slot: &Slot<'_>, slots: &[Slot<'_>]) -> Row {
    let Line { work, guard, beside, .. } = slot.line;
    let name = guard.map_or("unprotected", |entry| entry.name);
    let mut row = Row::new(format!("{} {work}", subject.name), name);
    if let Some(failure) = &slot.failure {
        return row.note(failure.to_string());
    }
    let accepted = slot.samples.iter().map(|sample| sample.accepted).fold(1.0, f64::min);
    if accepted < 1.0 {
        return row.note(format!("refused {:.0} %", (1.0 - accepted) * 100.0));
    }
    let baseline = &slots[beside.baseline];
    if slot.body != baseline.body {
        return row.note("answers with other bytes than the unprotected server");
    }
    let own = &slot.samples;
    let pairs = baseline.samples.iter().zip(own);
    row = row
        .figure(MICROSECONDS, Spread::of(own.iter().map(|sample| sample.microseconds)))
        .figure(RATIO, Spread::of(pairs.map(|(bare, one)| bare.microseconds / one.microseconds)));
    // An unprotected server has no layer that could be over an empty one.
    if guard.is_some_and(|entry| entry.name != OPEN_GATE.name) {
        row = row.figure(OVER_EMPTY, over(own, &slots[beside.empty_layer].samples));
    }
    if let Some(bare_check) = beside.bare_check {
        row = row.figure(OVER_BARE, over(own, &slots[bare_check].samples));
    }
    let busy = Spread::of(own.iter().map(|sample| sample.busy)).middle;
    row.figure(ALLOCATIONS, Spread::of(own.iter().map(|sample| sample.allocations)))
        .note(format!("server at work {:.0} % of the time", busy * 100.0))
}

/// What a request takes longer, within each round.
fn over(own: &[Sample], others: &[Sample]) -> Spread {
    let pairs = own.iter().zip(others);
    Spread::of(pairs.map(|(one, other)| one.microseconds - other.microseconds))
}
