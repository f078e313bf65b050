//! Authorization servers that others wrote, each started on loopback for the library's ignored tests.
//!
//! A step whose server cannot be had here is skipped, unless `MCP_AUTH_REQUIRE_PROVIDERS` is set.

mod keycloak;
mod oidc_provider;
mod zitadel_oidc;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::child;
use crate::command::{Failure, Run, root};
use crate::dev_server::{IssuerReady, ready};
use crate::step::{Outcome, Step, skip};
use crate::test::workspace_tests;

/// How long a server may take to listen, and to stop: the first start of Keycloak builds it.
const PATIENCE: Duration = Duration::from_secs(240);

/// One step per server.
pub(crate) fn steps() -> [Step; 3] {
    [
        Step {
            name: "provider-keycloak",
            about: "Keycloak, from Maven Central: the library's tests against it",
            run: || run(&keycloak::PROVIDER),
        },
        Step {
            name: "provider-oidc-provider",
            about: "npm oidc-provider: the library's tests against it",
            run: || run(&oidc_provider::PROVIDER),
        },
        Step {
            name: "provider-zitadel-oidc",
            about: "Go's github.com/zitadel/oidc: the library's tests against it",
            run: || run(&zitadel_oidc::PROVIDER),
        },
    ]
}

/// A server, and the tests that need it.
struct Provider {
    name: &'static str,
    /// The module of tests in `mcp-auth/tests/it/real_providers/`.
    tests: &'static str,
    /// Gets what others wrote; returns what [`Self::command`] needs.
    install: fn() -> Result<PathBuf, Failure>,
    /// Prepares a start of it. The server ends when its standard input is closed.
    command: fn(&Path) -> Result<Command, Failure>,
    /// Finds the URL in the line that says that the server listens.
    listens: fn(&str) -> Option<Result<String, Failure>>,
}

fn run(provider: &Provider) -> Result<Outcome, Failure> {
    let installed = match (provider.install)() {
        Ok(installed) => installed,
        Err(failure) => return absent(provider.name, &failure),
    };
    let command = (provider.command)(&installed)?;
    child::serve(provider.name, command, PATIENCE, provider.listens, |url| {
        test(provider.tests, &url)
    })?;
    Ok(Outcome::Passed)
}

/// Runs `task` with the issuer of a running node-oidc-provider, or with none where it cannot be had.
pub(crate) fn with_oidc_provider(
    task: impl FnOnce(Option<&str>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let provider = &oidc_provider::PROVIDER;
    match (provider.install)() {
        Ok(installed) => {
            let command = (provider.command)(&installed)?;
            child::serve(provider.name, command, PATIENCE, provider.listens, |url| task(Some(&url)))
        }
        Err(failure) => absent(provider.name, &failure).and_then(|_| task(None)),
    }
}

/// A step without a server that cannot be had here: skipped, unless every server is required.
pub(crate) fn absent(name: &str, why: &Failure) -> Result<Outcome, Failure> {
    let reason = format!("no {name}: {why}");
    if env::var_os("MCP_AUTH_REQUIRE_PROVIDERS").is_some_and(|value| !value.is_empty()) {
        return Err(Failure::new(format!("{reason}; MCP_AUTH_REQUIRE_PROVIDERS is set")));
    }
    skip(reason)
}

fn test(module: &str, url: &str) -> Result<(), Failure> {
    let filter = format!("real_providers::{module}::");
    // A filter that no test matches is not an error for cargo.
    if !ignored_tests(&filter, url).args(["--list"]).output()?.contains(&filter) {
        return Err(Failure::new(format!("there are no tests {filter}*")));
    }
    ignored_tests(&filter, url).run()
}

/// The library's ignored tests with these names, told where the provider is.
fn ignored_tests(filter: &str, url: &str) -> Run {
    workspace_tests(&["--test", "it", "--"])
        .args(["--ignored", "--show-output", filter])
        .env("MCP_AUTH_TEST_PROVIDER", url)
}

/// The URL in a line of JSON, as our own programs write it.
fn issuer(line: &str) -> Result<String, Failure> {
    ready(line).map(|IssuerReady { issuer }| issuer)
}

/// Where the files of a server are in the repository.
fn directory(name: &str) -> PathBuf {
    root().join("xtask/providers").join(name)
}

/// Where servers are installed and built.
fn target(name: &str) -> PathBuf {
    root().join("target/providers").join(name)
}
