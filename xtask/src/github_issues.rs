//! The step `github-issues`: the example of that name, in each language, with a server in the shape of GitHub.

use std::ffi::OsStr;
use std::path::Path;

use crate::command::{Failure, Run, root, version};
use crate::lint::cargo_in_examples;
use crate::node;
use crate::python;
use crate::step::{Outcome, Step, missing_tool};

/// The one step.
pub(crate) fn step() -> Step {
    Step {
        name: "github-issues",
        about: "an example that calls GitHub as the user, in three languages: nobody acts as another",
        run,
    }
}

fn run() -> Result<Outcome, Failure> {
    tests().run()?;
    let Some(interpreter) = python::installed()? else { return missing_tool("python3") };
    let script = root().join("examples/python/github_issues.py");
    tests_of(&interpreter, &script).run()?;
    let Some(node_version) = version("node") else { return missing_tool("node") };
    let compiled = node::examples(&node_version)?.join("github-issues.js");
    // Its SDK speaks no newer one.
    tests_of("node", &compiled).env("GITHUB_ISSUES_REVISION", "2025-11-25").run()?;
    Ok(Outcome::Passed)
}

/// All tests of the example in Rust.
fn tests() -> Run {
    cargo_in_examples(&["test", "--workspace", "--test", "github_issues"])
}

/// The same tests, of the same server in another language.
fn tests_of(program: impl AsRef<OsStr>, script: &Path) -> Run {
    tests()
        .env("GITHUB_ISSUES_PROGRAM", &program.as_ref().to_string_lossy())
        .env("GITHUB_ISSUES_SCRIPT", &script.to_string_lossy())
}
