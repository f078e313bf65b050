//! Software that others wrote, against `mcp-auth dev`: the official MCP clients, and the official
//! conformance suite.
//!
//! Each client runs the whole flow twice against one server: registering dynamically, and naming a
//! client metadata document. The TypeScript clients also ask for more scopes, with the todo manager.

use std::path::{Path, PathBuf};

use crate::command::{Failure, Run, root, version};
use crate::dev_server;
use crate::install;
use crate::rust_example;
use crate::step::{Outcome, Step, missing_tool};

/// How a client introduces itself to the issuer: RFC 7591, or a client metadata document.
const REGISTRATIONS: [&str; 2] = ["dcr", "cimd"];

/// One step per client, and one for the suite.
pub(crate) fn steps() -> [Step; 4] {
    [
        Step {
            name: "client-typescript",
            about: "npm @modelcontextprotocol/client: the whole OAuth flow, more scopes",
            run: || typescript("client-v2.mjs"),
        },
        Step {
            name: "client-typescript-v1",
            about: "npm @modelcontextprotocol/sdk: the whole OAuth flow, more scopes",
            run: || typescript("client-v1.mjs"),
        },
        Step { name: "client-python", about: "PyPI mcp: the whole OAuth flow", run: python },
        Step {
            name: "conformance",
            about: "npm @modelcontextprotocol/conformance: the issuer",
            run: conformance,
        },
    ]
}

fn typescript(script: &str) -> Result<Outcome, Failure> {
    let Some(version) = version("node") else { return missing_tool("node") };
    let directory = directory("typescript");
    install::npm(&directory, &version)?;
    let path = directory.join(script);
    sign_in_with(Path::new("node"), &path)?;
    step_up_with(&path)
}

fn python() -> Result<Outcome, Failure> {
    let python = if cfg!(windows) { "python" } else { "python3" };
    let Some(version) = version(python) else { return missing_tool(python) };
    let directory = directory("python");
    let interpreter = install::pip(&directory, python, &version)?;
    sign_in_with(&interpreter, &directory.join("client.py"))
}

fn conformance() -> Result<Outcome, Failure> {
    let Some(version) = version("node") else { return missing_tool("node") };
    let directory = directory("conformance");
    install::npm(&directory, &version)?;
    dev_server::with(|server| {
        Run::new("node")
            .args([directory.join("run.mjs")])
            .args([&server.issuer, "--resource", &server.resource])
            .run()
    })?;
    Ok(Outcome::Passed)
}

fn sign_in_with(interpreter: &Path, script: &Path) -> Result<Outcome, Failure> {
    dev_server::with(|server| {
        REGISTRATIONS.iter().try_for_each(|registration| {
            Run::new(interpreter)
                .args([script])
                .args(["--resource", &server.resource, "--registration", registration])
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .run()
        })
    })?;
    Ok(Outcome::Passed)
}

fn step_up_with(script: &Path) -> Result<Outcome, Failure> {
    rust_example::with("todo-manager", |resource| {
        Run::new("node").args([script]).args(["--flow", "step-up", "--resource", resource]).run()
    })?;
    Ok(Outcome::Passed)
}

fn directory(name: &str) -> PathBuf {
    root().join("xtask/clients").join(name)
}
