//! `mcp-auth check`: what a server does, seen from outside.

pub(crate) mod authorities;
mod causes;
mod findings;
mod issuer;
mod known;
mod names;
mod outcome;
mod printing;
mod quotes;
mod row;
mod server;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use mcp_auth::inspection::Revision;

use crate::ending::Ending;

pub(crate) use self::server::{Challenge, Reach, Target};

/// The revision that judges unless another one is given.
const NEWEST: &str = Revision::V2026_07_28.name();

#[derive(Subcommand)]
pub(crate) enum Check {
    /// Check whether an authorization server is fit for MCP, and what to change there.
    Issuer(issuer::Options),
    /// Check that an MCP server, in any language, does what a resource server must.
    Server(server::Options),
}

/// 0: every MUST holds. 1: one does not. 2: it could not be checked.
pub(crate) async fn run(check: Check) -> Ending {
    match check {
        Check::Issuer(options) => issuer::run(options).await,
        Check::Server(options) => server::run(options).await,
    }
}

/// Reads the name of a revision, such as `2026-07-28`.
fn revision_parser() -> impl TypedValueParser<Value = Revision> {
    let names = PossibleValuesParser::new(Revision::ALL.map(Revision::name));
    names.try_map(|name| Revision::from_name(&name).ok_or("there is no such revision"))
}
