//! `mcp-auth check server` against a correct server, and against the same one with one fault each.

mod fault;
mod non_servers;
mod options;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Output, Stdio};
use std::{fs, io};

use dev_issuer::DevIssuer;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::process::Command;

use self::fault::Fault;
use self::server::{ALLOWED_ORIGIN, Server};

/// The ids of what does not hold, with their verdicts.
type Complaints = BTreeMap<String, String>;

#[tokio::test]
async fn nothing_is_wrong_with_a_correct_server() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    for with_token in [false, true] {
        let output = check(&server, with_token, &["--json"]).await;
        assert_eq!(complaints(&output), Complaints::new(), "with a token: {with_token}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[tokio::test]
async fn with_tokens_all_is_checked_that_can_be_seen() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    let report = report(&check(&server, true, &["--json"]).await);
    let skipped: BTreeSet<_> =
        with_verdict(&report, |verdict| verdict == "skip").into_keys().collect();
    let unseen = [
        "R10.hierarchy",
        "R18.request-state",
        "R23.extensions",
        "R6.pass-through",
        "R9.all-scopes-at-once",
    ];
    assert_eq!(skipped, BTreeSet::from(unseen.map(str::to_owned)));
}

#[tokio::test]
async fn every_must_has_the_sentence_that_makes_it_one() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] {
        let output = check(&server, true, &["--json", "--revision", revision]).await;
        let report = report(&output);
        for finding in report["findings"].as_array().unwrap() {
            let is_quoted = finding["quote"].is_string();
            assert_eq!(is_quoted, finding["level"] == "MUST", "{revision}: {finding}");
        }
    }
}

#[tokio::test]
async fn a_long_list_of_a_stranger_makes_no_long_report() {
    let issuer = DevIssuer::start().await.unwrap();
    let issuers: Vec<_> = (0..20_000).map(|one| format!("http://as{one}.example")).collect();
    let rule = json!({
        "when": { "path": ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] },
        "response": { "merge": { "authorization_servers": issuers } },
    });
    let server = Server::start(&issuer, Fault::of(vec![rule])).await;
    for format in ["human", "json", "markdown", "sarif"] {
        let output = check(&server, false, &["--format", format]).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.len() < 120_000, "{format}: {}", output.stdout.len());
    }
}

#[tokio::test]
async fn metadata_of_another_host_is_the_finding_and_what_follows_says_so() {
    let issuer = DevIssuer::start().await.unwrap();
    let public = "http://127.0.0.1:1/.well-known/oauth-protected-resource/mcp";
    let rules = vec![
        json!({ "when": { "path": ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] },
            "answer": { "status": 404 } }),
        json!({ "when": { "status": 401 }, "response": { "set_headers":
            { "www-authenticate": format!("Bearer resource_metadata=\"{public}\", scope=\"mcp\"") } } }),
    ];
    let server = Server::start(&issuer, Fault::of(rules)).await;
    let report = report(&check(&server, false, &["--json"]).await);
    let findings = report["findings"].as_array().unwrap();
    let of = |id: &str| findings.iter().find(|one| one["id"] == id).unwrap();
    let seen = of("R2.resource")["actual"].as_str().unwrap();
    assert!(seen.contains("the metadata of http://127.0.0.1:1/mcp"), "{seen}");
    for id in ["R2.document", "R3.path-inserted", "R3.root"] {
        assert_eq!(of(id)["follows_from"], "R2.resource", "{id}");
    }
}

#[tokio::test]
async fn what_is_known_counts_for_nothing_by_name_or_by_an_earlier_report() {
    let issuer = DevIssuer::start().await.unwrap();
    let (_, fault) = faults().into_iter().find(|(name, _)| name == "resource-is-origin").unwrap();
    let server = Server::start(&issuer, fault).await;
    let first = check(&server, false, &["--json"]).await;
    assert_eq!(first.status.code(), Some(1));
    let baseline = Path::new(env!("CARGO_TARGET_TMPDIR")).join("baseline.json");
    fs::write(&baseline, &first.stdout).unwrap();
    let baseline = baseline.to_str().unwrap();
    for options in [["--ignore", "R2.resource"], ["--baseline", baseline]] {
        let output = check(&server, false, &options).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(text.contains("Ignored: ") && text.contains("1 ignored"), "{text}");
    }
    let output = check(&server, false, &["--baseline", "Cargo.toml"]).await;
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn a_token_without_a_scope_is_no_fault_of_the_server() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    let output = command(&[&server.resource, "--token", &server.weak_token, "--json"])
        .output()
        .await
        .unwrap();
    assert_eq!(complaints(&output), Complaints::new());
    let skipped = report(&output).to_string();
    assert!(skipped.contains("the token lacks a scope: give one with `mcp`"), "{skipped}");
}

