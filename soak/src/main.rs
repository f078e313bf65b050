//! Protected servers under full load while everything around them changes: `cargo xtask soak`.
//!
//! Two instances of a server share their keys for handles. Clients send good and bad tokens, begin and use sessions, open
//! streams and get revoked, as fast as they can, while the issuer rotates its keys and fails. Each client is an oracle for its
//! own users ([`client`]): it knows what every answer may be. A wrong answer ends the run; so does memory, a task or a
//! connection that is left over at the end.

#![expect(clippy::unwrap_used, reason = "what fails here ends the run")]

mod client;
mod disturbances;
mod reloads;
mod resources;
mod server;
mod stream;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::client::Client;
use crate::resources::{Memory, Usage};
use crate::world::World;

/// How much more memory there may be at the end than after the first third.
const MAX_GROWTH_MIB: f64 = 8.0;

/// How long what is open may take to close when everybody has gone.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Parser)]
#[command(about = "Protected servers under full load, against an oracle")]
struct Options {
    /// How long it runs.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// How many clients there are.
    #[arg(long, default_value_t = 24)]
    clients: u64,
    /// What chance begins with; another one at each run when it is not given.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    // Refusals are expected by the thousand; an event of ours that is an error is not.
    tracing_subscriber::fmt().with_env_filter("error").with_writer(std::io::stderr).init();
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    println!("soak: {} s, {} clients, --seed {seed}", options.seconds, options.clients);
    let world = Arc::new(World::start().await);
    let before = Usage::now();
    let memory = run(&world, &options, seed).await;
    let mut faults = world.take_faults();
    if let Some(leak) = leaks(&world, &before).await {
        faults.push(leak);
    }
    if memory.growth() > MAX_GROWTH_MIB {
        faults.push(format!("memory grew by {:.1} MiB", memory.growth()));
    }
    println!("{}", world.tally());
    println!("memory: {memory}");
    for fault in &faults {
        eprintln!("FAULT: {fault}");
    }
    if faults.is_empty() {
        println!("no wrong decision, no task or connection left over, memory flat");
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// Lets everything happen at once, until time is up or somebody has found a fault.
async fn run(world: &Arc<World>, options: &Options, seed: u64) -> Memory {
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let mut at_work = tokio::task::JoinSet::new();
    for number in 0..options.clients {
        let client = Client::new(world.clone(), number, fastrand::Rng::with_seed(seed ^ number));
        at_work.spawn(client.run());
    }
    at_work.spawn(disturbances::run(world.clone(), fastrand::Rng::with_seed(seed)));
    at_work.spawn(reloads::run(world.clone()));
    let mut memory = Memory::default();
    while Instant::now() < end && !world.has_fault() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        memory.sample();
    }
    world.stop.store(true, Ordering::SeqCst);
    while let Some(ended) = at_work.join_next().await {
        if let Err(panicked) = ended {
            world.fault(panicked.to_string());
        }
    }
    memory
}

/// What is left over when everybody has gone.
async fn leaks(world: &World, before: &Usage) -> Option<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let streams = world.open_streams.load(Ordering::SeqCst);
        let now = Usage::now();
        if streams == 0 && now.is_at_most(before) {
            return None;
        }
        if Instant::now() > deadline {
            return Some(format!("left over: {streams} streams; {now}, and at the start {before}"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
