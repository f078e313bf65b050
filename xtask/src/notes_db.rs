//! The step `notes-db`: the example of that name, in each language, with SQLite and with a PostgreSQL that is started for it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child;
use crate::command::{Failure, Run, root, version};
use crate::dev_server::PATIENCE;
use crate::lint::cargo_in_examples;
use crate::node;
use crate::providers;
use crate::python;
use crate::step::{Outcome, Step, missing_tool};

/// Where Debian has the programs of each version of PostgreSQL: in `15/bin`, say.
const DEBIAN: &str = "/usr/lib/postgresql";
/// PostgreSQL refuses to run as root; this user comes with its package.
const UNPRIVILEGED: &str = "postgres";

/// The one step.
pub(crate) fn step() -> Step {
    Step {
        name: "notes-db",
        about: "an example with PostgreSQL and SQLite, in three languages: no query meets another's rows",
        run,
    }
}

fn run() -> Result<Outcome, Failure> {
    let Some(programs) = programs() else {
        return providers::absent("PostgreSQL", &Failure::new("there are no initdb and postgres"));
    };
    let command = postgres(&programs)?;
    let mut outcome = Outcome::Passed;
    child::serve(
        "PostgreSQL",
        command,
        PATIENCE,
        |line| line.strip_prefix("ready: ").map(|folder| Ok(folder.to_owned())),
        |folder| {
            outcome = test_all(&folder)?;
            Ok(())
        },
    )?;
    Ok(outcome)
}

/// The folder with the programs of PostgreSQL: the newest of Debian's, or one in which programs are looked for.
fn programs() -> Option<PathBuf> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(DEBIAN).into_iter().flatten().flatten() {
        folders.push(entry.path().join("bin"));
    }
    folders.sort();
    folders.reverse();
    let path = std::env::var_os("PATH")?;
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().find(|folder| {
        ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).is_file())
    })
}

/// Prepares the start of a new one, in a folder of its own.
fn postgres(programs: &Path) -> Result<Command, Failure> {
    let folder = root().join("target/notes-db");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let is_root = Run::new("id").args(["-u"]).output()?.trim() == "0";
    let mut command = Command::new(if is_root { "setpriv" } else { "sh" });
    if is_root {
        let owner = ["--directory", "--mode", "0700", "--owner", UNPRIVILEGED];
        fs::create_dir_all(root().join("target"))?;
        Run::new("install").args(owner).args([&folder]).run()?;
        command.args(["--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--clear-groups", "sh"]);
    } else {
        fs::create_dir_all(&folder)?;
    }
    command.arg(root().join("xtask/notes-db/postgres.sh")).arg(&folder).arg(programs);
    // Others may not look into the folder where this was started.
    command.arg(root().join("examples/notes-db/postgres.sql")).current_dir("/");
    Ok(command)
}

fn test_all(postgres: &str) -> Result<Outcome, Failure> {
    tests(postgres).run()?;
    let Some(interpreter) = python::installed()? else { return missing_tool("python3") };
    let script = root().join("examples/python/notes_db.py");
    tests_of(postgres, &interpreter, &script).run()?;
    let Some(node_version) = version("node") else { return missing_tool("node") };
    let script = node::examples(&node_version)?.join("notes-db.js");
    // Its SDK speaks no newer one.
    tests_of(postgres, "node", &script).env("NOTES_DB_REVISION", "2025-06-18").run()?;
    Ok(Outcome::Passed)
}

/// All tests of the example in Rust.
fn tests(postgres: &str) -> Run {
    cargo_in_examples(&["test", "--workspace", "--test", "notes_db", "--", "--include-ignored"])
        .env("NOTES_DB_POSTGRES", postgres)
}

/// The same tests, of the same server in another language.
fn tests_of(postgres: &str, program: impl AsRef<OsStr>, script: &Path) -> Run {
    tests(postgres)
        .env("NOTES_DB_PROGRAM", &program.as_ref().to_string_lossy())
        .env("NOTES_DB_SCRIPT", &script.to_string_lossy())
}
