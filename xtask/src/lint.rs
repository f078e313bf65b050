//! `cargo xtask lint`.

use crate::arrows;
use crate::command::{Failure, Run, cargo, root, version};
use crate::msrv;
use crate::names;
use crate::performance;
use crate::plain_code;
use crate::silent_defaults;
use crate::source_checks;
use crate::step::{Outcome, Step};
use crate::workflows;

/// The steps of `cargo xtask lint`.
pub(crate) fn steps() -> Vec<Step> {
    vec![
        Step { name: "fmt", about: "rustfmt changes nothing", run: fmt },
        Step { name: "clippy", about: "clippy, all targets and features", run: clippy },
        Step { name: "rustdoc", about: "the documentation builds without a warning", run: rustdoc },
        Step {
            name: "sources",
            about: "file sizes, hosts in lockfiles, who reads JSON",
            run: source_checks::run,
        },
        Step { name: "deny", about: "licences, bans, sources; without network", run: deny },
        Step { name: "examples-fmt", about: "rustfmt, examples/", run: examples_fmt },
        Step { name: "examples-clippy", about: "clippy, examples/", run: examples_clippy },
        Step {
            name: "silent-defaults",
            about: "every default for what cannot be read has its reason in a list",
            run: silent_defaults::run,
        },
        Step {
            name: "arrows",
            about: "no folder of the library or the development issuer imports what it may not see",
            run: arrows::run,
        },
        Step {
            name: "plain-code",
            about: "closures with a name, and bindings that shadow another one, are few",
            run: plain_code::run,
        },
        Step {
            name: "msrv",
            about: "the oldest Rust is stated once, and else alike",
            run: msrv::run,
        },
        Step { name: "names", about: "what Markdown names and links to is there", run: names::run },
        Step {
            name: "performance",
            about: "the tables of docs/performance.md are those of bench/runs/",
            run: performance::check,
        },
        Step { name: "workflows", about: "actionlint, when Go is installed", run: workflows::run },
    ]
}

/// Cargo in the examples' own workspace, which shares the target folder with this one.
pub(crate) fn cargo_in_examples(arguments: &[&str]) -> Run {
    cargo(arguments).dir(&root().join("examples"))
}

fn fmt() -> Result<Outcome, Failure> {
    cargo(&["fmt", "--all", "--check"]).run()?;
    Ok(Outcome::Passed)
}

fn clippy() -> Result<Outcome, Failure> {
    cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"])
        .run()?;
    Ok(Outcome::Passed)
}

fn rustdoc() -> Result<Outcome, Failure> {
    cargo(&["doc", "--workspace", "--lib", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok(Outcome::Passed)
}

fn deny() -> Result<Outcome, Failure> {
    if version("cargo-deny").is_none() {
        let reason = "cargo-deny is not installed (cargo install cargo-deny --locked)";
        return Ok(Outcome::Skipped(reason.into()));
    }
    cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"]).run()?;
    Ok(Outcome::Passed)
}

fn examples_fmt() -> Result<Outcome, Failure> {
    cargo_in_examples(&["fmt", "--all", "--check"]).run()?;
    Ok(Outcome::Passed)
}

fn examples_clippy() -> Result<Outcome, Failure> {
    cargo_in_examples(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()?;
    Ok(Outcome::Passed)
}
