//! `mcp-auth dev`, or another server, for as long as a step needs it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::child;
use crate::command::{Failure, built, cargo, root};

/// How long the server may take to listen, and to stop.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the server says when it listens.
#[derive(Debug, Deserialize)]
pub(crate) struct Ready {
    /// The protected MCP endpoint.
    pub(crate) resource: String,
    /// The development authorization server.
    pub(crate) issuer: String,
}

/// What `mcp-auth dev --issuer-only` says when it listens.
#[derive(Debug, Deserialize)]
pub(crate) struct IssuerReady {
    pub(crate) issuer: String,
}

/// Runs `task` while `mcp-auth dev` serves. Shows the server's log when anything failed.
///
/// # Errors
///
/// The server does not build, start or stop cleanly, or the task failed.
pub(crate) fn with(task: impl FnOnce(&Ready) -> Result<(), Failure>) -> Result<(), Failure> {
    run(&[], |ready: Ready| task(&ready))
}

/// Runs `task` with the URL of a development issuer, while `mcp-auth dev --issuer-only` serves it.
pub(crate) fn with_issuer(task: impl FnOnce(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    run(&["--issuer-only"], |ready: IssuerReady| task(&ready.issuer))
}

fn run<R: DeserializeOwned>(
    options: &[&str],
    task: impl FnOnce(R) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut command = Command::new(command_line_tool()?);
    command.args(["dev", "--port", "0", "--json"]).args(options).current_dir(root());
    with_server("mcp-auth dev", command, task)
}

/// Builds the `mcp-auth` command and says where it is.
pub(crate) fn command_line_tool() -> Result<PathBuf, Failure> {
    built(cargo(&["build", "--quiet", "--package", "mcp-auth-cli", "--bin", "mcp-auth"]))
}

/// Runs `task` while any server serves: one that says in one line of JSON that it listens, and stops
/// when its standard input closes.
pub(crate) fn with_server<R: DeserializeOwned>(
    name: &'static str,
    command: Command,
    task: impl FnOnce(R) -> Result<(), Failure>,
) -> Result<(), Failure> {
    child::serve(name, command, PATIENCE, |line| Some(ready(line)), task)
}

/// Reads the line of a server that says in JSON that it listens.
pub(crate) fn ready<R: DeserializeOwned>(line: &str) -> Result<R, Failure> {
    serde_json::from_str(line).map_err(|error| Failure::new(format!("{error}: {line}")))
}
