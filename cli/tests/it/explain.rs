//! `mcp-auth explain`, as people and programs start it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use dev_issuer::{Broken, DevIssuer, Mint, Mode};
use mcp_auth::{Config, McpAuth};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Starts the command, gives it the token, and waits for its end.
async fn explain(token: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(["explain", "-"]).args(arguments).env_remove("RUST_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

const RESOURCE: &str = "http://127.0.0.1:3000/mcp";

fn mint(issuer: &DevIssuer) -> Mint {
    issuer.mint().audience(RESOURCE).scope("mcp").claim("email", "private@example.com")
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn a_good_and_a_bad_token_are_told_apart_by_the_exit_code() {
    let issuer = DevIssuer::start().await.unwrap();
    let trusted = ["--resource", RESOURCE, "--issuer", issuer.issuer()];
    let output = explain(&format!("Bearer {}\n", mint(&issuer).sign()), &trusted).await;
    assert_eq!(code(&output), 0, "{output:?}");
    let good = text(&output);
    for part in ["The token is accepted.", "pass  signature", "pass  aud", "grants:        mcp"] {
        assert!(good.contains(part), "{part} in {good}");
    }
    assert!(!good.contains('\u{1b}'), "no colours where nobody looks");

    let wrong = mint(&issuer).audience("https://other.example").expires_in(-100).sign();
    let output = explain(&wrong, &trusted).await;
    let bad = text(&output);
    assert_eq!(code(&output), 1);
    for part in
        ["refused: expired", "FAIL  exp", "FAIL  aud", "actual   [\"https://other.example\"]"]
    {
        assert!(bad.contains(part), "{part} in {bad}");
    }

    issuer.set_mode(Mode::Offline);
    let output = explain(&mint(&issuer).sign(), &trusted).await;
    assert_eq!(code(&output), 2, "it cannot be told");
    assert!(text(&output).contains("cannot be told now"));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains(" WARN ") && !log.contains('\u{1b}'), "{log}");
}

#[tokio::test]
async fn neither_signature_nor_person_is_printed() {
    let issuer = DevIssuer::start().await.unwrap();
    let trusted = ["--resource", RESOURCE, "--issuer", issuer.issuer()];
    for token in [mint(&issuer).sign(), mint(&issuer).broken(Broken::Signature).sign()] {
        let (_, signature) = token.rsplit_once('.').unwrap();
        for format in [&[][..], &["--json"]] {
            let arguments = [&trusted, format].concat();
            let said = format!("{:?}", explain(&token, &arguments).await);
            assert!(said.contains("hidden text"));
            for private in ["private@example.com", "alice", signature] {
                assert!(!said.contains(private), "{said}");
            }
            let shown = explain(&token, &[&arguments[..], &["--show-claims"]].concat()).await;
            assert!(text(&shown).contains("private@example.com"));
            assert!(!text(&shown).contains(signature));
        }
    }
}

#[tokio::test]
async fn keys_in_a_file_and_a_time_need_no_issuer() {
    let issuer = DevIssuer::start().await.unwrap();
    let keys = reqwest::get(issuer.jwks_uri()).await.unwrap().text().await.unwrap();
    let keys = file("explain-jwks.json", &keys);
    let token = mint(&issuer).issued_at(1_700_000_000).sign();
    issuer.set_mode(Mode::Offline);
    let trusted = ["--resource", RESOURCE, "--issuer", issuer.issuer()];
    let offline = [&trusted[..], &["--jwks", keys.to_str().unwrap()]].concat();
    let output = explain(&token, &[&offline[..], &["--at", "1700000010"]].concat()).await;
    assert_eq!(code(&output), 0, "{output:?}");
    let output = explain(&token, &offline).await;
    assert_eq!(code(&output), 1);
    assert!(text(&output).contains("refused: expired"));
}

#[tokio::test]
async fn a_configuration_says_which_operations_are_unlocked() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = json!({ "issuer": issuer.issuer(),
        "introspection": { "client_id": "dev", "client_secret": "dev" } });
    let policy = json!({ "tools": { "read": "notes:read", "write": "notes:write" } });
    let resource = json!({ "resource": RESOURCE, "required_scopes": "mcp",
        "authorization_servers": [server], "policy": policy });
    let config = json!({ "resources": [resource] });
    let as_json = file("explain.json", &config.to_string());
    let toml = format!(
        "[[resources]]\nresource = \"{RESOURCE}\"\nrequired_scopes = \"mcp\"\n\
         policy.tools.read = \"notes:read\"\npolicy.tools.write = \"notes:write\"\n\
         authorization_servers = [{{ issuer = \"{}\" }}]\n",
        issuer.issuer()
    );
    let as_toml = file("explain.toml", &toml);
    let token = mint(&issuer).scope("mcp notes:read").sign();
    for config in [&as_json, &as_toml] {
        let output = explain(&token, &["--config", config.to_str().unwrap()]).await;
        let text = text(&output);
        assert_eq!(code(&output), 0, "{output:?}");
        assert!(text.contains("may      tools/call read"), "{text}");
        assert!(text.contains("may not  tools/call write"), "{text}");
    }
    let with_introspection = ["--config", as_json.to_str().unwrap(), "--json"];
    let output = explain(&mint(&issuer).opaque(), &with_introspection).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["code"], "ok");
    assert_eq!(report["checks"][0]["name"], "introspection");
    assert_eq!(report["token"]["form"], "opaque");
}

