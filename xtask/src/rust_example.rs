//! A program of `examples/` and an issuer that it trusts, for as long as a step needs them.

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

/// Runs `task` with the URL of the server that an example is. Shows its log when anything failed.
///
/// # Errors
///
/// The server or its issuer does not build, start or stop cleanly, or the task failed.
pub(crate) fn with(
    example: &str,
    task: impl FnOnce(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let binary = built(cargo_in_examples(&["build", "--quiet", "--workspace", "--bin", example]))?;
    dev_server::with_issuer(|issuer| {
        let server = Example::start(&binary, issuer)?;
        let result = task(&server.resource);
        if result.is_err() {
            server.stdout.try_iter().for_each(|line| eprintln!("{example}: {line}"));
        }
        result
    })
}

/// The running server. Dropping it ends the process.
struct Example {
    resource: String,
    child: Child,
    stdout: Receiver<String>,
}

impl Example {
    fn start(binary: &Path, issuer: &str) -> Result<Self, Failure> {
        for _ in 0..ATTEMPTS {
            let server = Self::spawn(binary, issuer)?;
            if server.listens() {
                return Ok(server);
            }
        }
        Err(Failure::new(format!("{} does not listen, tried {ATTEMPTS} times", binary.display())))
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

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended already: nothing to report.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
