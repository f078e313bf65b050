//! node-oidc-provider, from npm.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Provider, directory, issuer};
use crate::command::{Failure, version};
use crate::install;

pub(super) const PROVIDER: Provider = Provider {
    name: "oidc-provider",
    tests: "oidc_provider",
    install,
    command,
    listens: |line| Some(issuer(line)),
};

fn install() -> Result<PathBuf, Failure> {
    let version = version("node").ok_or_else(|| Failure::new("node is not installed"))?;
    let directory = directory("oidc-provider");
    install::npm(&directory, &version)?;
    Ok(directory)
}

fn command(directory: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(node(directory));
    command.arg(directory.join("main.mjs"));
    Ok(command)
}

/// The Node that package.json pins for this platform, because the package needs 22.1. Where there is none, the one that is
/// installed.
fn node(directory: &Path) -> PathBuf {
    let (system, processor) = match (std::env::consts::OS, std::env::consts::ARCH) {
        (system, "aarch64") => (system, "arm64"),
        (system, _) => (system, "x64"),
    };
    let pinned = directory.join(format!("node_modules/node-{system}-{processor}/bin/node"));
    if pinned.is_file() { pinned } else { "node".into() }
}
