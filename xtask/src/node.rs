//! The Node SDK: its tests, as it is shipped.

use crate::command::{Failure, Run, root, version};
use crate::install;
use crate::step::{Outcome, Step, missing_tool};

/// The one step of the SDK.
pub(crate) fn step() -> Step {
    Step {
        name: "node",
        about: "the Node SDK: types, vectors, frameworks, clients, the tarball, the original's package",
        run: test,
    }
}

fn test() -> Result<Outcome, Failure> {
    let Some(version) = version("node") else { return missing_tool("node") };
    let folder = root().join("node");
    let examples = root().join("examples/node");
    let published = folder.join("test/published");
    let clients = root().join("xtask/clients/typescript");
    let conformance = root().join("xtask/clients/conformance");
    for installed in [&folder, &examples, &published, &clients, &conformance] {
        install::npm(installed, &version)?;
    }
    Run::new(npm()).args(["run", "build"]).dir(&folder).run()?;
    let tsc = folder.join("node_modules/typescript/bin/tsc");
    for project in ["test/tsconfig.json", "test/published.tsconfig.json"] {
        Run::new("node").args([&tsc]).args(["--project", project]).dir(&folder).run()?;
    }
    Run::new("node").args([&tsc]).dir(&examples).run()?;
    Run::new(npm()).args(["test"]).dir(&folder).run()?;
    Ok(Outcome::Passed)
}

/// Builds the release that `bench/node` measures, and installs its peers.
pub(crate) fn ready_to_bench(version: &str) -> Result<(), Failure> {
    let folder = root().join("node");
    install::npm(&folder, version)?;
    Run::new(npm()).args(["run", "build"]).dir(&folder).run()?;
    install::npm(&root().join("bench/node"), version)
}

fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}
