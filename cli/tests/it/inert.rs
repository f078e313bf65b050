//! What strangers write, in every command and format: text, and nothing else.

use std::process::{Output, Stdio};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

/// Cursor, clipboard, title, C1, DEL, both directions, no width, a line of its own, HTML, links,
/// mentions, references, code.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]52;c;eA==\u{7}\u{9b}31m\u{9d}0;t\u{9c}\u{7f}\u{202e}\u{2066}\u{200b}\u{2028}\nFAIL  forged\r\n\n# \
                       [a](https://evil.example/) ![a](//evil.example) @octocat #1 ` @octocat ``` ` https://evil.example/ \
                       www.evil.example <img src=x> &#64;octocat o/r#2 |x| ~~s~~ *b* _i_ \\";

const FORMATS: [&[&str]; 4] =
    [&["--format", "human"], &["--json"], &["--format", "markdown"], &["--format", "sarif"]];

#[tokio::test]
async fn a_server_writes_nothing_but_text() {
    let url = hostile().await;
    for revision in ["2026-07-28", "2025-06-18"] {
        for format in FORMATS {
            for token in [Some("a-token-of-somebody"), None] {
                let arguments = ["check", "server", &url, "--verbose", "--revision", revision];
                let output = run(token, &[&arguments, format].concat()).await;
                assert_eq!(output.status.code(), Some(1), "{output:?}");
                assert_inert(format, &output);
            }
        }
    }
}

#[tokio::test]
async fn an_issuer_writes_nothing_but_text() {
    let url = hostile().await;
    let issuer = url.strip_suffix("/mcp").unwrap();
    // Its own name is right here, so that the rest is looked at, and wrong there.
    for issuer in [issuer.to_owned(), format!("{issuer}/other")] {
        for format in FORMATS {
            let output = run(None, &[&["check", "issuer", &issuer], format].concat()).await;
            assert!(output.status.code().is_some_and(|code| code < 3), "{output:?}");
            assert!(!output.stdout.is_empty(), "{output:?}");
            assert_inert(format, &output);
        }
    }
}

#[tokio::test]
async fn a_token_writes_nothing_but_text() {
    let url = hostile().await;
    let issuer = url.strip_suffix("/mcp").unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": HOSTILE, "typ": HOSTILE, "kid": HOSTILE, HOSTILE: HOSTILE });
    let named = json!({ "alg": "ES256", "typ": "at+jwt", "kid": HOSTILE });
    let claims = json!({ "iss": HOSTILE, "aud": [HOSTILE], "scope": HOSTILE, HOSTILE: HOSTILE });
    let known = json!({ "iss": issuer, "aud": HOSTILE, "scope": HOSTILE, "sub": HOSTILE,
        "typ": HOSTILE, "exp": HOSTILE, "client_id": [HOSTILE] });
    for token in [
        format!("{}.{}.c2ln", part(&header), part(&claims)),
        format!("{}.{}.c2ln", part(&named), part(&known)),
        format!("{}.{}.c2ln", part(&named), part(&json!({ "iss": issuer, "scope": HOSTILE }))),
        HOSTILE.replace('\n', ""),
    ] {
        for trusted in [&["--server", &*url][..], &["--resource", &url, "--issuer", issuer]] {
            for format in [&[][..], &["--show-claims"], &["--json", "--show-claims"]] {
                let arguments = [&["explain"], trusted, format].concat();
                assert_inert(format, &run(Some(&token), &arguments).await);
            }
        }
    }
}

#[tokio::test]
async fn errors_and_logs_are_nothing_but_text() {
    let url = hostile().await;
    let gone = format!("{url}/\u{202e}\u{9b}");
    for arguments in [
        &["check", "server", HOSTILE][..],
        &["check", "issuer", HOSTILE],
        &["check", HOSTILE],
        &["check", "server", &url, "--origin", HOSTILE],
        &["explain", "--server", HOSTILE],
        &["explain", "--server", &gone],
        &["explain", "--config", HOSTILE],
        &["explain", "--resource", HOSTILE, "--issuer", HOSTILE],
        &["explain", "--at", HOSTILE],
        &["dev", "--port", HOSTILE],
        &["dev", "--scopes", HOSTILE, "--port", "65535"],
    ] {
        let output = run(Some("a-token-of-somebody"), arguments).await;
        assert_ne!(output.status.code(), Some(0), "{output:?}");
        assert_inert(&[], &output);
    }
}

/// The introduction of `dev` repeats what it was given.
#[tokio::test]
async fn dev_repeats_its_options_as_text() {
    for json in [&["--json"][..], &[]] {
        for issuer_only in [&["--issuer-only"][..], &[]] {
            let options =
                ["dev", "--port", "0", "--user", HOSTILE, "--scopes", "mcp\u{9b}31m\u{202e}"];
            let mut command = command(&[&options[..], json, issuer_only].concat());
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            // With `--json` it ends with its input; else it is ended when its introduction was read.
            let read = first_lines(&mut child, json.is_empty()).await;
            let _ = child.kill().await;
            let stderr = child.wait_with_output().await.unwrap().stderr;
            for text in [read, String::from_utf8(stderr).unwrap()] {
                assert_visible(&text);
            }
        }
    }
}

async fn first_lines(child: &mut tokio::process::Child, is_long: bool) -> String {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut read = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        read += &line;
        if !is_long || line.starts_with("Ctrl-C") {
            break;
        }
    }
    read
}

