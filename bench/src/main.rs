//! mcp-auth and its peers, side by side in one run: `cargo xtask bench`.

mod allocations;
mod contenders;
mod gate;
mod groups;
mod load;
mod machine;
mod rounds;
mod server;
mod table;
mod targets;
mod world;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::groups::{Group, Guard, Work};

/// Why something could not be measured.
type Failure = Box<dyn Error + Send + Sync>;

/// What `cargo xtask bench` hands on.
#[derive(Parser)]
struct Options {
    /// Measure this group only; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Group>,
    /// About how long each group measures, in seconds.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// How many tokens of each kind `growth` sees.
    #[arg(long, default_value_t = 1_000_000)]
    tokens: usize,
    /// The program of `examples/whoami`, for `latency`.
    #[arg(long)]
    example: Option<PathBuf>,
    /// Also write the run to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Repeat one kind of work for a profile, and print how often it was done.
    #[arg(long, value_enum)]
    repeat: Option<Work>,
    /// Who does that work.
    #[arg(long, value_enum, default_value_t)]
    guard: Guard,
    /// What `growth` asks of a child process.
    #[arg(long, hide = true)]
    memory_after: Option<usize>,
    /// What `downstream` asks of a child process.
    #[arg(long, hide = true)]
    callers_after: Option<usize>,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    if let Some(tokens) = options.memory_after {
        return groups::report_memory(tokens);
    }
    if let Some(callers) = options.callers_after {
        return groups::report_callers(callers);
    }
    let budget = Duration::try_from_secs_f64(options.seconds)?;
    if let Some(work) = options.repeat {
        println!("{}", work.repeat(options.guard, budget)?);
        return Ok(());
    }
    let plan = groups::Plan { budget, tokens: options.tokens, example: options.example };
    let watch = machine::Watch::start();
    let mut sections = Vec::new();
    for group in Group::ALL {
        if options.only.is_empty() || options.only.contains(&group) {
            eprintln!("{group:?} …");
            sections.push(group.run(&plan)?);
        }
    }
    table::print(&sections);
    println!("\n{}", machine::describe(&watch));
    if let Some(path) = options.json {
        table::write(&path, &machine::setting(), watch.others(), &sections)?;
    }
    Ok(())
}
