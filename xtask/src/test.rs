//! `cargo xtask test`.

use std::env;
use std::path::PathBuf;

use crate::clients;
use crate::command::{Failure, Run, cargo, root, version};
use crate::fuzz;
use crate::github_issues;
use crate::lint::cargo_in_examples;
#[cfg(target_os = "linux")]
use crate::no_delay;
use crate::node;
use crate::notes_db;
use crate::providers;
use crate::python;
use crate::real_servers;
use crate::soak;
use crate::step::{Outcome, Step, missing_tool};

/// The steps of `cargo xtask test`.
pub(crate) fn steps() -> Vec<Step> {
    let mut steps = vec![
        Step { name: "workspace", about: "every crate, all features, doctests", run: workspace },
        Step { name: "library", about: "the library alone: default features, none", run: library },
        Step { name: "uris", about: "our form of URIs beside Node's and Python's", run: uris },
        Step { name: "wycheproof", about: "attack vectors that are not in here", run: wycheproof },
        Step { name: "fuzz", about: "every fuzz target, 20 seconds each", run: fuzz::step },
        Step { name: "examples", about: "the examples' own workspace", run: examples },
    ];
    #[cfg(target_os = "linux")]
    steps.push(Step {
        name: "no-delay",
        about: "servers that are shown, and ours, have Nagle's algorithm off",
        run: no_delay::run,
    });
    steps.push(soak::step());
    steps.extend(clients::steps());
    steps.extend(providers::steps());
    steps.push(real_servers::step());
    steps.push(node::step());
    steps.extend(python::steps());
    steps.push(notes_db::step());
    steps.push(github_issues::step());
    steps
}

fn workspace() -> Result<Outcome, Failure> {
    workspace_tests(&[]).run()?;
    Ok(Outcome::Passed)
}

/// Tests of this workspace. Of one package alone, Cargo would build what it uses once more, with the fewer features that this one
/// asks for. The two that are left out have no tests in Rust, and are no programs that could run.
pub(crate) fn workspace_tests(arguments: &[&str]) -> Run {
    cargo(&["test", "--workspace", "--all-features"])
        .args(["--exclude", "mcp-auth-python", "--exclude", "mcp-auth-node"])
        .args(arguments)
}

/// Features add code and change none: what they add is built and tried in each choice of them, and everything once, with
/// all of them, in the step before.
fn library() -> Result<Outcome, Failure> {
    cargo(&["test", "--package", "mcp-auth", "--test", "it", "adapters::"]).run()?;
    cargo(&["test", "--package", "mcp-auth", "--doc"]).run()?;
    cargo(&["test", "--package", "mcp-auth", "--no-default-features", "--lib"])
        .args(["--", "--skip", "linear_cost"])
        .run()?;
    Ok(Outcome::Passed)
}

/// Compares how Node and Python read URIs with the library's reading of them.
fn uris() -> Result<Outcome, Failure> {
    for tool in ["node", "python3"] {
        if version(tool).is_none() {
            return missing_tool(tool);
        }
    }
    workspace_tests(&["--lib", "node_and_python_read"]).args(["--", "--ignored"]).run()?;
    Ok(Outcome::Passed)
}

/// The library's tests read the files from where this looks for them.
fn wycheproof() -> Result<Outcome, Failure> {
    let folder = match env::var_os("WYCHEPROOF_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => root().join("../shared/vectors/wycheproof"),
    };
    if !folder.join("json_web_signature_test.json").is_file() {
        return missing_tool("Project Wycheproof (WYCHEPROOF_DIR)");
    }
    workspace_tests(&["--lib", "wycheproof::jws"])
        .env("WYCHEPROOF_DIR", &folder.canonicalize()?.to_string_lossy())
        .run()?;
    Ok(Outcome::Passed)
}

fn examples() -> Result<Outcome, Failure> {
    cargo_in_examples(&["test", "--workspace"]).run()?;
    Ok(Outcome::Passed)
}
