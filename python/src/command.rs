//! The `mcp-auth` command, which the wheel carries.

use std::ffi::OsString;
use std::iter;

use pyo3::prelude::*;

/// Runs the command with these arguments and returns its exit code. It takes the place of the process: what it logs and
/// hides stays as it is until the end.
#[pyfunction]
pub(crate) fn run_command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    let name = iter::once(OsString::from("mcp-auth"));
    py.detach(|| mcp_auth_cli::run(name.chain(arguments)))
}