#[tokio::test]
async fn a_server_is_known_by_its_metadata_and_says_itself_what_it_thinks() {
    let issuer = DevIssuer::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
    let config = Config::new(&*resource, issuer.issuer()).unwrap().with_required_scopes(["mcp"]);
    let auth = McpAuth::new(config).unwrap();
    let app = auth.protect(axum::routing::post(async || "pong"));
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let good = explain(&mint(&issuer).audience(&*resource).sign(), &["--server", &resource]).await;
    assert_eq!(code(&good), 0, "{good:?}");
    assert!(text(&good).contains("Scopes that every call needs: mcp"));
    assert!(text(&good).contains("The server answers a `ping` with 200"));
    let bad = explain(&mint(&issuer).sign(), &["--server", &resource]).await;
    assert_eq!(code(&bad), 1);
    assert!(text(&bad).contains("with 401: it refuses the token"));
    serving.abort();
}

#[tokio::test]
async fn a_token_alone_is_judged_by_what_is_in_it_and_nobody_is_asked() {
    let issuer = DevIssuer::start().await.unwrap();
    issuer.set_mode(Mode::Offline);
    let output = explain(&mint(&issuer).sign(), &[]).await;
    let good = text(&output);
    assert_eq!(code(&output), 2, "its signature is not known: {output:?}");
    let found = format!("skip  iss              {}, as found", issuer.issuer());
    for part in ["of the token alone", "pass  exp", "--server", &found] {
        assert!(good.contains(part), "{part} in {good}");
    }
    for (token, claim) in [
        (mint(&issuer).issued_at(1_700_000_000).sign(), "FAIL  exp "),
        (mint(&issuer).claim("nbf", 4_000_000_000_u64).sign(), "FAIL  nbf, iat "),
        (mint(&issuer).claim("token_use", "id").sign(), "FAIL  kind "),
    ] {
        let output = explain(&token, &[]).await;
        assert_eq!(code(&output), 1, "{output:?}");
        assert!(text(&output).contains(claim), "{claim} in {}", text(&output));
        assert!(text(&output).contains(" UTC)"), "times are dates: {}", text(&output));
    }
    assert_eq!(code(&explain("opaque", &[]).await), 1);
}

#[tokio::test]
async fn a_scope_that_every_call_needs_and_the_token_lacks_is_exit_code_1() {
    let issuer = DevIssuer::start().await.unwrap();
    let config = json!({ "resources": [{ "resource": RESOURCE, "required_scopes": "mcp notes:read",
        "authorization_servers": [issuer.issuer()] }] });
    let config = file("explain-scopes.json", &config.to_string());
    let config = ["--config", config.to_str().unwrap()];
    for (scope, expected) in [("mcp", 1), ("notes:read", 1), ("", 1), ("mcp notes:read", 0)] {
        let output = explain(&mint(&issuer).scope(scope).sign(), &config).await;
        assert_eq!(code(&output), expected, "{scope}: {output:?}");
        let is_named = text(&output).contains("403, error=\"insufficient_scope\"");
        assert_eq!(is_named, expected == 1, "{output:?}");
    }
}

