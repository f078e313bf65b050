//! What builds a release: zig, maturin and cargo-zigbuild, from PyPI, and Rust's standard library for each target.

use std::env;
use std::env::consts::ARCH;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Failure, Run, root, version};
use crate::install;

/// The C library that something is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Libc {
    /// 2.17 and newer: every Linux since 2014.
    Glibc,
    Musl,
}

impl Libc {
    /// The name of the target, as Rust has it.
    pub(crate) fn target(self) -> String {
        match self {
            Self::Glibc => format!("{ARCH}-unknown-linux-gnu"),
            Self::Musl => format!("{ARCH}-unknown-linux-musl"),
        }
    }
}

/// The installed tools.
pub(crate) struct Tools {
    /// The interpreter of the environment that they are in.
    interpreter: PathBuf,
    /// `PATH` with them before all others.
    path: OsString,
}

impl Tools {
    /// Installs what is missing.
    ///
    /// # Errors
    ///
    /// This is no Linux, there is no Python, or something cannot be had; the failure names it.
    pub(crate) fn ready(libcs: &[Libc]) -> Result<Self, Failure> {
        if !cfg!(target_os = "linux") {
            return Err(Failure::new("this builds for Linux, on Linux"));
        }
        for libc in libcs {
            has_standard_library(&libc.target())?;
        }
        let python = version("python3").ok_or_else(|| Failure::new("python3 is not installed"))?;
        let interpreter = install::pip(&root().join("xtask/dist"), "python3", &python)?;
        let mut folders = vec![interpreter.with_file_name("")];
        folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let path = env::join_paths(folders).map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self { interpreter, path })
    }

    /// A release build of a package, linked by zig.
    pub(crate) fn zigbuild(&self, libc: Libc, package: &str) -> Run {
        let target = match libc {
            Libc::Glibc => libc.target() + ".2.17",
            Libc::Musl => libc.target(),
        };
        self.run(&self.interpreter.with_file_name("cargo-zigbuild"))
            .args(["zigbuild", "--release", "--locked", "--package", package, "--target"])
            .args([target])
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
    }

    /// maturin, linking by zig.
    pub(crate) fn maturin(&self, libc: Libc) -> Run {
        self.run(&self.interpreter)
            .args(["-m", "maturin", "build", "--release", "--locked", "--zig", "--target"])
            .args([libc.target()])
    }

    /// The interpreter that the tools are installed for.
    pub(crate) fn interpreter(&self) -> &Path {
        &self.interpreter
    }

    fn run(&self, program: &Path) -> Run {
        Run::new(program).env("PATH", &self.path.to_string_lossy())
    }
}

/// Runs a build of one file and returns where it is: the last one that cargo names by this member of its messages.
///
/// # Errors
///
/// The build fails.
pub(crate) fn built_file(build: Run, member: &str) -> Result<PathBuf, Failure> {
    let messages = build.args(["--message-format", "json-render-diagnostics"]).output()?;
    let mut files = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let named = message.get(member)?;
        named.as_str().or_else(|| named.get(0)?.as_str()).map(PathBuf::from)
    });
    files.next_back().ok_or_else(|| Failure::new("cargo built nothing"))
}

fn has_standard_library(target: &str) -> Result<(), Failure> {
    let folder =
        Run::new("rustc").args(["--print", "target-libdir", "--target", target]).output()?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    let added = Run::new("rustup").args(["target", "add", target]).run();
    added.map_err(|error| Failure::new(format!("there is no Rust for {target} here ({error})")))
}