#[tokio::test]
async fn a_server_that_cannot_tell_now_lets_nobody_in_and_is_not_blamed() {
    let issuer = DevIssuer::start().await.unwrap();
    let rule = json!({
        "when": { "path": ["/mcp"], "token": ["other", "foreign", "expired"] },
        "answer": { "status": 503 },
    });
    let server = Server::start(&issuer, Fault::of(vec![rule])).await;
    let report = report(&check(&server, false, &["--json"]).await);
    let findings = report["findings"].as_array().unwrap();
    for id in ["R7.garbage-token", "R5.bad-signature", "R6.other-audience"] {
        let finding = findings.iter().find(|one| one["id"] == id).unwrap();
        assert_eq!(finding["verdict"], "skip", "{finding}");
        assert!(finding["actual"].as_str().unwrap().contains("see R22"), "{finding}");
    }
}

#[tokio::test]
async fn exit_codes_are_in_the_help() {
    for command in [&["check", "server"][..], &["check", "issuer"], &["explain"]] {
        let mut asked = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
        let output = asked.args(command).arg("--help").output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Exit codes: 0 when"), "{text}");
    }
}

#[tokio::test]
async fn every_fault_is_found_and_nothing_else() {
    let issuer = DevIssuer::start().await.unwrap();
    let (mut wrong, mut found) = (Vec::new(), BTreeSet::new());
    for (name, fault) in faults() {
        let expected = fault.expect.clone();
        let server = Server::start(&issuer, fault).await;
        let output = check(&server, true, &["--json"]).await;
        let actual = complaints(&output);
        let fails = expected.values().any(|verdict| verdict == "fail");
        if actual != expected || output.status.code() != Some(i32::from(fails)) {
            wrong.push(format!("{name}\n  expected {expected:?}\n  actual   {actual:?}"));
        }
        found.extend(actual.into_keys());
    }
    assert!(wrong.is_empty(), "{} fault(s):\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(never_broken(&issuer, &found).await, Vec::<String>::new(), "no fault breaks these");
}

/// The findings of the correct server that can fail, but never did.
async fn never_broken(issuer: &DevIssuer, found: &BTreeSet<String>) -> Vec<String> {
    let server = Server::start(issuer, Fault::none()).await;
    let report = report(&check(&server, true, &["--json"]).await);
    let passed = with_verdict(&report, |verdict| verdict == "pass").into_keys();
    passed.filter(|id| !found.contains(id)).collect()
}

#[tokio::test]
async fn a_token_is_in_no_format_whatever_the_server_repeats() {
    let issuer = DevIssuer::start().await.unwrap();
    let (_, fault) = faults().into_iter().find(|(name, _)| name == "token-echoed").unwrap();
    let server = Server::start(&issuer, fault).await;
    for format in ["human", "json", "markdown", "sarif"] {
        let output = check(&server, true, &["--format", format, "--verbose"]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("R6.token-echo"), "{text}");
        assert!(!text.contains(&server.good_token) && !text.contains('\x1b'), "{text}");
    }
}

#[tokio::test]
async fn a_server_with_sessions_is_checked_in_its_own_dialect() {
    let issuer = DevIssuer::start().await.unwrap();
    let knows_no_2026 = json!({
        "when": { "headers": { "mcp-protocol-version": "2026-07-28" }, "token": ["good"] },
        "answer": { "status": 400 },
    });
    let trusts_sessions = json!({
        "when": { "headers": { "mcp-session-id": "-" }, "token": ["none"], "method": "POST" },
        "request": { "authorize": true },
    });
    let server = Server::start(&issuer, Fault::of(vec![knows_no_2026.clone()])).await;
    let output = check(&server, true, &["--json"]).await;
    assert_eq!(complaints(&output), Complaints::new());
    let skipped = with_verdict(&report(&output), |verdict| verdict == "skip");
    assert!(skipped.contains_key("R19.method-header") && !skipped.contains_key("2025-06-18.batch"));

    let server = Server::start(&issuer, Fault::of(vec![knows_no_2026, trusts_sessions])).await;
    let complaints = complaints(&check(&server, true, &["--json"]).await);
    assert_eq!(complaints.into_keys().collect::<Vec<_>>(), ["R13.after-good-token", "R13.session"]);
}

#[tokio::test]
async fn redirects_of_authorization_servers_are_no_fault_of_the_server() {
    let issuer = DevIssuer::start().await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    let document = axum::Json(json!({ "issuer": other }));
    let sign_in = || async { axum::response::Redirect::to("https://login.example.com/") };
    let app = axum::Router::new()
        .route("/.well-known/openid-configuration", axum::routing::get(|| async { document }))
        .fallback(sign_in);
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let rules = vec![
        json!({
            "when": { "path": ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] },
            "response": { "merge": { "authorization_servers": [other] } },
        }),
        json!({
            "when": { "path": ["/.well-known/oauth-authorization-server"] },
            "answer": { "status": 404 },
        }),
        json!({
            "when": { "path": ["/authorize"] },
            "answer": { "status": 302, "set_headers": { "location": "https://login.example.com/" } },
        }),
    ];
    let server = Server::start(&issuer, Fault::of(rules)).await;
    let output = check(&server, true, &["--json"]).await;
    let seen = Complaints::from([("R22.rfc8414".to_owned(), "info".to_owned())]);
    assert_eq!(complaints(&output), seen);
    serving.abort();
}

