//! `mcp-auth dev`, or another server, for as long as a step needs it.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

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

/// The same of the issuer alone.
#[derive(Debug, Deserialize)]
struct IssuerReady {
    issuer: String,
}

/// Runs `task` while `mcp-auth dev` serves. Shows the server's log when anything failed.
///
/// # Errors
///
/// The server does not build, start or stop cleanly, or the task failed.
pub(crate) fn with(task: impl FnOnce(&Ready) -> Result<(), Failure>) -> Result<(), Failure> {
    run(&[], |ready: Ready| task(&ready))
}

/// The same with the issuer alone, for a server of one's own.
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
    let mut server = DevServer::spawn(name, command)?;
    let result = server.ready().and_then(task);
    let stopped = server.stop();
    let result = result.and(stopped);
    let log = server.log();
    if result.is_err() && !log.is_empty() {
        eprintln!("the server's log:\n{log}");
    }
    result
}

/// The running server. Dropping it ends the process.
struct DevServer {
    name: &'static str,
    child: Child,
    stdout: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

impl DevServer {
    fn spawn(name: &'static str, mut command: Command) -> Result<Self, Failure> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let server = Self {
            name,
            child,
            stdout: lines(stdout.ok_or_else(|| Failure::new("no stdout"))?),
            stderr: Some(collect(stderr.ok_or_else(|| Failure::new("no stderr"))?)),
        };
        Ok(server)
    }

    /// Waits for the one line that says that it listens.
    fn ready<R: DeserializeOwned>(&self) -> Result<R, Failure> {
        let name = self.name;
        let line = self.stdout.recv_timeout(PATIENCE).map_err(|e| {
            Failure::new(match e {
                RecvTimeoutError::Timeout => format!("{name} not ready after {PATIENCE:?}"),
                RecvTimeoutError::Disconnected => format!("{name} stopped before it was ready"),
            })
        })?;
        serde_json::from_str(&line).map_err(|e| Failure::new(format!("{name}: {e}: {line}")))
    }

    /// Closes its standard input, which asks it to stop, and waits until it has.
    fn stop(&mut self) -> Result<(), Failure> {
        let name = self.name;
        drop(self.child.stdin.take());
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(line) => eprintln!("{name} wrote one more line: {line}"),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill()?;
                    let message = format!("{name} not stopped after {PATIENCE:?}");
                    return Err(Failure::new(message));
                }
            }
        }
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("{name}: {status}"))) }
    }

    /// What it wrote to standard error. Call it after [`Self::stop`].
    fn log(&mut self) -> String {
        self.stderr.take().and_then(|log| log.join().ok()).unwrap_or_default()
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        // It has ended already, unless the task panicked: nothing to report.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What it writes, line by line.
pub(crate) fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

fn collect(mut stderr: ChildStderr) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut log = Vec::new();
        let _ = stderr.read_to_end(&mut log);
        String::from_utf8_lossy(&log).into_owned()
    })
}
