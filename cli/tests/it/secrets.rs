//! Secrets that are given to the command, and how a server or a mistake could get them printed.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

const TOKEN: &str = "opaque/secret+of~some_body==";

/// What no output may hold: the beginning of every form, in which a token could still be recognised.
fn forms() -> Vec<String> {
    let every = |form: fn(u8) -> String| TOKEN.bytes().map(form).collect::<String>();
    let special = |form: fn(u8) -> String| {
        let one = |byte: u8| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => form(byte),
        };
        TOKEN.bytes().map(one).collect::<String>()
    };
    vec![
        TOKEN.to_owned(),
        special(|byte| format!("%{byte:02X}")),
        special(|byte| format!("%{byte:02x}")),
        special(|byte| format!("%25{byte:02X}")),
        special(|byte| format!("%25{byte:02x}")),
        special(|byte| format!("%2525{byte:02x}")),
        every(|byte| format!("%{byte:02x}")),
        special(|byte| format!("\\u{byte:04x}")),
        special(|byte| format!("\\u{byte:04X}")),
        every(|byte| format!("\\u{byte:04x}")),
        special(|byte| format!("&#{byte};")),
        special(|byte| format!("&#x{byte:x};")),
        TOKEN.replace('/', "\\/"),
        TOKEN.replace('+', " "),
        STANDARD.encode(TOKEN),
        URL_SAFE_NO_PAD.encode(TOKEN),
        STANDARD.encode(format!("Bearer {TOKEN}")),
        STANDARD.encode(format!("me:{TOKEN}")),
        every(|byte| format!("{byte:02x}")),
    ]
}

#[tokio::test]
async fn a_token_is_in_no_output_however_it_is_written() {
    let url = repeating().await;
    let formats: [&[&str]; 4] =
        [&["--format", "human"], &["--json"], &["--format", "markdown"], &["--format", "sarif"]];
    for format in formats {
        let arguments = [&["check", "server", &*url, "--verbose"], format].concat();
        let output = run(&arguments).await;
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(text.contains("R6.token-echo") && text.contains("token"), "{text}");
        assert_silent(&output);
    }
    for format in [&[][..], &["--json"]] {
        let arguments = [&["explain", "--server", &*url], format].concat();
        for _ in 0..forms().len() {
            assert_silent(&run(&arguments).await);
        }
    }
}

#[tokio::test]
async fn a_token_in_the_wrong_place_is_not_repeated() {
    let url = "http://127.0.0.1:9/mcp";
    for secret in [
        "s3cr3t",
        "hunter2!",
        "opaque-secret-of-somebody",
        "gho_16C7e42F292c6912E7710c838347Ae178B4a",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.c2lnbmF0dXJlLW9mLWl0",
        "/9j4AAQSkZJRgABAQAAAQABAAD+2wBDAAgGBgcGBQ==",
    ] {
        let option = format!("--{secret}");
        let rows: [&[&str]; 24] = [
            &[secret],
            &[&option],
            &["check", secret],
            &["check", "server", secret],
            &["check", "server", url, secret],
            &["check", "server", url, &option],
            &["check", "server", url, "--origin", secret],
            &["check", "server", url, "--format", secret],
            &["check", "server", url, "--revision", secret],
            &["check", "server", url, "--timeout", secret],
            &["check", "issuer", secret],
            &["check", "issuer", url, secret],
            &["check", "issuer", url, "--resource", secret],
            &["check", "issuer", url, "--metadata-url", secret],
            &["check", "issuer", url, "--ca-file", secret],
            &["check", "issuer", url, "--type", secret],
            &["explain", "x", secret],
            &["explain", "--server", secret],
            &["explain", "--config", secret],
            &["explain", "--resource", secret, "--issuer", secret],
            &["explain", "--resource", url, "--issuer", url, "--at", secret],
            &["explain", "--resource", url, "--issuer", url, "--jwks", secret],
            &["dev", secret],
            &["dev", "--port", secret],
        ];
        for arguments in rows {
            let output = run(arguments).await;
            let said = format!("{output:?}");
            assert_ne!(output.status.code(), Some(0), "{said}");
            assert!(!said.contains(secret), "{arguments:?}: {said}");
            if secret.len() > 10 {
                let (said, part) = (said.to_lowercase(), &secret[4..]);
                assert!(!said.contains(&part.to_lowercase()), "{arguments:?}: {said}");
            }
        }
    }
}

