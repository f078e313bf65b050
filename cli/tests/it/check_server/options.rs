//! What people give to the command that cannot be used: it says so, and blames no server for it.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use dev_issuer::DevIssuer;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::fault::Fault;
use super::server::Server;
use super::{command, report};

async fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut asked = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    let output = asked.args(arguments).env_remove("MCP_AUTH_TOKEN").output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_token_that_no_server_may_accept_is_no_fault_of_this_one() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    let expired = issuer.mint().audience(&*server.resource).scope("mcp").expires_in(-100).sign();
    let early = issuer.mint().audience(&*server.resource).claim("nbf", 4_000_000_000_u64).sign();
    let cut = server.good_token[..server.good_token.len() / 2].to_owned();
    let rows = [
        (&expired, 2, "has expired since 20"),
        (&server.foreign_token, 2, "for another audience: `aud` is https://other.example.com/mcp"),
        (&early, 2, "is not valid before 2096"),
        (&cut, 2, "was it copied to its end"),
        (&"opaque".to_owned(), 1, "401"),
    ];
    for (token, code, expected) in rows {
        let output =
            command(&[&server.resource, "--token", token, "--json"]).output().await.unwrap();
        let report = report(&output);
        let findings = report["findings"].as_array().unwrap();
        let row = findings.iter().find(|one| one["id"] == "R1.accepts-token").unwrap();
        let is_judged = code == 1;
        assert_eq!(output.status.code(), Some(code), "{report}");
        assert_eq!(row["verdict"], if is_judged { "fail" } else { "skip" }, "{row}");
        assert!(row["actual"].as_str().unwrap().contains(expected), "{row}");
        assert_eq!(report["checked"], json!(is_judged));
        assert_eq!(report["note"].as_str().unwrap().contains(expected), !is_judged, "{report}");
    }
}

#[tokio::test]
async fn every_token_can_come_from_standard_input_a_line_for_each() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    let options = ["--token", "-", "--weak-token", "-", "--refused-token", "-", "--json"];
    let mut asked = command(&[&server.resource]);
    asked.args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = asked.spawn().unwrap();
    let tokens = [&server.good_token, &server.weak_token, &server.foreign_token];
    let lines = tokens.map(|token| format!("Bearer {token}\n")).concat();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).await.unwrap();
    let report = report(&child.wait_with_output().await.unwrap());
    for id in ["R1.accepts-token", "R7.missing-scope", "R5.refused-token"] {
        let findings = report["findings"].as_array().unwrap();
        let finding = findings.iter().find(|one| one["id"] == id).unwrap();
        assert_eq!(finding["verdict"], "pass", "{finding}");
    }
    let output = command(&[&server.resource, "--weak-token", "-"]).output().await.unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--weak-token: the token is empty"), "{error}");
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn an_empty_variable_is_as_good_as_none() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    let mut asked = command(&[&server.resource, "--json"]);
    for name in ["MCP_AUTH_TOKEN", "MCP_AUTH_WEAK_TOKEN", "MCP_AUTH_REFUSED_TOKEN"] {
        asked.env(name, "");
    }
    let output = asked.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(report(&output)["note"].as_str().unwrap().starts_with("without a token"));
}

#[tokio::test]
async fn the_url_of_metadata_at_the_root_stands_for_the_server_that_it_describes() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    let origin = server.resource.strip_suffix("/mcp").unwrap();
    let root = format!("{origin}/.well-known/oauth-protected-resource");
    for pasted in [&*root, root.strip_prefix("http://").unwrap(), &format!("{root}/mcp")] {
        let output = command(&[pasted, "--json"]).output().await.unwrap();
        let report = report(&output);
        assert_eq!(report["subject"], server.resource, "{pasted}");
        assert_eq!(output.status.code(), Some(0), "{report}");
        let asked = ["explain", &server.good_token, "--server", pasted, "--json"];
        let (code, text, error) = run(&asked).await;
        let explained: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(code, Some(0), "{error}");
        assert_eq!(explained["resource"], server.resource, "{pasted}");
        assert_ne!(explained["server"]["status"], 404, "{pasted}: {explained}");
    }
}

#[tokio::test]
async fn a_finding_that_there_is_not_cannot_be_ignored_and_the_one_that_was_meant_is_named() {
    let url = "http://127.0.0.1:9/mcp";
    let rows: [(&[&str], &str); 5] = [
        (&["check", "server", url, "--ignore", "R99.nope"], "number 1 (R99.nope): no finding"),
        (&["check", "server", url, "--ignore", "R2.resourse"], "did you mean R2.resource?"),
        (
            &["check", "server", url, "--ignore", "R2.resource", "--ignore", "R3.x"],
            "number 2 (R3.x)",
        ),
        (&["check", "issuer", url, "--ignore", "R2.resource"], "there are issuer, keys, metadata"),
        (
            &["check", "issuer", url, "--ignore", "s3cr3t-of-somebody"],
            "--ignore, number 1: no finding",
        ),
    ];
    for (arguments, expected) in rows {
        let (code, _, error) = run(arguments).await;
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(expected) && !error.contains("s3cr3t"), "{expected} in {error}");
        let (code, text, _) = run(&[arguments, &["--json"]].concat()).await;
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &report["checked"]), (Some(2), &json!(false)));
        assert!(report["verdict"].as_str().unwrap().contains(expected), "{report}");
    }
}

/// The names are written down once more, so that a wrong one is told before a server is asked.
#[tokio::test]
async fn every_finding_that_is_in_the_code_may_be_ignored() {
    let mut names = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check/server");
    for entry in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in source.split("    id: \"").skip(1) {
            names.push(part.split_once('"').unwrap().0.to_owned());
        }
    }
    assert!(names.len() > 70, "{names:?}");
    let issuer = DevIssuer::start().await.unwrap();
    let server = Server::start(&issuer, Fault::none()).await;
    let found = report(&command(&[&server.resource, "--json"]).output().await.unwrap());
    for finding in found["findings"].as_array().unwrap() {
        names.push(finding["id"].as_str().unwrap().to_owned());
    }
    let mut all = vec!["http://127.0.0.1:1/mcp".to_owned()];
    all.extend(names.into_iter().flat_map(|name| ["--ignore".to_owned(), name]));
    let words: Vec<&str> = all.iter().map(String::as_str).collect();
    let output = command(&words).output().await.unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "", "only the server is missing");

    let (_, text, _) = run(&["check", "issuer", issuer.issuer(), "--json"]).await;
    let found: Value = serde_json::from_str(&text).unwrap();
    for finding in found["findings"].as_array().unwrap() {
        let name = finding["id"].as_str().unwrap();
        let (code, _, error) = run(&["check", "issuer", issuer.issuer(), "--ignore", name]).await;
        assert_eq!(code, Some(0), "{name}: {error}");
    }
}
