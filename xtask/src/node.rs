//! The Node SDK: its tests, with what a package of it holds. `cargo xtask dist` tries it as it is shipped.

use std::path::PathBuf;

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
    examples(&version)?;
    let folder = root().join("node");
    let published = folder.join("test/published");
    let clients = root().join("xtask/clients/typescript");
    let conformance = root().join("xtask/clients/conformance");
    for installed in [&published, &clients, &conformance] {
        install::npm(installed, &version)?;
    }
    let tsc = folder.join("node_modules/typescript/bin/tsc");
    for project in ["test/tsconfig.json", "test/published.tsconfig.json"] {
        Run::new("node").args([&tsc]).args(["--project", project]).dir(&folder).run()?;
    }
    Run::new(npm()).args(["test"]).dir(&folder).run()?;
    Ok(Outcome::Passed)
}

/// Builds the SDK as tests are, without optimisation, and the examples that use it. Returns the folder where the examples are, as programs.
pub(crate) fn examples(version: &str) -> Result<PathBuf, Failure> {
    let (folder, examples) = (root().join("node"), root().join("examples/node"));
    install::npm(&folder, version)?;
    install::npm(&examples, version)?;
    Run::new(npm()).args(["run", "build:debug"]).dir(&folder).run()?;
    let tsc = folder.join("node_modules/typescript/bin/tsc");
    Run::new("node").args([&tsc]).dir(&examples).run()?;
    Ok(examples.join("dist"))
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
