//! `mcp-auth dev` as people and programs start it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check_server;
mod explain;
mod explain_words;
mod hostile;
mod inert;
mod issuer;
mod pasted;
mod secrets;
mod tls;

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A running `mcp-auth dev --json`; dropping it closes its standard input, which stops it.
struct Dev {
    child: Child,
    ready: Value,
}

impl Dev {
    fn start(options: &[&str]) -> Self {
        let mut child = command(&[&["--port", "0", "--json"], options].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).unwrap() }
    }

    fn url(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    /// Closes its standard input and waits for its end.
    fn stop(mut self) -> bool {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.arg("dev").args(arguments).env_remove("RUST_LOG");
    command
}

async fn call_whoami(resource: &str, token: &str) -> reqwest::Response {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "whoami", "_meta": meta } });
    reqwest::Client::new()
        .post(resource)
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "whoami")
        .json(&request)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_minted_token_calls_the_tool_and_closing_the_input_stops_everything() {
    let dev = Dev::start(&["--user", "carol", "--scopes", "notes:read"]);
    let (resource, issuer) = (dev.url("resource"), dev.url("issuer"));
    let refused = reqwest::Client::new().post(resource).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains(r#"scope="notes:read""#), "{challenge}");

    let form = [("user", "carol"), ("scope", "notes:read"), ("resource", resource)];
    let minted =
        reqwest::Client::new().post(format!("{issuer}/dev/mint")).form(&form).send().await.unwrap();
    let token = minted.text().await.unwrap();
    let answer = call_whoami(resource, &token).await;
    assert_eq!(answer.status(), 200);
    let body = answer.text().await.unwrap();
    assert!(body.contains(r#""structuredContent""#) && body.contains(r#""sub":"carol""#), "{body}");
    assert!(dev.stop());
}

#[tokio::test]
async fn its_own_checker_has_nothing_to_say_of_it() {
    let dev = Dev::start(&[]);
    let (resource, issuer) = (dev.url("resource"), dev.url("issuer"));
    let form = [("user", "carol"), ("scope", "mcp"), ("resource", resource)];
    let minted =
        reqwest::Client::new().post(format!("{issuer}/dev/mint")).form(&form).send().await.unwrap();
    let token = minted.text().await.unwrap();
    for tokens in [&[][..], &["--token", &token]] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
        command.args(["check", "server", resource, "--json"]).args(tokens);
        let output = command.output().await.unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let words = |one: &Value| one["verdict"].as_str().unwrap().to_owned();
        let wrong: Vec<_> =
            findings.filter(|one| !["pass", "skip"].contains(&&*words(one))).collect();
        assert!(wrong.is_empty() && output.status.success(), "{wrong:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_it_while_its_input_is_open() {
    let mut dev = Dev::start(&[]);
    interrupt(&dev.child);
    assert!(dev.child.wait().unwrap().success());
}

/// What Ctrl-C does, to this process alone.
#[cfg(unix)]
fn interrupt(child: &Child) {
    send(child, "-INT");
}

#[cfg(unix)]
fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
#[tokio::test]
async fn a_hangup_reads_the_configuration_again_and_a_faulty_one_changes_nothing() {
    let file = std::env::temp_dir().join(format!("mcp-auth-dev-{}.json", std::process::id()));
    let required = |scope: &str| {
        let settings =
            json!({ "required_scopes": scope, "policy": { "tools": { "whoami": [scope] } } });
        std::fs::write(&file, settings.to_string()).unwrap();
    };
    required("mcp");
    let mut child = command(&["--port", "0", "--json", "--config", file.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let dev = Dev { child, ready: serde_json::from_str(&line).unwrap() };
    let (resource, issuer) = (dev.url("resource"), dev.url("issuer"));
    let form = [("user", "alice"), ("scope", "mcp"), ("resource", resource)];
    let minted =
        reqwest::Client::new().post(format!("{issuer}/dev/mint")).form(&form).send().await.unwrap();
    let token = minted.text().await.unwrap();
    assert_eq!(call_whoami(resource, &token).await.status(), 200);
    let rows: [(&str, &str, u16); 4] = [
        ("admin", "the configuration is replaced", 403),
        ("mcp", "the configuration is replaced", 200),
        ("{", "not JSON", 200),
        ("[]", "is needed", 200),
    ];
    for (written, told, status) in rows {
        match written {
            "admin" | "mcp" => required(written),
            other => std::fs::write(&file, other).unwrap(),
        }
        send(&dev.child, "-HUP");
        assert!(log.any(|one| one.contains(told)), "{told}");
        assert_eq!(call_whoami(resource, &token).await.status(), status, "{written}");
    }
    std::fs::write(&file, r#"{ "clock_tolerance": 1000, "required_scopes": "admin" }"#).unwrap();
    send(&dev.child, "-HUP");
    assert!(log.any(|one| one.contains("the configuration is not replaced")));
    assert_eq!(call_whoami(resource, &token).await.status(), 200);
    assert!(dev.stop());
    std::fs::remove_file(file).unwrap();
}

#[test]
fn what_the_sample_server_is_cannot_be_configured() {
    let file = std::env::temp_dir().join(format!("mcp-auth-dev-own-{}.json", std::process::id()));
    for settings in [
        json!({ "resource": "https://mcp.example.com/mcp" }),
        json!({ "authorization_servers": ["https://auth.example.com"] }),
        json!({ "resources": [{}, {}] }),
        json!({ "polici": {} }),
    ] {
        std::fs::write(&file, settings.to_string()).unwrap();
        let options = ["--port", "0", "--config", file.to_str().unwrap()];
        let output = command(&options).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{settings}");
        assert!(!output.stderr.is_empty());
    }
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn the_issuer_alone() {
    let dev = Dev::start(&["--issuer-only"]);
    assert_eq!(dev.ready.get("resource"), None);
    let url = format!("{}/.well-known/oauth-authorization-server", dev.url("issuer"));
    let document: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(document["issuer"], dev.url("issuer"));
    assert!(dev.stop());
}

#[test]
fn a_taken_port_names_the_option() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for options in [&["--port", &port][..], &["--port", &port, "--issuer-only"]] {
        let output = command(options).stdin(Stdio::null()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(error.contains(&format!("port {port}")) && error.contains("--port"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn the_introduction_has_what_a_newcomer_needs() {
    let mut child =
        command(&["--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let text: Vec<_> =
        lines.by_ref().map(Result::unwrap).take_while(|line| !line.contains("Ctrl-C")).collect();
    interrupt(&child);
    assert!(child.wait().unwrap().success());
    let text = text.join("\n");
    for part in [
        "MCP server",
        "issuer",
        "@modelcontextprotocol/inspector",
        "curl -i -X POST",
        "/dev/mint",
        "tools/call",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_bad_option_is_explained() {
    let output = command(&["--port", "70000"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("--port"));
    let output =
        command(&["--scopes", "bad\"scope", "--port", "0"]).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("is not a scope"), "{error}");
}
