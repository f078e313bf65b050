//! `cargo xtask bench`, `bench-python` and `bench-node`: runs, what is kept of them, and profiles.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::{Failure, Run as Command, built, cargo, root, version};
use crate::kept_runs::{Kept, Run, scratch};
use crate::lint::cargo_in_examples;
use crate::{performance, profile, python};

/// What a server's processor needs is measured on one core too: on two, it waits for the client, and wakes with cold caches.
const ON_ONE_CORE: [&str; 3] = ["axum", "rmcp", "policy"];
const GROUPS: [&str; 9] =
    ["verify", "axum", "rmcp", "policy", "burst", "growth", "latency", "lasting", "downstream"];

/// What all three take.
#[derive(Args)]
pub(crate) struct Runs {
    /// How many runs, one after the other.
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Keep the runs in `bench/runs/`, and write the tables of `docs/performance.md` from them.
    #[arg(long)]
    keep: bool,
    /// Keep them beside those that are kept already: of another day, or another machine.
    #[arg(long, requires = "keep")]
    add: bool,
}

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    runs: Runs,
    /// Print what the time of each kind of work is spent on, instead of figures.
    #[arg(long)]
    profile: bool,
    /// About how long each group measures, in seconds.
    #[arg(long, default_value = "20")]
    seconds: String,
    /// Measure this group only; may be given several times.
    #[arg(long, value_parser = GROUPS)]
    only: Vec<String>,
    /// How many tokens of each kind `growth` sees.
    #[arg(long, default_value = "1000000")]
    tokens: String,
}

/// What `bench-python` and `bench-node` take.
#[derive(Args)]
pub(crate) struct OtherOptions {
    #[command(flatten)]
    runs: Runs,
    /// Interleaved rounds of each run.
    #[arg(long, default_value = "40")]
    rounds: String,
}

#[derive(Args)]
pub(crate) struct NodeOptions {
    #[command(flatten)]
    options: OtherOptions,
    /// Another version's program than the `node` in PATH.
    #[arg(long)]
    node: Option<PathBuf>,
}

/// Rust: `bench/`.
pub(crate) fn rust(options: &Options) -> Result<(), Failure> {
    fs::create_dir_all(root().join("target"))?;
    let bench = built(cargo(&["build", "--release"]).dir(&root().join("bench")))?;
    if options.profile {
        return profile::run(&bench, &options.seconds);
    }
    let example = built(cargo_in_examples(&["build", "--release", "--package", "whoami"]))?;
    options.runs.make("rust", || {
        let mut runs = vec![];
        for one_core in [false, true] {
            let groups = options.groups(one_core);
            if !groups.is_empty() {
                runs.push(options.run(&bench, &example, &groups, one_core)?);
            }
        }
        Ok(runs)
    })
}

impl Options {
    fn groups(&self, one_core: bool) -> Vec<&'static str> {
        let mut groups = GROUPS.to_vec();
        groups.retain(|group| self.only.is_empty() || self.only.iter().any(|only| only == group));
        groups.retain(|group| !one_core || ON_ONE_CORE.contains(group));
        groups
    }

    fn run(
        &self,
        bench: &Path,
        example: &Path,
        groups: &[&str],
        one_core: bool,
    ) -> Result<Run, Failure> {
        let program = match one_core {
            true => Command::new("taskset").args(["-c", "0"]).args([bench]),
            false => Command::new(bench),
        };
        program
            .args(["--seconds", &self.seconds, "--tokens", &self.tokens])
            .args(groups.iter().flat_map(|group| ["--only", group]))
            .args([Path::new("--example"), example, Path::new("--json"), &scratch()])
            .run()?;
        Run::just_measured()
    }
}

/// Python: `bench/python`, under uvicorn.
pub(crate) fn python(options: &OtherOptions) -> Result<(), Failure> {
    let interpreter = python::ready_to_bench()?;
    let folder = root().join("bench/python");
    options.runs.make("python", || options.run(&interpreter, &["main.py"], &folder))
}

/// Node: `bench/node`, with Express and Fastify. Each version of Node has a file of its own.
pub(crate) fn node(NodeOptions { options, node }: &NodeOptions) -> Result<(), Failure> {
    let folder = root().join("bench/node");
    let program = node.clone().unwrap_or_else(|| "node".into());
    let version = version(&program).ok_or_else(|| Failure::new("node is not installed"))?;
    crate::node::ready_to_bench(&version)?;
    let major = version.trim_start_matches('v').split('.').next().unwrap_or_default();
    options.runs.make(&format!("node-{major}"), || options.run(&program, &["main.mjs"], &folder))
}

impl OtherOptions {
    fn run(&self, program: &Path, script: &[&str], folder: &Path) -> Result<Vec<Run>, Failure> {
        Command::new(program)
            .args(script)
            .args(["--rounds", &self.rounds])
            .args([Path::new("--json"), &scratch()])
            .dir(folder)
            .run()?;
        Ok(vec![Run::just_measured()?])
    }
}

impl Runs {
    /// Makes the runs, and keeps them if that is asked for.
    fn make(
        &self,
        name: &str,
        mut measure: impl FnMut() -> Result<Vec<Run>, Failure>,
    ) -> Result<(), Failure> {
        fs::create_dir_all(root().join("target"))?;
        let mut kept = if self.add { Kept::read(name)? } else { Kept::default() };
        for number in 1..=self.runs {
            println!("\n── run {number} of {} ──", self.runs);
            kept.runs.extend(measure()?);
        }
        if !self.keep {
            return Ok(());
        }
        kept.write(name)?;
        performance::write()
    }
}
