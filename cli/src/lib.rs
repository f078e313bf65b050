//! The `mcp-auth` command as a function, for the program and for the packages of other languages that carry it.

mod arguments;
mod banner;
mod check;
mod dev;
mod ending;
mod explain;
mod network_fault;
mod output;
mod sample;
mod secrets;
mod understand;
mod whoami;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};

use clap::{CommandFactory as _, Parser, Subcommand};
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use self::ending::Ending;
use self::output::{Log, complain, could_not_check, is_incomplete, note_written};

/// Authentication and authorization for MCP servers.
#[derive(Parser)]
#[command(name = "mcp-auth", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a protected sample MCP server and a development authorization server.
    Dev(dev::Options),
    /// Check what others do, from outside.
    #[command(subcommand)]
    Check(check::Check),
    /// Say why a token is accepted or refused, check by check.
    Explain(explain::Options),
}

/// Runs the command to its end, with the streams and signals of this process, and returns its exit code.
///
/// The first argument is the name that the command goes by, as in [`std::env::args_os`]. It is for once in a process,
/// on a thread that may block: its log and what it hides of the user's secrets stay for the life of the process.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let code = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => run_in_runtime(arguments.command).code(),
        Err(error) => explain_usage(error),
    };
    // Where Rust is not the main program, nobody else does.
    note_written(io::stdout().flush());
    if is_incomplete() { Ending::NotJudged.code() } else { code }
}

/// Prints the help or the version that was asked for, or what is wrong with the arguments.
fn explain_usage(mut error: clap::Error) -> u8 {
    if error.use_stderr() {
        error = arguments::without_values(error, &mut Arguments::command());
    }
    let printed = error.print();
    if !error.use_stderr() {
        note_written(printed);
    }
    u8::try_from(error.exit_code()).unwrap_or(Ending::NotJudged.code())
}

fn run_in_runtime(command: Command) -> Ending {
    start_log(&command);
    match Runtime::new() {
        Ok(runtime) => runtime.block_on(run_command(command)),
        Err(error) => could_not_check(format!("no threads could be started: {error}")),
    }
}

fn start_log(command: &Command) {
    let usual = match command {
        // What is judged without a server has none whose settings or issuer could be warned of.
        Command::Explain(options) if options.asks_nobody() => "off",
        _ => "warn,mcp_auth=info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let with_colours = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(with_colours);
    // Whoever was first keeps the log.
    let _ = log.with_writer(Log { with_colours }).try_init();
}

async fn run_command(command: Command) -> Ending {
    let outcome = match command {
        Command::Dev(options) => dev::run(options).await,
        Command::Check(check) => return check::run(check).await,
        Command::Explain(options) => return explain::run(options).await,
    };
    match outcome {
        Ok(()) => Ending::Success,
        Err(error) => {
            complain(error);
            Ending::Failure
        }
    }
}