#[tokio::test]
async fn the_token_can_come_from_standard_input() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    let mut child = command(&[&server.resource, "--token", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = format!("{}\n", server.good_token);
    child.stdin.take().unwrap().write_all(line.as_bytes()).await.unwrap();
    let report = report(&child.wait_with_output().await.unwrap());
    let passed = with_verdict(&report, |verdict| verdict == "pass");
    assert!(passed.contains_key("R1.accepts-token"), "{passed:?}");
}

#[tokio::test]
async fn what_cannot_be_checked_says_why() {
    let nobody = silent_socket();
    let url = format!("http://{}/mcp", nobody.local_addr().unwrap());
    let rows: [(&[&str], &str); 5] = [
        (&["opaque-secret-token"], "is not a URL"),
        (&[&url, "--ca-file", "/no/such.pem"], "--ca-file"),
        (&[&url, "--token", "two words"], "--token"),
        (&[&url, "--origin", "https://app.example.com/"], "--origin"),
        (&[&url, "--json", "--format", "human"], "cannot be used with"),
    ];
    for (arguments, expected) in rows {
        let output = command(arguments).output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn the_revision_decides_what_is_a_must() {
    let issuer = DevIssuer::start().await.unwrap();
    let (_, fault) =
        faults().into_iter().find(|(name, _)| name == "challenge-without-url").unwrap();
    let server = Server::start(&issuer, fault).await;
    for (revision, code) in [("2025-06-18", 1), ("2025-11-25", 0)] {
        let output = check(&server, false, &["--revision", revision]).await;
        assert_eq!(output.status.code(), Some(code), "{revision}");
    }
}

/// Runs the command, with everything that it may be given or with the URL alone.
async fn check(server: &Server, with_token: bool, options: &[&str]) -> Output {
    let mut command = command(&[&server.resource]);
    command.args(options);
    if with_token {
        command
            .args(["--origin", ALLOWED_ORIGIN])
            .env("MCP_AUTH_TOKEN", &server.good_token)
            .env("MCP_AUTH_WEAK_TOKEN", &server.weak_token)
            .env("MCP_AUTH_REFUSED_TOKEN", &server.foreign_token);
    }
    command.output().await.unwrap()
}

/// A port where nothing answers: a socket that does not listen keeps others off it.
fn silent_socket() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    socket
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(["check", "server"]).args(arguments).kill_on_drop(true).stdin(Stdio::null());
    for name in ["MCP_AUTH_TOKEN", "MCP_AUTH_WEAK_TOKEN", "MCP_AUTH_REFUSED_TOKEN"] {
        command.env_remove(name);
    }
    command
}

fn complaints(output: &Output) -> Complaints {
    with_verdict(&report(output), |verdict| !matches!(verdict, "pass" | "skip"))
}

fn with_verdict(report: &Value, wanted: impl Fn(&str) -> bool) -> Complaints {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let pairs = findings.map(|finding| (text(finding, "id"), text(finding, "verdict")));
    pairs.filter(|(_, verdict)| wanted(verdict)).collect()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Every fault of `vectors/broken-servers/`, by the name of its file.
fn faults() -> Vec<(String, Fault)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/broken-servers");
    let entries: io::Result<Vec<_>> = fs::read_dir(folder).unwrap().collect();
    let mut paths: Vec<_> = entries.unwrap().into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let fault = serde_json::from_str(&fs::read_to_string(path).unwrap());
        (name.clone(), fault.unwrap_or_else(|error| panic!("{name}: {error}")))
    };
    paths.iter().map(read).collect()
}
