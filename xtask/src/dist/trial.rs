//! The installed command, tried: it says its version, serves, and checks what it serves with a token.

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use crate::command::{Failure, Run, root};
use crate::dev_server::{self, Ready};

/// Tries a program and its first arguments, such as `python -m mcp_auth`.
///
/// # Errors
///
/// It does not start, says another version, or finds a fault in its own server.
pub(crate) fn of_command(command: &[OsString]) -> Result<(), Failure> {
    let (program, first) = command.split_first().ok_or_else(|| Failure::new("no command"))?;
    let said = Run::new(program).args(first).args(["--version"]).output()?;
    let expected = format!("mcp-auth {}", stated_version()?);
    if said.trim() != expected {
        return Err(Failure::new(format!("it says {said:?} and not {expected:?}")));
    }
    let mut dev = Command::new(program);
    dev.args(first).args(["dev", "--port", "0", "--json"]);
    dev_server::with_server("mcp-auth dev", dev, |ready: Ready| {
        let token = mint(&ready)?;
        Run::new(program)
            .args(first)
            .args(["check", "server", &ready.resource])
            .env("MCP_AUTH_TOKEN", &token)
            .run()
    })
}

/// The version in the manifest of the workspace.
fn stated_version() -> Result<String, Failure> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let mut lines = manifest.lines();
    let version = lines.find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    Ok(version.ok_or_else(|| Failure::new("the workspace has no version"))?.to_owned())
}

/// A token for the server, from its issuer.
fn mint(ready: &Ready) -> Result<String, Failure> {
    let host = ready.issuer.strip_prefix("http://").unwrap_or(&ready.issuer);
    let form = format!("resource={}&scope=mcp", ready.resource);
    let length = form.len();
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "POST /dev/mint HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, token)) if head.starts_with("HTTP/1.1 200") => Ok(token.trim().to_owned()),
        _ => Err(Failure::new(format!("the issuer made no token: {answer}"))),
    }
}
