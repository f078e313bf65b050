//! `mcp-auth check`: what a server does, seen from outside.

mod issuer;
mod row;
mod server;

use std::process::ExitCode;

use clap::Subcommand;

pub(crate) use self::server::{Challenge, Reach, Target};

#[derive(Subcommand)]
pub(crate) enum Check {
    /// Check whether an authorization server is fit for MCP, and what to change there.
    Issuer(issuer::Options),
    /// Check that an MCP server, in any language, does what a resource server must.
    Server(server::Options),
}

/// 0: every MUST holds. 1: one does not. 2: it could not be checked.
pub(crate) async fn run(check: Check) -> ExitCode {
    match check {
        Check::Issuer(options) => issuer::run(options).await,
        Check::Server(options) => server::run(options).await,
    }
}
