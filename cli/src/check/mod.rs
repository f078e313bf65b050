//! `mcp-auth check`: what a server does, seen from outside.

mod row;
mod server;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Check {
    /// Check that an MCP server, in any language, does what a resource server must.
    Server(server::Options),
}

/// 0: every MUST holds. 1: one does not. 2: it could not be checked.
pub(crate) async fn run(check: Check) -> ExitCode {
    match check {
        Check::Server(options) => server::run(options).await,
    }
}
