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
use std::time::Duration;

use clap::Parser;

use crate::groups::Group;

/// Why something could not be measured.
type Failure = Box<dyn Error + Send + Sync>;

#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "mcp-auth and its peers, side by side in one run")]
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
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let budget = Duration::try_from_secs_f64(options.seconds)?;
    let plan = groups::Plan { budget, tokens: options.tokens };
    let before = machine::busy(Duration::from_secs(1));
    let mut sections = Vec::new();
    for group in Group::ALL {
        if options.only.is_empty() || options.only.contains(&group) {
            eprintln!("{group:?} …");
            sections.push(group.run(&plan)?);
        }
    }
    table::print(&sections);
    let after = machine::busy(Duration::from_secs(1));
    println!("\n{}", machine::describe(before, after));
    Ok(())
}
