//! Servers that want to harm whoever checks them.

use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use dev_issuer::DevIssuer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

const TOKEN: &str = "genuine-token-of-somebody+/=";

#[tokio::test]
async fn nothing_that_a_server_says_reaches_the_terminal_as_it_is() {
    let document = json!({
        "resource": "http://h.example/\u{1b}[2J\u{9b}31m\u{202e}",
        "authorization_servers": ["\u{1b}]0;title\u{7}"],
        "bearer_methods_supported": ["\u{1b}[31m"],
    });
    let (url, serving) = hostile(document).await;
    for format in ["human", "json", "markdown", "sarif"] {
        let output = run(&["check", "server", &url, "--format", format, "--verbose"]).await;
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text.contains("]0;title"), "{text}");
        let is_harmful = |one: char| one != '\n' && one.is_control() || one == '\u{202e}';
        assert!(!text.contains(is_harmful), "{text:?}");
    }
    serving.abort();
}

#[tokio::test]
async fn a_token_that_a_later_answer_repeats_is_not_printed() {
    let (url, serving) = hostile(json!({})).await;
    for format in ["human", "json", "markdown", "sarif"] {
        let output = run(&["check", "server", &url, "--format", format, "--verbose"]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.replace('\\', "").contains("/?found=[token]"), "{text}");
        assert!(!text.contains("genuine-token"), "{text}");
    }
    serving.abort();
}

#[tokio::test]
async fn what_a_tool_says_of_itself_is_no_stack_trace() {
    let (url, serving) = hostile(json!({})).await;
    let output = run(&["check", "server", &url, "--verbose"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("pass  R7.stack-trace"), "{text}");
    serving.abort();
}

#[tokio::test]
async fn explain_prints_no_token_that_a_challenge_repeats() {
    let issuer = DevIssuer::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let document = json!({ "resource": url, "authorization_servers": [issuer.issuer()] });
    let app = Router::new().fallback(move |request: Request| async move {
        if request.method() == "GET" {
            return Json(document).into_response();
        }
        let sent = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let sent = sent.unwrap_or("nothing");
        let signature = sent.rsplit('.').next().unwrap_or_default();
        let challenge = format!(
            "Basic realm=\"x, \\\"y\\\"\", bearer scope=notes, a=\"{sent}\", b=\"{signature}\""
        );
        (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
    });
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let token = issuer.mint().audience(&*url).scope("notes").sign();
    let (_, signature) = token.rsplit_once('.').unwrap();
    for format in [&[][..], &["--json"]] {
        let output = run_with(&token, &[&["explain", "--server", &url], format].concat()).await;
        let text = format!("{output:?}");
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(text.contains("[token]") && text.contains("[signature]"), "{text}");
        assert!(text.contains("notes") && !text.contains(signature), "{text}");
    }
    serving.abort();
}

#[tokio::test]
async fn explain_follows_no_document_into_a_network() {
    let document = json!({ "resource": "https://h.example/mcp", "authorization_servers": ["http://10.0.0.1/"] });
    let (url, serving) = hostile(document).await;
    let output = run(&["explain", "--server", &url]).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("http://10.0.0.1/: not followed"), "{error}");
    assert!(!error.contains(TOKEN), "{error}");
    serving.abort();
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    let (url, serving) =
        raw("HTTP/1.1 401 No\r\ncontent-type: application/json\r\n\r\n", true).await;
    let output = run(&["check", "server", &url, "--json"]).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["findings"][0]["actual"], "401");
    let output = run(&["explain", "--server", &url]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    serving.abort();
}

#[tokio::test]
async fn a_body_that_never_ends_is_not_waited_for() {
    let (url, serving) = raw("HTTP/1.1 401 No\r\ncontent-length: 9\r\n\r\n{", false).await;
    let output = run(&["check", "server", &url, "--timeout", "1"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("did not end it within 1 s"));
    serving.abort();
}

/// Lets anyone in who has a token, and repeats it to everyone who has none.
async fn hostile(document: Value) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let found = Arc::new(Mutex::new(None));
    let app = Router::new().fallback(answer).with_state((document, found));
    (url, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
}

type Found = Arc<Mutex<Option<HeaderValue>>>;

async fn answer(State((document, found)): State<(Value, Found)>, request: Request) -> Response {
    let mut found = found.lock().unwrap();
    if request.uri().path().starts_with("/.well-known/") {
        return Json(document).into_response();
    }
    if let Some(token) = request.headers().get("authorization") {
        *found = Some(token.clone());
        let result =
            json!({ "cacheScope": "\u{1b}[31m\u{9b}31m", "tools": ["skips node_modules/"] });
        return Json(json!({ "jsonrpc": "2.0", "id": 1, "result": result })).into_response();
    }
    let challenge = "Bearer error=\"\u{9b}31m<script>\"";
    let Some(token) = &*found else {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response();
    };
    let location = format!("/?found={}", token.to_str().unwrap().replace("Bearer ", ""));
    (StatusCode::FOUND, [("location", location)], Bytes::new()).into_response()
}

/// Answers everything with this text, and with more and more behind it or with nothing.
async fn raw(text: &'static str, goes_on: bool) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(text.as_bytes()).await;
                while goes_on && stream.write_all(&[b'x'; 16384]).await.is_ok() {}
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    (url, serving)
}

async fn run(arguments: &[&str]) -> Output {
    run_with(TOKEN, arguments).await
}

async fn run_with(token: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(arguments).env("MCP_AUTH_TOKEN", token).env_remove("RUST_LOG");
    command.kill_on_drop(true).stdin(Stdio::null()).output().await.unwrap()
}