fn assert_inert(format: &[&str], output: &Output) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_visible(&text);
    assert_visible(&error);
    for line in text.lines().chain(error.lines()) {
        assert!(!line.starts_with("FAIL  forged"), "{text}{error}");
    }
    if format.contains(&"markdown") {
        let rendered = without_code(&text);
        for active in ["://evil", "@octocat", "www.evil", "<img", "[a](", "#1", "&#64;", "~~"] {
            assert!(!rendered.contains(active), "{active} in {rendered}\n\n{text}");
        }
    }
    if format.contains(&"sarif") {
        let document: Value = serde_json::from_str(&text).unwrap();
        for result in document["runs"][0]["results"].as_array().unwrap() {
            let message = result["message"]["text"].as_str().unwrap().replace("\\\\", "");
            assert!(!message.contains("[a]("), "{message}");
        }
    }
    if format.contains(&"--json") {
        // What could not be said at all is on standard error.
        assert!(text.is_empty() || serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    }
}

fn assert_visible(text: &str) {
    let is_harmful = |one: char| {
        one != '\n' && one.is_control()
            || matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}')
    };
    assert!(!text.contains(is_harmful), "{text:?}");
}

/// Markdown as GitHub looks for links and mentions in it: without blocks and spans of code.
fn without_code(markdown: &str) -> String {
    let mut text = String::new();
    let mut is_block = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            text += &without_spans(line);
            text.push('\n');
        }
    }
    text
}

fn without_spans(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['`', '\\']) {
        text += &rest[..at];
        rest = &rest[at..];
        if rest.starts_with('\\') {
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            text += &rest[..length];
            rest = &rest[length..];
            continue;
        }
        let (fence, behind) = rest.split_at(rest.len() - rest.trim_start_matches('`').len());
        let mut search = 0;
        let end = loop {
            let Some(found) = behind[search..].find('`').map(|at| search + at) else { break None };
            let run = behind[found..].len() - behind[found..].trim_start_matches('`').len();
            if run == fence.len() {
                break Some(found + run);
            }
            search = found + run;
        };
        match end {
            Some(end) => rest = &behind[end..],
            None => {
                text += fence;
                rest = behind;
            }
        }
    }
    text + rest
}

/// An MCP server and an issuer that write [`HOSTILE`] wherever they can.
async fn hostile() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(origin.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("{origin}/mcp")
}

async fn answer(State(origin): State<String>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if path.contains("oauth-protected-resource") {
        let resource =
            if path.ends_with("/mcp") { format!("{origin}/mcp") } else { HOSTILE.to_owned() };
        return Json(json!({
            "resource": resource,
            "authorization_servers": [origin, format!("{origin}/{HOSTILE}"), HOSTILE],
            "bearer_methods_supported": [HOSTILE],
            "scopes_supported": [HOSTILE],
        }))
        .into_response();
    }
    if path.starts_with("/.well-known/") || path.contains("/.well-known/") {
        let issuer = if path.contains("other") { HOSTILE.to_owned() } else { origin.clone() };
        let list = [HOSTILE, "S256", "code", "authorization_code"];
        return Json(json!({
            "issuer": issuer,
            "jwks_uri": format!("{origin}/keys"),
            "authorization_endpoint": HOSTILE,
            "token_endpoint": format!("{origin}/{HOSTILE}"),
            "introspection_endpoint": HOSTILE,
            "registration_endpoint": HOSTILE,
            "grant_types_supported": list,
            "response_types_supported": list,
            "code_challenge_methods_supported": list,
            "token_endpoint_auth_methods_supported": list,
            "introspection_endpoint_auth_methods_supported": list,
            "scopes_supported": list,
        }))
        .into_response();
    }
    if path == "/keys" {
        let (x, y) = (
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        );
        return Json(json!({ "keys": [
            { "kty": HOSTILE, "kid": HOSTILE, "alg": HOSTILE, "crv": HOSTILE, "use": HOSTILE },
            { "kty": "RSA", "kid": HOSTILE, "n": HOSTILE, "e": HOSTILE },
            { "kty": "EC", "kid": HOSTILE, "crv": HOSTILE, "x": x, "y": y },
            { "kty": "EC", "kid": HOSTILE, "crv": "P-256", "x": x, "y": y, "issuer": HOSTILE },
            HOSTILE,
        ] }))
        .into_response();
    }
    let mut headers = HeaderMap::new();
    // What a header can hold of it.
    let bytes: Vec<u8> =
        HOSTILE.bytes().filter(|one| !matches!(one, 0..=31 | 127 | b'"' | b'\\')).collect();
    let value = |before: &str, after: &str| {
        let value = [before.as_bytes(), &bytes, after.as_bytes()].concat();
        HeaderValue::from_bytes(&value).unwrap()
    };
    let challenge = format!(
        "Bearer resource_metadata=\"{origin}/.well-known/oauth-protected-resource/mcp\", error=\""
    );
    headers.insert(
        "www-authenticate",
        value(&challenge, "\", scope=\"[a](https://evil.example/) @octocat #1\""),
    );
    if request.headers().contains_key("authorization") {
        headers.insert("mcp-session-id", HeaderValue::from_static("s"));
        let result = json!({ "protocolVersion": HOSTILE, "cacheScope": HOSTILE, "tools": [] });
        return (headers, Json(json!({ "jsonrpc": "2.0", "id": 1, "result": result })))
            .into_response();
    }
    if request.headers().contains_key("mcp-session-id") || path != "/mcp" {
        headers.insert(
            "location",
            HeaderValue::from_static("https://evil.example/[a](https://evil.example/)@octocat"),
        );
        return (StatusCode::FOUND, headers).into_response();
    }
    (StatusCode::UNAUTHORIZED, headers, HOSTILE).into_response()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(arguments).env("RUST_LOG", "debug").env_remove("MCP_AUTH_TOKEN");
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

async fn run(token: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = command(arguments);
    if let Some(token) = token {
        command.env("MCP_AUTH_TOKEN", token);
    }
    command.output().await.unwrap()
}
