//! `cargo xtask test`.

use crate::clients;
use crate::command::{Failure, cargo, root};
use crate::lint::EXAMPLES;
use crate::step::{Outcome, Step};

/// The steps of `cargo xtask test`.
pub(crate) fn steps() -> Vec<Step> {
    let mut steps = vec![
        Step { name: "workspace", about: "every crate, all features, doctests", run: workspace },
        Step { name: "library", about: "the library alone, default features", run: library },
    ];
    if root().join(EXAMPLES).exists() {
        steps.push(Step { name: "examples", about: "the examples' own workspace", run: examples });
    }
    steps.extend(clients::steps());
    steps
}

fn workspace() -> Result<Outcome, Failure> {
    cargo(&["test", "--workspace", "--all-features"]).run()?;
    Ok(Outcome::Passed)
}

fn library() -> Result<Outcome, Failure> {
    cargo(&["test", "--package", "mcp-auth"]).run()?;
    Ok(Outcome::Passed)
}

fn examples() -> Result<Outcome, Failure> {
    cargo(&["test", "--manifest-path", EXAMPLES, "--workspace"]).run()?;
    Ok(Outcome::Passed)
}
