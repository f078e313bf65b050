//! The todo manager of the examples and an issuer that it trusts, for as long as a step needs them.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;

use crate::child::lines;
use crate::command::{Failure, built};
use crate::dev_server::{self, PATIENCE};
use crate::lint::cargo_in_examples;

/// How often a port is chosen: another program may take a free one first.
const ATTEMPTS: usize = 5;

/// Runs `task` with the URL of the server. Shows its log when anything failed.
///
/// # Errors
///
/// The server or its issuer does not build, start or stop cleanly, or the task failed.
pub(crate) fn with(task: impl FnOnce(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    let binary = built(cargo_in_examples(&["build", "--quiet", "--package", "todo-manager"]))?;
    dev_server::with_issuer(|issuer| {
        let server = TodoManager::start(&binary, issuer)?;
        let result = task(&server.resource);
        if result.is_err() {
            server.stdout.try_iter().for_each(|line| eprintln!("todo-manager: {line}"));
        }
        result
    })
}

/// The running server. Dropping it ends the process.
struct TodoManager {
    resource: String,
    child: Child,
    stdout: Receiver<String>,
}

impl TodoManager {
    fn start(binary: &Path, issuer: &str) -> Result<Self, Failure> {
        for _ in 0..ATTEMPTS {
            let server = Self::spawn(binary, issuer)?;
            if server.listens() {
                return Ok(server);
            }
        }
        Err(Failure::new(format!("todo-manager does not listen, tried {ATTEMPTS} times")))
    }

    fn spawn(binary: &Path, issuer: &str) -> Result<Self, Failure> {
        let bind = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string();
        let resource = format!("http://{bind}/mcp");
        let mut child = Command::new(binary)
            .env("MCP_AUTH_RESOURCE", &resource)
            .env("MCP_AUTH_ISSUER", issuer)
            .env("MCP_AUTH_SCOPES", "mcp")
            .env("MCP_AUTH_BIND", bind)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::new("no stdout"))?;
        Ok(Self { resource, child, stdout: lines(stdout) })
    }

    /// Waits for the line that says so; `false` when it ends without one.
    fn listens(&self) -> bool {
        let mut lines = std::iter::from_fn(|| self.stdout.recv_timeout(PATIENCE).ok());
        lines.any(|line| line.starts_with("listening on"))
    }
}

impl Drop for TodoManager {
    fn drop(&mut self) {
        // It may have ended already: nothing to report.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
