//! The `mcp-auth` command.

mod banner;
mod check;
mod dev;
mod explain;
mod output;
mod whoami;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

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
    let arguments = Arguments::parse();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,mcp_auth=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    log.with_ansi(io::stderr().is_terminal()).init();
    let outcome = match arguments.command {
        Command::Dev(options) => dev::run(options).await,
        Command::Check(check) => return check::run(check).await,
        Command::Explain(options) => return explain::run(options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
