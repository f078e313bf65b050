//! A server that others wrote or we built, for as long as a step needs it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::command::Failure;

/// Runs `task` with what the server is once a line of its output says so. Shows the server's log
/// when anything failed.
///
/// The server must end when its standard input is closed, so that it ends with this program too.
///
/// # Errors
///
/// The server does not start or stop cleanly, or the task failed.
pub(crate) fn serve<R>(
    name: &'static str,
    command: Command,
    patience: Duration,
    ready: impl FnMut(&str) -> Option<Result<R, Failure>>,
    task: impl FnOnce(R) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut server = Server::spawn(name, command, patience)?;
    let of_task = server.ready(ready).and_then(task);
    let of_stop = server.stop();
    let result = of_task.and(of_stop);
    if result.is_err() {
        let log = server.log();
        eprintln!("the log of {name}:\n{log}");
    }
    result
}

/// The running server. Dropping it ends the process.
struct Server {
    name: &'static str,
    child: Child,
    patience: Duration,
    stdout: Receiver<String>,
    /// What it wrote to standard output besides the line that says that it is ready.
    written: String,
    stderr: Option<JoinHandle<String>>,
}

impl Server {
    fn spawn(
        name: &'static str,
        mut command: Command,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::new(format!("{name} did not start: {error}")))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Ok(Self {
            name,
            child,
            patience,
            stdout: lines(stdout.ok_or_else(|| Failure::new("no stdout"))?),
            written: String::new(),
            stderr: Some(collect(stderr.ok_or_else(|| Failure::new("no stderr"))?)),
        })
    }

    /// Waits for the line that says that it listens.
    fn ready<R>(
        &mut self,
        mut ready: impl FnMut(&str) -> Option<Result<R, Failure>>,
    ) -> Result<R, Failure> {
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.stdout.recv_timeout(left).map_err(|error| {
                let Self { name, patience, .. } = self;
                Failure::new(match error {
                    RecvTimeoutError::Timeout => format!("{name} not ready after {patience:?}"),
                    RecvTimeoutError::Disconnected => {
                        format!("{name} stopped before it was ready")
                    }
                })
            })?;
            if let Some(result) = ready(&line) {
                return result;
            }
            self.record_line(&line);
        }
    }

    /// Closes its standard input, which asks it to stop, and waits until it has.
    fn stop(&mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        loop {
            match self.stdout.recv_timeout(self.patience) {
                Ok(line) => self.record_line(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill()?;
                    let Self { name, patience, .. } = self;
                    return Err(Failure::new(format!("{name} not stopped after {patience:?}")));
                }
            }
        }
        let (status, name) = (self.child.wait()?, self.name);
        if status.success() { Ok(()) } else { Err(Failure::new(format!("{name}: {status}"))) }
    }

    fn record_line(&mut self, line: &str) {
        self.written.push_str(line);
        self.written.push('\n');
    }

    /// What it wrote. Call it after [`Self::stop`].
    fn log(&mut self) -> String {
        let stderr = self.stderr.take().and_then(|log| log.join().ok()).unwrap_or_default();
        std::mem::take(&mut self.written) + &stderr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already, unless the task panicked: nothing to report.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process writes, line by line.
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