#[tokio::test]
async fn a_slash_of_the_issuer_is_one_fault_and_the_other_checks_go_on() {
    let issuer = DevIssuer::start().await.unwrap();
    let with_slash = format!("{}/", issuer.issuer());
    let trusted = ["--resource", RESOURCE, "--issuer", &with_slash];
    let output = explain(&mint(&issuer).sign(), &trusted).await;
    let said = text(&output);
    assert_eq!(code(&output), 1, "it is refused all the same: {output:?}");
    for part in [
        "refused: unknown_issuer (401, error=\"invalid_token\")",
        "by a slash",
        "pass  signature",
        "pass  aud",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(said.matches("FAIL").count(), 1, "{said}");
}

#[tokio::test]
async fn nothing_is_cut_where_programs_read_it() {
    let issuer = DevIssuer::start().await.unwrap();
    let long = format!("https://other.example/{}/end", "x".repeat(400));
    let output = explain(&mint(&issuer).audience(&*long).sign(), &[]).await;
    assert!(text(&output).contains(&long), "{output:?}");
}

#[tokio::test]
async fn a_server_with_another_name_in_its_metadata_is_told() {
    let issuer = DevIssuer::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let document = json!({ "resource": RESOURCE, "authorization_servers": [issuer.issuer()] });
    let app = axum::Router::new()
        .route("/mcp", axum::routing::post(async || axum::http::StatusCode::UNAUTHORIZED))
        .fallback(async move || axum::Json(document));
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let output = explain(&mint(&issuer).sign(), &["--server", &url]).await;
    let said = text(&output);
    assert!(said.contains(&format!("calls the resource {RESOURCE}, which is not")), "{output:?}");
    serving.abort();
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_after_its_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let output = explain("a", &["--server", &url, "--timeout", "1", "--json"]).await;
    assert_eq!(code(&output), 2, "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["code"], "unavailable");
    drop(listener);
}

#[tokio::test]
async fn a_broken_configuration_is_not_quoted() {
    for text in ["a = 1\nclient_secret = \"s3cr3t", "a = 1\nclient_secret = s3cr3t\n"] {
        let config = file("explain-secret.toml", text);
        let output = explain("a", &["--config", config.to_str().unwrap()]).await;
        let said = format!("{output:?}");
        assert_eq!(code(&output), 2, "{said}");
        assert!(said.contains("line 2: ") && !said.contains("s3cr3t"), "{said}");
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(["explain", "opaque", "--resource", RESOURCE, "--issuer", "https://as.example"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).env_remove("RUST_LOG");
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await;
    assert_eq!(output.unwrap().status.code(), Some(1));
}

/// A disk that is full, as Linux has one to try.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_cannot_be_written_is_an_error_in_every_command() {
    let issuer = DevIssuer::start().await.unwrap();
    let keys = reqwest::get(issuer.jwks_uri()).await.unwrap().text().await.unwrap();
    let keys = file("explain-full-jwks.json", &keys);
    let token = mint(&issuer).sign();
    let explained = ["explain", &token, "--resource", RESOURCE, "--issuer", issuer.issuer()];
    let offline = [&explained[..], &["--jwks", keys.to_str().unwrap()]].concat();
    let rows: [&[&str]; 6] = [
        &offline,
        &[&offline[..], &["--json"]].concat(),
        &["check", "issuer", issuer.issuer()],
        &["check", "issuer", issuer.issuer(), "--format", "sarif"],
        &["--version"],
        &["check", "server", "--help"],
    ];
    for arguments in rows {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
        command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        command.stdout(full).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await;
        let output = ended.unwrap();
        let error = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(code(&output), 2, "{arguments:?}: {error}");
        assert!(error.contains("standard output: No space left"), "{arguments:?}: {error}");
    }
}

#[tokio::test]
async fn what_cannot_be_explained_is_said_with_exit_code_2() {
    let config = file("explain-broken.toml", "resources = 7");
    let config = config.to_str().unwrap();
    let rows: [(&str, &[&str], &str); 6] = [
        ("a", &["--server", "opaque"], "is not a URL"),
        ("a", &["--config", "/no/such"], "/no/such"),
        ("a", &["--config", config], "explain-broken.toml"),
        ("a", &["--resource", "x", "--issuer", "y"], "resources[0].resource"),
        (" ", &["--resource", RESOURCE, "--issuer", "https://as.example"], "the token is empty"),
        ("a", &["--server", "http://127.0.0.1:1/mcp"], "no answer: the connection was refused"),
    ];
    for (token, arguments, expected) in rows {
        let output = explain(token, arguments).await;
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(code(&output), 2, "{said}");
        assert!(said.contains(expected), "{expected} in {said}");
    }
}
