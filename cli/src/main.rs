//! The `mcp-auth` command.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(mcp_auth_cli::run(env::args_os()))
}