/// An issuer that puts what it was sent into its answer.
#[tokio::test]
async fn the_secret_of_a_configuration_is_in_no_output() {
    const SECRET: &str = "the client's own/secret+=";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({ "issuer": issuer, "introspection_endpoint": format!("{issuer}/ask") });
    let app = Router::new()
        .route("/.well-known/oauth-authorization-server", get(async || Json(metadata)))
        .fallback(async |request: Request| {
            let sent = request.headers().get("authorization");
            let sent = sent.and_then(|value| value.to_str().ok()).unwrap_or("nothing").to_owned();
            let aud = [sent, SECRET.to_owned(), SECRET.replace('/', "%2f").replace(' ', "+")];
            Json(json!({ "active": true, "aud": aud, "scope": STANDARD.encode(SECRET) }))
        });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("secrets.key");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    for secret in [json!({ "client_secret": SECRET }), json!({ "client_secret_file": file })] {
        let mut introspection = json!({ "client_id": "me" });
        introspection.as_object_mut().unwrap().extend(secret.as_object().unwrap().clone());
        let server = json!({ "issuer": issuer, "introspection": introspection });
        let resource =
            json!({ "resource": "http://127.0.0.1:9/mcp", "authorization_servers": [server] });
        let config = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("secrets.json");
        std::fs::write(&config, json!({ "resources": [resource] }).to_string()).unwrap();
        for format in [&[][..], &["--json"]] {
            let arguments = [&["explain", "--config", config.to_str().unwrap()], format].concat();
            let output = run(&arguments).await;
            let said = format!("{output:?}");
            assert!(said.contains("[secret]"), "{said}");
            for form in
                ["own/secret", "own%2f", "own%2F", "own%252", &STANDARD.encode(SECRET)[..16]]
            {
                assert!(!said.contains(form), "{form} in {said}");
            }
            assert!(!said.contains("Basic bWU6"), "{said}");
        }
    }
}

#[tokio::test]
async fn mistakes_are_still_explained() {
    let rows: [(&[&str], &str); 10] = [
        (&["check", "server", "http://x/", "--formt", "json"], "'--formt'"),
        (&["check", "server", "http://x/", "--sarif"], "'--sarif': did you mean '--format sarif'"),
        (&["check", "issuer", "http://x/", "--markdown"], "did you mean '--format markdown'"),
        (&["check", "issuer", "http://x/", "--timeout", "0"], "0 is not in 1..=600"),
        (&["check", "server", "http://x/", "--deadline", "9999"], "9999 is not in 1..=6000"),
        (&["chekc"], "a similar subcommand exists: 'check'"),
        (&["check", "server", "http://x/", "--formt", "json"], "'--format'"),
        (&["check", "server", "http://x/", "--format", "yaml"], "[possible values: human"),
        (&["check", "server", "http://x/", "--timeout", "0"], "--timeout <SECONDS>"),
        (&["explain", "--config", "/no/such"], "/no/such"),
    ];
    for (arguments, expected) in rows {
        let output = run(arguments).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    let help = run(&["check", "server", "--help"]).await;
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("--weak-token"));
}

fn assert_silent(output: &Output) {
    let said = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
    // As JSON and Markdown write backslashes.
    let unescaped = said.replace("\\\\", "\\");
    for form in forms() {
        let beginning = &form[..form.len() * 2 / 3];
        for said in [&said, &unescaped] {
            assert!(!said.contains(beginning), "{form} in {said}");
        }
    }
}

/// Answers each request with the token in another form, in a redirect or in a challenge.
async fn repeating() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(Arc::default());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn answer(State(count): State<Arc<AtomicUsize>>, request: Request) -> Response {
    let all = forms();
    let form = &all[count.fetch_add(1, Ordering::Relaxed) % all.len()];
    let quoted = form.replace('\\', "\\\\");
    let challenge = format!(
        "Bearer error=\"{quoted}\", scope=\"{quoted}\", resource_metadata=\"http://{quoted}\""
    );
    let location = HeaderValue::from_str(&format!("/?found={form}")).unwrap();
    let (status, sends) = match request.headers().contains_key("authorization") {
        true => (StatusCode::FORBIDDEN, form.clone()),
        false if request.uri().query().is_some() => (StatusCode::FOUND, form.clone()),
        false => (StatusCode::UNAUTHORIZED, String::new()),
    };
    (
        status,
        [("www-authenticate", HeaderValue::from_str(&challenge).unwrap()), ("location", location)],
        sends,
    )
        .into_response()
}

async fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(arguments).env("MCP_AUTH_TOKEN", TOKEN).env_remove("RUST_LOG");
    command.kill_on_drop(true).stdin(Stdio::null()).output().await.unwrap()
}
