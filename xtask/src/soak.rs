//! `cargo xtask soak`, and its short form in `cargo xtask test`.

use std::path::PathBuf;

use crate::command::{Failure, Run, built, cargo};
use crate::step::{Outcome, Step};

/// The short form.
pub(crate) fn step() -> Step {
    Step {
        name: "soak",
        about: "two servers under load while keys, outages and revocations come, 30 seconds",
        run: || {
            Run::new(program()?).args(["--seconds", "30"]).run()?;
            Ok(Outcome::Passed)
        },
    }
}

/// Built together with the `mcp-auth` command, so that what both use is built once.
fn program() -> Result<PathBuf, Failure> {
    let packages = ["--package", "mcp-auth-cli", "--package", "mcp-auth-soak"];
    built(cargo(&["build", "--quiet", "--bin", "mcp-auth-soak"]).args(packages))
}

/// The long one, as users would have the library.
pub(crate) fn run(seconds: u64, seed: Option<u64>) -> Result<(), Failure> {
    let seconds = seconds.to_string();
    let chosen = seed.map(|number| ["--seed".to_owned(), number.to_string()]);
    cargo(&["run", "--release", "--package", "mcp-auth-soak", "--", "--seconds", &seconds])
        .args(chosen.iter().flatten())
        .run()
}
