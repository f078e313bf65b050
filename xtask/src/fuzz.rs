//! `cargo xtask fuzz`: libFuzzer on the targets of `fuzz/`.

use std::fs;

use crate::command::{Failure, Run, root, version};
use crate::step::Outcome;

const TARGETS: [&str; 13] = [
    "bearer",
    "jws",
    "jwk_set",
    "metadata",
    "claims",
    "message",
    "uri",
    "list",
    "handle",
    "notice",
    "token_answer",
    "client_address",
    "browser",
];
/// How long each target runs as a part of the tests.
const SECONDS_IN_TESTS: u64 = 20;

/// Runs the targets with these names, all of them when no name is given. What they find is kept in
/// `fuzz/target/corpus`, the seeds in `fuzz/corpus` stay as they are.
///
/// # Errors
///
/// A tool is missing, a name is no target's, or a target crashed.
pub(crate) fn run(seconds: u64, names: &[String]) -> Result<(), Failure> {
    if let Some(tool) = missing() {
        return Err(Failure::new(format!("{tool} is not installed")));
    }
    if let Some(unknown) = names.iter().find(|name| !TARGETS.contains(&name.as_str())) {
        let known = TARGETS.join(", ");
        return Err(Failure::new(format!("no target {unknown:?}; there are: {known}")));
    }
    for target in TARGETS {
        let is_named = names.iter().any(|name| name == target);
        if !names.is_empty() && !is_named {
            continue;
        }
        let folder = root().join("fuzz");
        let found = folder.join("target/corpus").join(target);
        fs::create_dir_all(&found)?;
        fuzzer(target)
            .args([found, folder.join("corpus").join(target)])
            .args(["--", &format!("-max_total_time={seconds}")])
            .dir(&folder)
            .run()?;
    }
    Ok(())
}

/// libFuzzer for a target. Nightly Rust adds the address sanitizer; the library has no unsafe code, so that without it
/// the same faults are found, and the compiler that is installed is told to take the flags that libFuzzer needs.
fn fuzzer(target: &str) -> Run {
    if has_nightly() {
        return Run::new("rustup").args(["run", "nightly", "cargo", "fuzz", "run", target]);
    }
    Run::new("cargo")
        .args(["fuzz", "run", "--sanitizer", "none", target])
        .env("RUSTC_BOOTSTRAP", "1")
}

/// A short run of every target; the property tests of the library run the same functions anyway.
pub(crate) fn step() -> Result<Outcome, Failure> {
    if let Some(tool) = missing() {
        return Ok(Outcome::Skipped(format!("{tool} is not installed")));
    }
    run(SECONDS_IN_TESTS, &[])?;
    Ok(Outcome::Passed)
}

/// The tool that fuzzing lacks, with the command that installs it.
fn missing() -> Option<&'static str> {
    version("cargo-fuzz").is_none().then_some("cargo-fuzz (cargo install cargo-fuzz --locked)")
}

fn has_nightly() -> bool {
    Run::new("rustup").args(["run", "nightly", "rustc", "--version"]).output().is_ok()
}
