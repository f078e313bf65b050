//! The wheels.

use std::fs;
use std::path::PathBuf;

use crate::command::{Failure, Run, root};
use crate::step::Outcome;

use super::tools::{Libc, Tools};
use super::{empty_folder, folder, linkage, trial};

/// Builds the wheel for glibc, installs it into an empty environment, and tries it.
pub(crate) fn glibc() -> Result<Outcome, Failure> {
    let tools = Tools::ready(&[Libc::Glibc])?;
    let wheel = build(&tools, Libc::Glibc, "manylinux_2_17")?;
    let place = empty_folder("wheel-glibc")?;
    Run::new("python3").args(["-m", "venv"]).args([&place]).run()?;
    let interpreter = place.join("bin/python");
    Run::new(&interpreter)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--no-index", "--no-deps"])
        .args([&wheel])
        .run()?;
    Run::new(&interpreter).args([root().join("xtask/dist/call.py")]).dir(&place).run()?;
    trial::of_command(&[interpreter.into_os_string(), "-m".into(), "mcp_auth".into()])?;
    Ok(Outcome::Passed)
}

/// Builds the wheel for musl, and has the loader of musl find its symbols. No registry has a Python for musl.
pub(crate) fn musl() -> Result<Outcome, Failure> {
    let tools = Tools::ready(&[Libc::Musl])?;
    let wheel = build(&tools, Libc::Musl, "musllinux_1_2")?;
    let place = empty_folder("wheel-musl")?;
    Run::new(tools.interpreter()).args(["-m", "zipfile", "-e"]).args([&wheel, &place]).run()?;
    let library = place.join("mcp_auth/_native.abi3.so");
    let tried = match linkage::links_with_musl(&library, &["Py", "_Py"])? {
        Some(()) => "the loader of musl finds its symbols",
        None => "the loader of musl is not installed",
    };
    // Also where `CI` is set: nothing that can be installed would change it.
    Ok(Outcome::Skipped(format!("built, but not run for want of a Python for musl; {tried}")))
}

fn build(tools: &Tools, libc: Libc, compatibility: &str) -> Result<PathBuf, Failure> {
    let wheels = folder()?.join("wheels").join(compatibility);
    if wheels.exists() {
        fs::remove_dir_all(&wheels)?;
    }
    tools
        .maturin(libc)
        .args(["--compatibility", compatibility, "--out"])
        .args([&wheels])
        .dir(&root().join("python"))
        .run()?;
    let built = fs::read_dir(&wheels)?.next().transpose()?;
    Ok(built.ok_or_else(|| Failure::new("maturin built no wheel"))?.path())
}
