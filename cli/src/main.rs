//! The `mcp-auth` command.

mod arguments;
mod banner;
mod check;
mod dev;
mod explain;
mod network_fault;
mod output;
mod secrets;
mod understand;
mod whoami;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::output::{Log, complain};

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

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are no errors.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => arguments::without_values(error, &mut Arguments::command()).exit(),
    };
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,mcp_auth=info"));
    let with_colours = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(with_colours);
    log.with_writer(Log { with_colours }).init();
    let outcome = match arguments.command {
        Command::Dev(options) => dev::run(options).await,
        Command::Check(check) => return check::run(check).await,
        Command::Explain(options) => return explain::run(options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}
