//! Child processes, and why one failed.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

    /// Runs to the end with the terminal's streams.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        println!("$ {self}");
        let status = self.0.stdin(Stdio::null()).status().map_err(|e| self.not_started(&e))?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("{self}: {status}"))) }
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
