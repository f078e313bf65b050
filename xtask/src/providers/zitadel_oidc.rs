//! A small provider made with the Go library github.com/zitadel/oidc.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Provider, directory, issuer, target};
use crate::command::{Failure, Run};

pub(super) const PROVIDER: Provider = Provider {
    name: "zitadel/oidc",
    tests: "zitadel_oidc",
    install,
    command,
    listens: |line| Some(issuer(line)),
};

/// Downloads the modules.
fn install() -> Result<PathBuf, Failure> {
    let directory = directory("zitadel-oidc");
    // `go --version` is not a thing.
    Run::new("go").args(["version"]).run()?;
    Run::new("go").args(["mod", "download"]).dir(&directory).run()?;
    Ok(directory)
}

fn command(directory: &Path) -> Result<Command, Failure> {
    let binary =
        target("zitadel-oidc").join(format!("zitadel-oidc{}", std::env::consts::EXE_SUFFIX));
    let output = binary.to_string_lossy();
    Run::new("go").args(["build", "-o", &output, "."]).dir(directory).run()?;
    Ok(Command::new(binary))
}
