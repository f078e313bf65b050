//! What `mcp-auth explain` says first, and what it says of what is no token.

use std::process::{Output, Stdio};

use dev_issuer::DevIssuer;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;

const RESOURCE: &str = "http://127.0.0.1:3000/mcp";

async fn explain(token: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(["explain", "-"]).args(arguments).env_remove("RUST_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let _ = input.write_all(token.as_bytes()).await;
    drop(input);
    child.wait_with_output().await.unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn the_first_line_is_the_verdict() {
    let issuer = DevIssuer::start().await.unwrap();
    let good = issuer.mint().audience(RESOURCE).sign();
    let foreign = issuer.mint().audience("https://other.example").sign();
    let trusted = ["--resource", RESOURCE, "--issuer", issuer.issuer()];
    let rows: [(&str, &[&str], &str); 4] = [
        (&good, &trusted, "The token is accepted."),
        (
            &foreign,
            &trusted,
            "The token is refused: wrong_audience (401, error=\"invalid_token\").",
        ),
        (&good, &[], "What can be judged of the token alone is good"),
        ("opaque", &[], "The token is refused: malformed (401, error=\"invalid_token\")."),
    ];
    for (token, arguments, expected) in rows {
        let said = text(&explain(token, arguments).await);
        assert!(said.starts_with(expected), "{expected} in {said}");
        assert!(said.lines().nth(1).unwrap().starts_with("mcp-auth explain, "), "{said}");
    }
}

#[tokio::test]
async fn what_is_no_opaque_token_is_not_called_one() {
    let issuer = DevIssuer::start().await.unwrap();
    let whole = issuer.mint().audience(RESOURCE).sign();
    let (without_signature, _) = whole.rsplit_once('.').unwrap();
    let trusted = ["--resource", RESOURCE, "--issuer", issuer.issuer()];
    let rows = [
        ("opaque", "issued an opaque token", "401, error=\"invalid_token\""),
        (
            without_signature,
            "(2 of 3 parts): was it copied to its end",
            "401, error=\"invalid_token\"",
        ),
        (&whole[..12], "(1 of 3 parts): was it copied to its end", "401, error=\"invalid_token\""),
        (
            "{\"access_token\": \"a\"}",
            "not `Bearer` and one token",
            "400, error=\"invalid_request\"",
        ),
        ("two words", "not `Bearer` and one token", "400, error=\"invalid_request\""),
    ];
    for (token, expected, wire) in rows {
        for arguments in [&[][..], &trusted] {
            let output = explain(token, arguments).await;
            let said = text(&output);
            assert!(said.contains(expected) && said.contains(wire), "{expected} in {said}");
            let is_called_opaque = said.contains("issued an opaque token");
            assert_eq!(is_called_opaque, token == "opaque", "{said}");
            assert_eq!(output.status.code(), Some(1));
        }
    }
}

#[tokio::test]
async fn a_token_alone_without_an_audience_is_refused_by_default() {
    let issuer = DevIssuer::start().await.unwrap();
    let output = explain(&issuer.mint().claim("aud", Value::Null).sign(), &["--json"]).await;
    let with_null: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_ne!(with_null["code"], "ok");
    let bare = issuer.mint().without("aud").sign();
    let output = explain(&bare, &[]).await;
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in
        ["refused: missing_claim", "FAIL  aud", "refused by default", "binds the token to no"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("resource.invalid"), "{said}");
}

#[tokio::test]
async fn a_slash_that_differs_is_told_once() {
    let issuer = DevIssuer::start().await.unwrap();
    let with_slash = format!("{}/", issuer.issuer());
    let token = issuer.mint().audience(RESOURCE).sign();
    let said = text(&explain(&token, &["--resource", RESOURCE, "--issuer", &with_slash]).await);
    let line = said.lines().find(|line| line.contains("slash")).unwrap();
    assert_eq!(said.matches("differs").count(), 1, "{line}");
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_told_by_what_it_answers() {
    let page = "content-type: text/html\r\n";
    let rows = [
        ("503 Busy", "", "is not healthy (it answers 503)"),
        ("429 Often", "", "is not healthy (it answers 429)"),
        (
            "302 Found",
            "location: https://elsewhere.invalid/\r\n",
            "redirects (302) to https://elsewhere",
        ),
        ("403 No", page, "is behind a firewall or proxy (403"),
        ("200 OK", page, "is a web page (200)"),
        ("404 No", "", "is not there (404)"),
    ];
    for (status, header, expected) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let answer =
            format!("HTTP/1.1 {status}\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n");
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let output = explain("opaque", &["--server", &url]).await;
        let error = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(&format!("{url} {expected}")), "{expected} in {error}");
        serving.abort();
    }
}

#[tokio::test]
async fn who_gives_no_token_is_told_how_to() {
    for variable in [None, Some("")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
        command.arg("explain").env_remove("MCP_AUTH_TOKEN").stdin(Stdio::null());
        command.envs(variable.map(|value| ("MCP_AUTH_TOKEN", value)));
        let output = command.output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("`-` reads it") && error.contains("MCP_AUTH_TOKEN"), "{error}");
    }
}
