//! `cargo xtask dist`: what a release holds for this architecture, built and tried, in `target/dist`.
//!
//! Everything is linked by zig, which comes from PyPI and knows old versions of glibc as well as musl. Each step installs
//! what it built where nothing else is, and runs the command and a call out of it. What cannot be run here, the step
//! names, and counts as skipped.

mod linkage;
mod node;
mod tools;
mod trial;
mod wheel;

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::PathBuf;

use crate::command::{Failure, root};
use crate::step::{Outcome, Step};

use self::tools::{Libc, Tools};

/// The steps of `cargo xtask dist`.
pub(crate) fn steps() -> Vec<Step> {
    vec![
        Step { name: "command", about: "the command as one static binary", run: command },
        Step {
            name: "wheel-glibc",
            about: "the wheel for glibc 2.17 and newer",
            run: wheel::glibc,
        },
        Step { name: "wheel-musl", about: "the wheel for musl 1.2", run: wheel::musl },
        Step {
            name: "npm",
            about: "the npm packages, for glibc 2.17 and musl",
            run: node::packages,
        },
    ]
}

/// Needs nothing of the system that it runs on: musl is in it.
fn command() -> Result<Outcome, Failure> {
    let tools = Tools::ready(&[Libc::Musl])?;
    let build = tools.zigbuild(Libc::Musl, "mcp-auth-cli").args(["--bin", "mcp-auth"]);
    let binary = folder()?.join(format!("mcp-auth-{OS}-{ARCH}"));
    fs::copy(tools::built_file(build, "executable")?, &binary)?;
    linkage::is_static(&binary)?;
    trial::of_command(&[binary.into_os_string()])?;
    Ok(Outcome::Passed)
}

/// Where all of it is put.
fn folder() -> Result<PathBuf, Failure> {
    let folder = root().join("target/dist");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// An empty folder for an installation that is to be tried.
fn empty_folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = folder()?.join("trial").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
