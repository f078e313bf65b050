//! The native part of the Python package `mcp_auth`: its decisions, and nothing of its idiom.
//!
//! One request is one call of `McpAuth.decide`; `mcp_auth/_asgi.py` carries out what it says.

mod auth_info;
mod command;
mod decision;
mod downstream;
mod errors;
mod gate;
mod hooks;
mod json;
mod logging;
mod mcp_auth;
mod pending;
mod request;
mod revocation_check;
mod runtime;
mod stream;
mod testing;

use pyo3::prelude::*;

/// Everything here is private to the package: import from `mcp_auth`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<mcp_auth::McpAuth>()?;
    module.add_class::<auth_info::AuthInfo>()?;
    module.add_class::<decision::Forward>()?;
    module.add_class::<decision::ReadBody>()?;
    module.add_class::<decision::Reply>()?;
    module.add_class::<decision::ResponseFilter>()?;
    module.add_class::<downstream::Downstream>()?;
    module.add_class::<downstream::DownstreamToken>()?;
    module.add_class::<hooks::Answer>()?;
    module.add_class::<revocation_check::Told>()?;
    module.add_class::<hooks::Operation>()?;
    module.add_class::<pending::Pending>()?;
    module.add_class::<stream::StreamEnd>()?;
    module.add_class::<testing::DevIssuer>()?;
    module.add_function(wrap_pyfunction!(mcp_auth::config_from_env, module)?)?;
    module.add_function(wrap_pyfunction!(mcp_auth::is_url, module)?)?;
    module.add_function(wrap_pyfunction!(mcp_auth::issuer_metadata_url, module)?)?;
    module.add_function(wrap_pyfunction!(gate::after_fork_in_parent, module)?)?;
    module.add_function(wrap_pyfunction!(gate::before_end, module)?)?;
    module.add_function(wrap_pyfunction!(gate::before_fork, module)?)?;
    module.add_function(wrap_pyfunction!(runtime::after_fork, module)?)?;
    module.add_function(wrap_pyfunction!(logging::log_value, module)?)?;
    module.add_function(wrap_pyfunction!(command::run_command, module)?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
