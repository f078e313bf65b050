//! The `mcp-auth` command, which the package carries.

use std::ffi::OsString;
use std::iter;

use napi_derive::napi;

/// Runs the command with these arguments on the thread that asks, and returns its exit code. It takes the place of the
/// process: what it logs and hides stays as it is until the end.
#[napi]
pub fn run_command(arguments: Vec<String>) -> u32 {
    let name = iter::once(OsString::from("mcp-auth"));
    u32::from(mcp_auth_cli::run(name.chain(arguments.into_iter().map(OsString::from))))
}
