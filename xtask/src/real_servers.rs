//! The step `real-servers`: what `mcp-auth check server` says first of servers that other packages made, as they are published.
//!
//! They are those of `xtask/peers/`, with their lockfiles; what they do in detail is for `cargo xtask peers`.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::command::{Failure, version};
use crate::dev_server::{self, command_line_tool};
use crate::install;
use crate::peers::{directory, script_of};
use crate::step::{Outcome, Step, missing_tool};

/// A server, and what must be said of it.
struct RealServer {
    name: &'static str,
    program: Program,
    /// How the first line begins; `{url}` stands for the server.
    first_line: &'static str,
    /// The exit code: 0 only where every MUST holds that can be seen without a token.
    code: i32,
}

/// What starts a server of `xtask/peers/`.
#[derive(Clone, Copy)]
enum Program {
    Python(&'static str),
    Node(&'static str),
}

const REAL_SERVERS: [RealServer; 7] = [
    RealServer {
        name: "everything",
        program: Program::Node("everything.mjs"),
        first_line: "{url} is an MCP server without protection: it answers `initialize` without a token.",
        code: 1,
    },
    RealServer {
        name: "python-sdk",
        program: Program::Python("sdk.py"),
        first_line: "{url} is protected: without a token it answers 401.",
        // It writes the issuer with a slash at its end, which the issuer does not (R21.issuer).
        code: 1,
    },
    RealServer {
        name: "fastmcp",
        program: Program::Python("fast.py"),
        first_line: "{url} is protected: without a token it answers 401.",
        // It writes the issuer with a slash at its end, which the issuer does not (R21.issuer).
        code: 1,
    },
    RealServer {
        name: "original-python",
        program: Program::Python("original.py"),
        first_line: "{url} is protected: without a token it answers 401.",
        code: 0,
    },
    RealServer {
        name: "typescript-sdk-1",
        program: Program::Node("sdk-v1.mjs"),
        first_line: "{url} is protected: without a token it answers 401.",
        code: 0,
    },
    RealServer {
        name: "typescript-sdk-2",
        program: Program::Node("sdk-v2.mjs"),
        first_line: "{url} is protected: without a token it answers 401.",
        code: 0,
    },
    RealServer {
        name: "original-node",
        program: Program::Node("original.mjs"),
        first_line: "{url} is protected: without a token it answers 401.",
        code: 0,
    },
];

/// The one step.
pub(crate) fn step() -> Step {
    Step {
        name: "real-servers",
        about: "the first line of `check server` about six servers of others, and the SDK's older line",
        run: check_all,
    }
}

fn check_all() -> Result<Outcome, Failure> {
    let python = if cfg!(windows) { "python" } else { "python3" };
    let Some(node_version) = version("node") else { return missing_tool("node") };
    let Some(python_version) = version(python) else { return missing_tool(python) };
    install::npm(&directory("typescript"), &node_version)?;
    let interpreter = install::pip(&directory("python"), python, &python_version)?;
    let checker = command_line_tool()?;
    let mut wrong = Vec::new();
    for real_server in &REAL_SERVERS {
        dev_server::with_issuer(|issuer| {
            let mut server = match real_server.program {
                Program::Python(script) => script_of(&interpreter, "python", script),
                Program::Node(script) => script_of(Path::new("node"), "typescript", script),
            };
            server.arg(issuer).env("PYTHONDONTWRITEBYTECODE", "1");
            dev_server::with_server(real_server.name, server, |ready: Ready| {
                wrong.extend(real_server.complaint(&checker, &ready.resource)?);
                Ok(())
            })
        })?;
    }
    match wrong.is_empty() {
        true => Ok(Outcome::Passed),
        false => Err(Failure::new(wrong.join("\n"))),
    }
}

impl RealServer {
    /// What is said that should not be.
    fn complaint(&self, checker: &Path, url: &str) -> Result<Option<String>, Failure> {
        let output = Command::new(checker).args(["check", "server", url]).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let first = text.lines().next().unwrap_or_default();
        let expected = self.first_line.replace("{url}", url);
        let is_as_expected =
            first.starts_with(&expected) && output.status.code() == Some(self.code);
        Ok((!is_as_expected).then(|| format!("{}: {} {first}\n{text}", self.name, output.status)))
    }
}

/// What a server says when it listens.
#[derive(Deserialize)]
struct Ready {
    resource: String,
}
