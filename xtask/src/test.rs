//! `cargo xtask test`.

use crate::clients;
use crate::command::{Failure, cargo};
use crate::lint::cargo_in_examples;
use crate::step::{Outcome, Step};

/// The steps of `cargo xtask test`.
pub(crate) fn steps() -> Vec<Step> {
    let mut steps = vec![
        Step { name: "workspace", about: "every crate, all features, doctests", run: workspace },
        Step { name: "library", about: "the library alone: default features, none", run: library },
        Step { name: "examples", about: "the examples' own workspace", run: examples },
    ];
    steps.extend(clients::steps());
    steps
}

fn workspace() -> Result<Outcome, Failure> {
    cargo(&["test", "--workspace", "--all-features"]).run()?;
    Ok(Outcome::Passed)
}

fn library() -> Result<Outcome, Failure> {
    cargo(&["test", "--package", "mcp-auth"]).run()?;
    cargo(&["test", "--package", "mcp-auth", "--no-default-features", "--lib"]).run()?;
    Ok(Outcome::Passed)
}

fn examples() -> Result<Outcome, Failure> {
    cargo_in_examples(&["test", "--workspace"]).run()?;
    Ok(Outcome::Passed)
}
