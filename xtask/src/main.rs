//! The project's own commands: `cargo xtask lint`, `test`, `docs`, `book`, `bench`,
//! `bench-python`, `bench-node`, `dist`, `fuzz`, `mutants`, `peers`, `wheel`.
//!
//! Each command is a list of [steps](step::Step). A step that fails does not stop the next one;
//! the last line counts what passed, failed and was skipped.

mod arrows;
mod bench;
mod book;
mod child;
mod clients;
mod command;
mod dev_server;
mod dist;
mod fuzz;
mod github_issues;
mod install;
mod kept_runs;
mod lint;
mod msrv;
mod mutants;
mod names;
#[cfg(target_os = "linux")]
mod no_delay;
mod node;
mod notes_db;
mod peers;
mod performance;
mod plain_code;
mod profile;
mod providers;
mod python;
mod real_servers;
mod rust_example;
mod rust_source;
mod silent_defaults;
mod soak;
mod source_checks;
mod step;
mod test;
mod workflows;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::command::{Failure, cargo};
use crate::step::{Report, Step};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, clippy, rustdoc, cargo-deny when installed, and checks of sources, pages and workflows.
    Lint {
        #[command(flatten)]
        selection: Selection,
        /// Bring the list of `silent-defaults` or `arrows`, or the tables of `performance`, up to date instead of checking them.
        #[arg(long, requires = "only")]
        write: bool,
        /// Name each place that `plain-code` counts, instead of checking its limits.
        #[arg(long, requires = "only", conflicts_with = "write")]
        places: bool,
    },
    /// All tests, real MCP clients and the conformance suite included.
    Test(Selection),
    /// The API documentation, in target/doc.
    Docs {
        /// Open it in a browser.
        #[arg(long)]
        open: bool,
    },
    /// The pages of docs/ as a book with search, in target/book; needs mdBook.
    Book {
        /// Open it in a browser.
        #[arg(long)]
        open: bool,
    },
    /// What mdBook runs for `book`: links to files that are not in the book lead to the repository.
    #[command(hide = true)]
    BookLinks {
        /// `supports` and a renderer, when mdBook only asks whether there is anything to do for it.
        question: Vec<String>,
    },
    /// mcp-auth and its peers side by side, in bench/.
    Bench(bench::Options),
    /// The Python SDK and its peers side by side, in bench/python.
    BenchPython(bench::OtherOptions),
    /// The Node SDK and its peers side by side, in bench/node.
    BenchNode(bench::NodeOptions),
    /// libFuzzer on the targets of fuzz/; needs nightly Rust and cargo-fuzz.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// The targets to run; all of them when none is named.
        targets: Vec<String>,
    },
    /// Two protected servers under full load while everything around them changes, against an oracle; in release.
    Soak {
        /// How long it runs.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// What chance begins with; another one at each run when it is not given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// cargo-mutants on the library: changes of the code that no test notices.
    Mutants {
        /// A folder or file below mcp-auth/src, such as `jose`; all of it when none is named.
        folder: Option<String>,
        /// The part of the changes to try, such as `0/10`.
        #[arg(long, value_name = "K/N")]
        shard: Option<String>,
        /// What cargo-mutants itself takes, after `--`.
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// What servers do that other packages protect, in two tables; needs Node and Python 3.11.
    Peers {
        /// Only these; may be repeated.
        #[arg(long)]
        only: Vec<String>,
    },
    /// The wheel of the Python SDK for this machine, in target/wheels.
    Wheel,
    /// What a release holds for this architecture, in target/dist, each installed and tried: wheels, npm packages, the
    /// command. On Linux; takes half an hour.
    Dist(Selection),
}

#[derive(Args)]
struct Selection {
    /// Run this step only; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// List the steps and run none.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode, Failure> {
    match task {
        Task::Lint { selection, write: true, .. } => {
            write_list(&selection.only).map(|()| ExitCode::SUCCESS)
        }
        Task::Lint { selection, places: true, .. } => {
            print_places(&selection.only).map(|()| ExitCode::SUCCESS)
        }
        Task::Lint { selection, .. } => run_steps(lint::steps(), &selection),
        Task::Test(selection) => run_steps(test::steps(), &selection),
        Task::Docs { open } => {
            let arguments = ["doc", "--workspace", "--lib", "--no-deps", "--all-features"];
            cargo(&arguments).args(open.then_some("--open")).run()?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Book { open } => book::build(open).map(|()| ExitCode::SUCCESS),
        Task::BookLinks { question } if question.is_empty() => {
            book::point_links_to_repository().map(|()| ExitCode::SUCCESS)
        }
        Task::BookLinks { .. } => Ok(ExitCode::SUCCESS),
        Task::Bench(options) => bench::rust(&options).map(|()| ExitCode::SUCCESS),
        Task::BenchPython(options) => bench::python(&options).map(|()| ExitCode::SUCCESS),
        Task::BenchNode(options) => bench::node(&options).map(|()| ExitCode::SUCCESS),
        Task::Wheel => {
            println!("{}", python::wheel()?.display());
            Ok(ExitCode::SUCCESS)
        }
        Task::Dist(selection) => run_steps(dist::steps(), &selection),
        Task::Peers { only } => peers::run(&only).map(|()| ExitCode::SUCCESS),
        Task::Mutants { folder, shard, rest } => {
            mutants::run(folder.as_deref(), shard.as_deref(), &rest).map(|()| ExitCode::SUCCESS)
        }
        Task::Soak { seconds, seed } => soak::run(seconds, seed).map(|()| ExitCode::SUCCESS),
        Task::Fuzz { seconds, targets } => fuzz::run(seconds, &targets).map(|()| ExitCode::SUCCESS),
    }
}

/// Brings the list of one lint step up to date.
fn write_list(only: &[String]) -> Result<(), Failure> {
    match only {
        [step] if step == "silent-defaults" => silent_defaults::write(),
        [step] if step == "arrows" => arrows::write(),
        [step] if step == "performance" => performance::write(),
        _ => Err(Failure::new("--write is for --only silent-defaults, arrows or performance")),
    }
}

/// Names each place that a lint step counts.
fn print_places(only: &[String]) -> Result<(), Failure> {
    if only != ["plain-code"] {
        return Err(Failure::new("--places is for --only plain-code"));
    }
    plain_code::print_places()
}

fn run_steps(steps: Vec<Step>, selection: &Selection) -> Result<ExitCode, Failure> {
    let steps = step::select(steps, &selection.only)?;
    if selection.list {
        for step in steps {
            println!("{:<22} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let report = Report::of(steps);
    print!("{report}");
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
