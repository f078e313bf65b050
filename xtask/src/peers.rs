//! `cargo xtask peers`: what servers do that other packages protect, beside one of ours. Nothing here
//! passes or fails: `docs/comparison.md` is written from it.

mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::command::{Failure, Run, built, cargo, root, version};
use crate::dev_server::{self, command_line_tool};
use crate::install;
use crate::peers::table::Table;

/// What is tried, each with a server that was just started. See `xtask/peers/probe/`.
const GROUPS: [&str; 5] = ["tokens", "requests", "outage", "stampede", "rotation"];

/// The other packages: a name, and what starts the server.
const PEERS: [(&str, Program); 7] = [
    ("python-sdk", Program::Python("sdk.py")),
    ("fastmcp", Program::Python("fast.py")),
    ("original-python", Program::Python("original.py")),
    ("typescript-sdk-1", Program::Node("sdk-v1.mjs")),
    ("typescript-sdk-2", Program::Node("sdk-v2.mjs")),
    ("original-node", Program::Node("original.mjs")),
    ("rmcp", Program::Rust),
];
/// `mcp-auth dev`.
const OURS: &str = "mcp-auth";

/// What starts a server of `xtask/peers/`.
#[derive(Clone, Copy)]
enum Program {
    Python(&'static str),
    Node(&'static str),
    Rust,
}

/// Measures the servers with these names, or all, and prints the tables.
///
/// # Errors
///
/// A tool is missing, or something does not install, start, answer or stop. A name is unknown.
pub(crate) fn run(only: &[String]) -> Result<(), Failure> {
    let mut names = vec![OURS];
    names.extend(PEERS.iter().map(|(name, _)| *name));
    if let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) {
        let known = names.join(", ");
        return Err(Failure::new(format!("no peer {unknown:?}; there are: {known}")));
    }
    if !only.is_empty() {
        names.retain(|name| only.iter().any(|wanted| wanted == name));
    }
    let tools = Tools::ready()?;
    let mut measured = Measured::default();
    if names.contains(&OURS) {
        measured.measure(&tools, OURS, |task| {
            dev_server::with(|ready| task(&ready.issuer, &ready.resource))
        })?;
    }
    for (name, program) in PEERS.into_iter().filter(|(name, _)| names.contains(name)) {
        measured.measure(&tools, name, |task| tools.serve(name, program, task))?;
    }
    println!("\nWhat came of each request\n\n{}", measured.probes);
    println!("`mcp-auth check server`\n\n{}", measured.checks);
    Ok(())
}

/// What has to be there before the first server starts.
struct Tools {
    python: PathBuf,
    rust: PathBuf,
    command: PathBuf,
}

/// What a task is told: issuer and resource.
type Task<'a> = &'a mut dyn FnMut(&str, &str) -> Result<(), Failure>;

impl Tools {
    fn ready() -> Result<Self, Failure> {
        let name = if cfg!(windows) { "python" } else { "python3" };
        install::npm(&directory("typescript"), &required_version("node")?)?;
        Ok(Self {
            python: install::pip(&directory("python"), name, &required_version(name)?)?,
            rust: built(cargo(&["build", "--quiet", "--locked"]).dir(&directory("rust")))?,
            command: command_line_tool()?,
        })
    }

    /// Runs `task` while the server serves, with an issuer of its own.
    fn serve(&self, name: &'static str, program: Program, task: Task<'_>) -> Result<(), Failure> {
        dev_server::with_issuer(|issuer| {
            let mut server = match program {
                Program::Python(script) => script_of(&self.python, "python", script),
                Program::Node(script) => script_of(Path::new("node"), "typescript", script),
                Program::Rust => Command::new(&self.rust),
            };
            server.arg(issuer).env("PYTHONDONTWRITEBYTECODE", "1");
            dev_server::with_server(name, server, |ready: Ready| task(issuer, &ready.resource))
        })
    }
}

/// The version of a tool that must be there.
fn required_version(tool: &str) -> Result<String, Failure> {
    version(tool).ok_or_else(|| Failure::new(format!("no {tool}")))
}

/// What a peer says when it listens.
#[derive(Deserialize)]
struct Ready {
    resource: String,
}

/// Both tables, a column for each server.
#[derive(Default)]
struct Measured {
    probes: Table,
    checks: Table,
}

impl Measured {
    /// `serve` runs a task while a server of this name serves that was just started.
    fn measure(
        &mut self,
        tools: &Tools,
        name: &'static str,
        mut serve: impl FnMut(Task<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for group in GROUPS {
            serve(&mut |issuer, resource| {
                let script = directory("probe").join("main.mjs");
                let probe = Run::new("node").args([script]).args([group, issuer, resource]);
                self.probes.add(name, from_json::<Vec<_>>(&probe.output()?)?);
                Ok(())
            })?;
        }
        serve(&mut |issuer, resource| {
            let mint = directory("probe").join("mint.mjs");
            let minted = Run::new("node").args([mint]).args([issuer, resource]).output()?;
            let tokens: Tokens = from_json(&minted)?;
            let check = Command::new(&tools.command)
                .args(["check", "server", resource, "--format", "json"])
                .args(["--weak-token", &tokens.weak, "--refused-token", &tokens.refused])
                .env("MCP_AUTH_TOKEN", &tokens.token)
                .stderr(Stdio::inherit())
                .output()?;
            let report: Report = from_json(&String::from_utf8_lossy(&check.stdout))?;
            let rows = report.findings.into_iter();
            self.checks
                .add(name, rows.map(|row| (format!("{} {}", row.id, row.title), row.verdict)));
            Ok(())
        })
    }
}

/// What `mcp-auth check server` is given.
#[derive(Deserialize)]
struct Tokens {
    token: String,
    weak: String,
    refused: String,
}

/// What `mcp-auth check server` prints.
#[derive(Deserialize)]
struct Report {
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    id: String,
    title: String,
    verdict: String,
}

fn from_json<T: for<'a> Deserialize<'a>>(json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|e| Failure::new(format!("{e}: {json}")))
}

/// What runs a script of `xtask/peers/`.
pub(crate) fn script_of(interpreter: &Path, folder: &str, script: &str) -> Command {
    let mut command = Command::new(interpreter);
    command.arg(directory(folder).join(script));
    command
}

/// A folder of `xtask/peers/`.
pub(crate) fn directory(name: &str) -> PathBuf {
    root().join("xtask/peers").join(name)
}
