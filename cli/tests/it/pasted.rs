//! URLs as people give them to any command: without a scheme, and with what must not be in them.

use std::process::{Output, Stdio};

use dev_issuer::DevIssuer;
use mcp_auth::{Config, McpAuth};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;

const JWT: &str = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2FzLmV4YW1wbGUifQ.c2lnbmF0dXJlLW9mLWl0";

async fn run(arguments: &[&str], token: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(arguments).env_remove("RUST_LOG").env_remove("MCP_AUTH_TOKEN").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // Who refuses the arguments may not read it.
    let _ = input.write_all(token.as_bytes()).await;
    drop(input);
    child.wait_with_output().await.unwrap()
}

#[tokio::test]
async fn a_host_without_a_scheme_is_shown_as_the_url_that_it_stands_for() {
    let issuer = DevIssuer::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("{}/mcp", listener.local_addr().unwrap());
    let url = format!("http://{host}");
    let auth = McpAuth::new(Config::new(&*url, issuer.issuer()).unwrap()).unwrap();
    let app = auth.protect(axum::routing::post(async || "pong"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let token = issuer.mint().audience(&*url).sign();
    let bare_issuer = issuer.issuer().strip_prefix("http://").unwrap();
    let rows: [(&[&str], &str); 5] = [
        (&["explain", "-", "--server", &host], "resource"),
        (&["explain", "-", "--resource", &host, "--issuer", bare_issuer], "resource"),
        (&["explain", "-", "--resource", &url, "--issuer", bare_issuer], "resource"),
        (&["check", "server", &host], "subject"),
        (&["check", "issuer", bare_issuer], "subject"),
    ];
    for (arguments, member) in rows {
        let people = run(arguments, &token).await;
        let programs = run(&[arguments, &["--json"]].concat(), &token).await;
        let report: Value = serde_json::from_slice(&programs.stdout).unwrap();
        let expected = if arguments[1] == "issuer" { issuer.issuer() } else { &*url };
        assert_eq!(report[member], expected, "{arguments:?}");
        for output in [people, programs] {
            assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
            assert!(!format!("{output:?}").contains("[argument]"), "{output:?}");
        }
    }
}

#[tokio::test]
async fn a_url_with_a_token_or_a_password_is_refused_and_not_repeated() {
    let urls = [
        format!("http://127.0.0.1:9/mcp?access_token={JWT}"),
        format!("127.0.0.1:9/mcp?tenant=a&token={JWT}"),
        format!("http://127.0.0.1:9/mcp?anything={JWT}"),
        format!("http://127.0.0.1:9/{JWT}/mcp"),
        format!("http://127.0.0.1:9/.well-known/oauth-protected-resource/mcp?x={JWT}"),
        "https://127.0.0.1:9/mcp?api_key=opaque-signature-of-it".to_owned(),
        "https://user:password-signature@127.0.0.1:9/mcp".to_owned(),
    ];
    let good = "http://127.0.0.1:9";
    for url in &urls {
        let rows: [&[&str]; 7] = [
            &["check", "server", url],
            &["check", "issuer", url],
            &["check", "issuer", good, "--resource", url],
            &["check", "issuer", good, "--metadata-url", url],
            &["explain", "-", "--server", url],
            &["explain", "-", "--resource", url, "--issuer", good],
            &["explain", "-", "--resource", good, "--issuer", url],
        ];
        for arguments in rows {
            let is_check = arguments[0] == "check";
            let formats: &[&[&str]] = match is_check {
                true => &[&[], &["--json"], &["--format", "markdown"], &["--format", "sarif"]],
                false => &[&[], &["--json"]],
            };
            for format in formats {
                let output = run(&[arguments, format].concat(), "opaque").await;
                let said = format!("{output:?}");
                assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
                assert!(said.contains("no user, password or token"), "{arguments:?}: {said}");
                for part in ["eyJ", "c2lnbmF0dXJl", "signature"] {
                    assert!(!said.contains(part), "{arguments:?}: {said}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_token_alone_warns_of_no_setting_and_no_issuer() {
    let issuer = DevIssuer::start().await.unwrap();
    let far = issuer.mint().claim("iss", "https://as.example").sign();
    let plain = issuer.mint().claim("iss", "http://as.example").sign();
    let tokens = [issuer.mint().sign(), far, plain, JWT.to_owned(), "opaque".to_owned()];
    for token in &tokens {
        for format in [&[][..], &["--json"]] {
            let output = run(&[&["explain", "-"], format].concat(), token).await;
            assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{token}");
            assert!(!output.stdout.is_empty());
        }
    }
}
