//! Child processes, and why one failed.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Why a step failed, in words.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// A command that says what it runs and turns a bad exit into a [`Failure`].
pub(crate) struct Run(Command);

impl Run {
    /// A program, started in the root of the repository.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(root());
        Self(command)
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn dir(mut self, directory: &Path) -> Self {
        self.0.current_dir(directory);
        self
    }

    /// Runs to the end, and shows what it prints. A failure has the last lines of it, because a report stands far below them.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        println!("$ {self}");
        let command = self.0.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| self.not_started(&e))?;
        let (sender, receiver) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || sender.send(shown_lines(BufReader::new(output))));
        }
        let status = child.wait()?;
        // What it started and did not end may hold its output open for ever.
        let last_lines = match receiver.recv_timeout(OUTPUT_ENDS_WITHIN) {
            Ok(last_lines) => last_lines?,
            Err(_) => "something that it started still runs".to_owned(),
        };
        if status.success() {
            Ok(())
        } else {
            Err(Failure::new(format!("{self}: {status}\n{last_lines}")))
        }
    }

    /// Runs to the end and returns what it wrote to standard output.
    pub(crate) fn output(mut self) -> Result<String, Failure> {
        let command = self.0.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = command.output().map_err(|e| self.not_started(&e))?;
        if !output.status.success() {
            return Err(Failure::new(format!("{self}: {}", output.status)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn not_started(&self, error: &io::Error) -> Failure {
        Failure::new(format!("{self} did not start: {error}"))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = Path::new(self.0.get_program());
        write!(f, "{}", program.file_name().unwrap_or(program.as_os_str()).to_string_lossy())?;
        let root = root();
        self.0.get_args().try_for_each(|argument| {
            let shown = Path::new(argument).strip_prefix(&root).unwrap_or(Path::new(argument));
            write!(f, " {}", shown.display())
        })
    }
}

/// How many of the last lines of a failed command are shown once more in the report.
const LAST_LINES: usize = 60;

/// How long the output of a command is waited for after its end.
const OUTPUT_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Prints every line as it comes, and returns the last ones.
fn shown_lines(mut output: impl BufRead) -> io::Result<String> {
    let mut last_lines = VecDeque::new();
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        io::stdout().write_all(&line)?;
        if last_lines.len() == LAST_LINES {
            last_lines.pop_front();
        }
        last_lines.push_back(String::from_utf8_lossy(&line).into_owned());
        line.clear();
    }
    Ok(last_lines.into_iter().collect())
}

/// Cargo, of the toolchain that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Run {
    Run::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments)
}

/// Runs a `cargo build` and returns the path of the binary.
pub(crate) fn built(build: Run) -> Result<PathBuf, Failure> {
    let messages = build.args(["--message-format", "json-render-diagnostics"]).output()?;
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executables.next_back().ok_or_else(|| Failure::new("cargo built no binary"))
}

/// What `program --version` says, or nothing when it is not installed.
pub(crate) fn version(program: impl AsRef<OsStr>) -> Option<String> {
    let output = Command::new(program).arg("--version").stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_failure_has_the_last_lines_of_what_was_printed() {
        let script =
            "i=0; while [ $i -lt 100 ]; do i=$((i + 1)); echo line-$i-; done; printf end; exit 3";
        let failure = Run::new("sh").args(["-c", script]).run().unwrap_err().to_string();
        assert!(failure.contains("exit status: 3\n"), "{failure}");
        assert!(failure.ends_with("line-99-\nline-100-\nend"), "{failure}");
        assert!(failure.contains("line-42-") && !failure.contains("line-40-"), "{failure}");
    }

    #[test]
    fn lines_that_are_no_text_are_shown_too() {
        assert_eq!(shown_lines(&b"a\xffb\n"[..]).unwrap(), "a\u{fffd}b\n");
    }
}
