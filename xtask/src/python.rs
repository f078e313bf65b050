//! The Python SDK: its wheel, its tests, its types.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failure, Run, root, version};
use crate::install;
use crate::providers;
use crate::step::{Outcome, Step, missing_tool};

/// One step for what it does, one for what it says of itself, one for what it has of the original, and one for what it mends.
pub(crate) fn steps() -> [Step; 4] {
    [
        Step {
            name: "python",
            about: "the wheel, installed: pytest with real servers",
            run: tests,
        },
        Step {
            name: "python-types",
            about: "the wheel's stubs and types: stubtest, pyright",
            run: types,
        },
        Step {
            name: "original-python",
            about: "every name of the original's package, called beside ours",
            run: || beside("original"),
        },
        Step {
            name: "advisories-python",
            about: "a version of the official SDK with known holes, alone and behind us",
            run: || beside("advisories"),
        },
    ]
}

/// Builds the wheel that ships, from the sources alone. Returns where it is.
///
/// # Errors
///
/// There is no Python, or maturin fails.
pub(crate) fn wheel() -> Result<PathBuf, Failure> {
    let Some(interpreter) = environment()? else {
        return Err(Failure::new(format!("{} is not installed", python())));
    };
    build(&interpreter, &["--release"])
}

/// The interpreter with which `bench/python` measures, with a release wheel and all peers.
///
/// # Errors
///
/// There is no Python, or something cannot be built or installed.
pub(crate) fn ready_to_bench() -> Result<PathBuf, Failure> {
    let wheel = wheel()?;
    let directory = root().join("bench/python");
    let version = version(python()).unwrap_or_default();
    let interpreter = install::pip(&directory, python(), &version)?;
    pip_install(&interpreter).args(["--no-index", "--force-reinstall"]).args([wheel]).run()?;
    pip_install(&interpreter)
        .args(["--require-hashes", "--upgrade", "--target", ".venv/beta"])
        .args(["--requirement", "requirements-beta.txt"])
        .dir(&directory)
        .run()?;
    Ok(interpreter)
}

/// What installs without dependencies: all of them are named, with their hashes.
fn pip_install(interpreter: &Path) -> Run {
    Run::new(interpreter).args(["-m", "pip", "install", "--quiet", "--no-deps"])
}

fn tests() -> Result<Outcome, Failure> {
    let Some(interpreter) = installed()? else { return missing_tool(python()) };
    // From the tests' folder: from its parent, Python would import the sources and not the wheel.
    providers::with_oidc_provider(|issuer| {
        Run::new(&interpreter)
            .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"])
            .args(["-c", "../pyproject.toml", "."])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("MCP_AUTH_TEST_PROVIDER", issuer.unwrap_or_default())
            .dir(&folder().join("tests"))
            .run()
    })?;
    Ok(Outcome::Passed)
}

fn types() -> Result<Outcome, Failure> {
    let Some(interpreter) = installed()? else { return missing_tool(python()) };
    Run::new(&interpreter).args(["-m", "mypy.stubtest", "mcp_auth._native"]).run()?;
    Run::new(&interpreter)
        .args(["-m", "pyright", "--project", ".", "--pythonpath"])
        .args([&interpreter])
        .dir(&folder())
        .run()?;
    Ok(Outcome::Passed)
}

/// Published packages that the folder of this name asks for, and the wheel, in one environment.
fn beside(name: &str) -> Result<Outcome, Failure> {
    let Some(version) = version(python()) else { return missing_tool(python()) };
    let directory = folder().join(name);
    let interpreter = install::pip(&directory, python(), &version)?;
    let wheel = build(&install::pip(&folder(), python(), &version)?, &[])?;
    install_wheel(&interpreter, &wheel)?;
    Run::new(&interpreter)
        .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"])
        .args(["-c", "../pyproject.toml", "."])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .dir(&directory)
        .run()?;
    Ok(Outcome::Passed)
}

/// The interpreter of an environment with the wheel in it, built as tests are: without optimisation.
pub(crate) fn installed() -> Result<Option<PathBuf>, Failure> {
    let Some(interpreter) = environment()? else { return Ok(None) };
    install_wheel(&interpreter, &build(&interpreter, &[])?)?;
    Ok(Some(interpreter))
}

fn install_wheel(interpreter: &Path, wheel: &Path) -> Result<(), Failure> {
    Run::new(interpreter)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--no-index", "--no-deps", "--force-reinstall"])
        .args([wheel])
        .run()
}

fn environment() -> Result<Option<PathBuf>, Failure> {
    let Some(version) = version(python()) else { return Ok(None) };
    install::pip(&folder(), python(), &version).map(Some)
}

fn build(interpreter: &Path, options: &[&str]) -> Result<PathBuf, Failure> {
    let wheels = root().join("target/wheels").join(options.first().map_or("dev", |_| "release"));
    if wheels.exists() {
        fs::remove_dir_all(&wheels)?;
    }
    Run::new(interpreter)
        .args(["-m", "maturin", "build", "--locked", "--out"])
        .args([&wheels])
        .args(options)
        .dir(&folder())
        .run()?;
    let built = fs::read_dir(&wheels)?.next().transpose()?;
    Ok(built.ok_or_else(|| Failure::new("maturin built no wheel"))?.path())
}

fn python() -> &'static str {
    if cfg!(windows) { "python" } else { "python3" }
}

fn folder() -> PathBuf {
    root().join("python")
}
