//! `mcp-auth check issuer`, as people and programs start it.

use std::process::{Command, Output, Stdio};

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use dev_issuer::{DevIssuer, MetadataLocation, Mode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Starts the command and waits for its end; it stands still on no thread of the test's.
async fn check(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    command.args(["check", "issuer"]).args(arguments).env_remove("RUST_LOG");
    command.stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_healthy_issuer_is_fine() {
    let issuer = DevIssuer::start().await.unwrap();
    let output = check(&[issuer.issuer(), "--resource", "https://mcp.example.org/mcp"]).await;
    let text = text(&output);
    assert_eq!(code(&output), 0, "{text}");
    let used = format!("used    {}/.well-known/oauth-authorization-server", issuer.issuer());
    for part in [
        &*used,
        "pass  pkce_s256",
        "2026-07-28  conforms",
        "verifies ES256",
        "resource = \"https://mcp.example.org/mcp\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours where nobody looks");
}

/// An issuer with good metadata, whose keys are answered with this.
async fn issuer_with_keys(status: u16, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
    let status = StatusCode::from_u16(status).unwrap();
    let app = Router::new()
        .route("/.well-known/oauth-authorization-server", get(async move || Json(metadata)))
        .route("/keys", get(async move || (status, body)));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

#[tokio::test]
async fn the_advice_is_about_the_request_where_that_is_refused_and_else_about_the_keys() {
    let (about_request, about_keys) =
        ("GET without credentials", "Correct the metadata or the keys");
    let rows = [
        (406, "", "request_refused", about_request),
        (415, "", "request_refused", about_request),
        (403, "<html>Access denied</html>", "request_refused", about_request),
        (404, "", "no_document", "Correct `jwks_uri`"),
        (200, "<html>Sign in</html>", "not_json", "Correct `jwks_uri`"),
        (200, "{\"keys\": []}", "unusable", about_keys),
    ];
    for (status, body, kind, advice) in rows {
        let url = issuer_with_keys(status, body).await;
        let output = check(&[&url, "--json"]).await;
        let report = json_of(&output);
        assert_eq!((code(&output), &report["issuer"]["keys"]["fault_kind"]), (1, &json!(kind)));
        let findings = report["findings"].as_array().unwrap();
        let row = findings.iter().find(|finding| finding["id"] == "keys").unwrap();
        let fix = row["fix"].as_str().unwrap();
        assert!(fix.contains(advice), "{status} {body}: {fix}");
        assert_eq!(fix.contains(about_keys), advice == about_keys, "{status} {body}: {fix}");
    }
}

#[tokio::test]
async fn an_issuer_whose_places_hang_is_told_with_each_of_them_and_what_to_say() {
    let issuer = DevIssuer::builder().path("/t").start().await.unwrap();
    issuer.set_mode(Mode::Hang);
    let output = check(&[issuer.issuer(), "--timeout", "1"]).await;
    assert_eq!(code(&output), 2);
    let told = text(&output);
    let listed = told.split_once("Metadata\n").unwrap().1;
    assert_eq!(listed.matches("no answer within 0.8 s").count(), 4, "{told}");
    assert!(told.contains("--metadata-url") && told.contains("--type"), "{told}");
}

#[tokio::test]
async fn programs_read_everything_as_json() {
    let issuer = DevIssuer::builder().path("/t").start().await.unwrap();
    let output = check(&[issuer.issuer(), "--json"]).await;
    let report = json_of(&output);
    assert_eq!((code(&output), &report["conforms"]), (0, &json!(true)));
    assert_eq!(report["issuer"]["places"].as_array().unwrap().len(), 4);
    assert_eq!(report["issuer"]["keys"]["algorithms"], json!(["ES256"]));
    assert_eq!(report["revisions"][3]["revision"], "2026-07-28");
    let ids = report["findings"].as_array().unwrap().iter().map(|finding| &finding["id"]);
    assert!(
        ids.clone().any(|id| id == "keys") && ids.clone().any(|id| id == "resource_indicators")
    );
}

#[tokio::test]
async fn a_known_provider_gets_advice_with_the_strings_to_paste() {
    let issuer = DevIssuer::builder().path("/realms/staff").start().await.unwrap();
    let output = check(&[issuer.issuer(), "--resource", "https://mcp.example.org/mcp"]).await;
    let text = text(&output);
    let url = issuer.issuer().replace("/realms/staff", "");
    let preset = format!("Provider::keycloak({url:?}, \"staff\")");
    let mapper = "Included Custom Audience is `https://mcp.example.org/mcp`";
    for part in ["To do at Keycloak", mapper, &preset] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn people_get_it_for_an_issue_and_programs_for_code_scanning() {
    let issuer = DevIssuer::start().await.unwrap();
    let markdown = text(&check(&[issuer.issuer(), "--format", "markdown"]).await);
    assert!(markdown.starts_with("# mcp-auth check issuer `http://"), "{markdown}");
    assert!(markdown.contains("```text\nMetadata\n") && markdown.ends_with("```\n"), "{markdown}");
    let sarif = json_of(&check(&[issuer.issuer(), "--format", "sarif"]).await);
    assert_eq!(sarif["version"], "2.1.0");
}

#[tokio::test]
async fn the_revision_decides() {
    let issuer = DevIssuer::builder().path("/t").metadata_at([MetadataLocation::OpenIdAppended]);
    let issuer = issuer.start().await.unwrap();
    assert_eq!(code(&check(&[issuer.issuer()]).await), 0);
    let older = check(&[issuer.issuer(), "--revision", "2025-06-18"]).await;
    assert_eq!(code(&older), 1);
    assert!(text(&older).contains("2025-06-18  does not conform: metadata"), "{}", text(&older));
}

#[tokio::test]
async fn the_type_narrows_what_a_server_looks_at() {
    let issuer = DevIssuer::builder().metadata_at([MetadataLocation::OpenIdAppended]);
    let issuer = issuer.start().await.unwrap();
    assert_eq!(code(&check(&[issuer.issuer(), "--type", "oidc"]).await), 0);
    let output = check(&[issuer.issuer(), "--type", "oauth"]).await;
    assert_eq!(code(&output), 1);
    assert!(text(&output).contains("FAIL  keys"), "{}", text(&output));
}

#[tokio::test]
async fn metadata_elsewhere_is_found_by_its_url() {
    let issuer = DevIssuer::builder().path("/t").metadata_at([MetadataLocation::OAuthAppended]);
    let issuer = issuer.start().await.unwrap();
    let url = format!("{}/.well-known/oauth-authorization-server", issuer.issuer());
    let output = check(&[issuer.issuer(), "--metadata-url", &url, "--json"]).await;
    let report = json_of(&output);
    assert_eq!(report["issuer"]["places"][0]["url"], url);
    assert_eq!(report["issuer"]["places"][0]["is_used"], true);
    assert_eq!(report["issuer"]["keys"]["fault"], Value::Null);
}

#[tokio::test]
async fn a_slash_is_one_finding_and_the_rest_is_checked() {
    let issuer = DevIssuer::start().await.unwrap();
    let output = check(&[&format!("{}/", issuer.issuer()), "--json"]).await;
    let report = json_of(&output);
    assert_eq!(code(&output), 1);
    assert!(report["verdict"].as_str().unwrap().contains("differ by the slash"), "{report}");
    let findings = report["findings"].as_array().unwrap().iter();
    let failed: Vec<_> = findings.filter(|one| one["verdict"] == "fail").collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["id"], "issuer");
    for revision in report["revisions"].as_array().unwrap() {
        assert_eq!(revision["because"], json!(["issuer"]), "no revision says otherwise");
    }
}

#[tokio::test]
async fn the_metadata_of_somebody_else_fails() {
    let issuer = DevIssuer::start().await.unwrap();
    let url = format!("{}/.well-known/oauth-authorization-server", issuer.issuer());
    let output = check(&["http://127.0.0.1:1", "--metadata-url", &url]).await;
    let text = text(&output);
    assert_eq!(code(&output), 1, "{text}");
    assert!(text.contains("must be exactly") && text.contains("to the letter"), "{text}");
    assert!(!text.contains("Here, as TOML"), "what does not work is not to be pasted: {text}");
}

#[tokio::test]
async fn what_people_paste_for_an_issuer_is_understood() {
    let issuer = DevIssuer::start().await.unwrap();
    let url = issuer.issuer();
    let bare = url.strip_prefix("http://").unwrap();
    for pasted in [
        format!("{url}/.well-known/oauth-authorization-server"),
        format!("{url}/.well-known/openid-configuration"),
        bare.to_owned(),
    ] {
        let output = check(&[&pasted, "--json"]).await;
        assert_eq!((code(&output), &json_of(&output)["subject"]), (0, &json!(url)), "{pasted}");
    }
}

/// An issuer that answers everything in this way.
async fn issuer_that_answers(answer: axum::http::Response<axum::body::Bytes>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(async move || answer.map(axum::body::Body::from));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

#[tokio::test]
async fn an_issuer_that_answers_with_something_else_is_a_finding_and_not_unreachable() {
    let answer = axum::http::Response::builder;
    let long = axum::body::Bytes::from(vec![b' '; 1024 * 1024 + 1]);
    let rows = [
        (answer().body(long), "larger than 1048576 bytes"),
        (answer().body("<html>Sign in</html>".into()), "not JSON, but an HTML page"),
        (answer().status(404).body(axum::body::Bytes::new()), "status 404"),
    ];
    for (answer, expected) in rows {
        let output = check(&[&issuer_that_answers(answer.unwrap()).await]).await;
        assert_eq!(code(&output), 1, "{output:?}");
        assert!(text(&output).contains(expected), "{output:?}");
    }
    let output = check(&["http://127.0.0.1:1"]).await;
    assert_eq!(code(&output), 2, "{output:?}");
    let said = text(&output);
    assert!(said.contains("no connection: Connection refused"), "{said}");
    assert!(!said.contains("error sending request"), "{said}");
}

#[tokio::test]
async fn an_outage_a_firewall_and_a_redirect_are_named_and_no_fault_of_the_issuer() {
    let answer = axum::http::Response::builder;
    let page = || axum::body::Bytes::from("<html><title>Attention Required!</title></html>");
    let empty = axum::body::Bytes::new;
    let elsewhere =
        |status| answer().status(status).header("location", "https://elsewhere.invalid/");
    let rows = [
        (
            answer().status(503).body(empty()),
            "is not healthy: its metadata is answered with status 503",
        ),
        (
            answer().status(500).body(page()),
            "is not healthy: its metadata is answered with status 500",
        ),
        (answer().status(429).body(empty()), "status 429: it is asked too often"),
        (answer().status(403).body(page()), "cannot be asked: a firewall, proxy"),
        (answer().status(401).body(empty()), "cannot be asked: a firewall, proxy"),
        (
            elsewhere(302).body(empty()),
            "has moved, or its metadata is elsewhere: redirected to another origin",
        ),
        (
            elsewhere(308).body(empty()),
            "has moved, or its metadata is elsewhere: redirected to another origin",
        ),
    ];
    for (answer, expected) in rows {
        let url = issuer_that_answers(answer.unwrap()).await;
        let output = check(&[&url]).await;
        let first = text(&output).lines().next().unwrap().to_owned();
        assert_eq!(code(&output), 2, "{output:?}");
        assert!(first.starts_with(&url) && first.contains(expected), "{first}");
        assert!(!text(&output).contains("not fit"), "{output:?}");
        let programs = check(&[&url, "--json"]).await;
        let report = json_of(&programs);
        assert_eq!((code(&programs), &report["checked"]), (2, &json!(false)));
        assert_eq!(report["verdict"], first);
        assert_ne!(report["issuer"]["places"], json!([]));
    }
}

#[tokio::test]
async fn a_place_that_is_in_trouble_beside_places_without_a_document_leaves_it_open() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new()
        .route("/.well-known/openid-configuration", get(async || StatusCode::BAD_GATEWAY))
        .fallback(async || StatusCode::NOT_FOUND);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let output = check(&[&url]).await;
    assert_eq!(code(&output), 2, "{output:?}");
    assert!(text(&output).contains("is not healthy"), "{output:?}");
}

#[tokio::test]
async fn a_fault_that_is_required_is_in_every_verdict() {
    let url = issuer_with_keys(200, "{\"keys\": []}").await;
    let report = json_of(&check(&[&url, "--json"]).await);
    for revision in report["revisions"].as_array().unwrap() {
        assert_eq!(revision["verdict"], "fail", "{revision}");
        let because = revision["because"].as_array().unwrap();
        assert!(because.contains(&json!("keys")), "{revision}");
    }
}

#[tokio::test]
async fn keys_that_are_garbage_fail() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let metadata = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") }).to_string();
    let keys = r#"{"keys":[{"kty":"RSA","kid":"\u001b[31mred","n":"AQAB","e":"AQAB"}]}"#;
    let app = Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/keys", get(keys));
    tokio::spawn(async { axum::serve(listener, app).await });
    let output = check(&[&issuer]).await;
    let text = text(&output);
    assert_eq!(code(&output), 1);
    assert!(text.contains("FAIL  keys") && text.contains("2048 to 8192 bits"), "{text}");
    assert!(!text.contains('\u{1b}'), "what a stranger wrote is harmless: {text}");
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_not_judged() {
    let issuer = DevIssuer::start().await.unwrap();
    issuer.set_mode(Mode::Offline);
    let output = check(&[issuer.issuer()]).await;
    assert_eq!(code(&output), 2, "{output:?}");
    let first = text(&output).lines().next().unwrap().to_owned();
    assert!(first.starts_with(&format!("{} cannot be reached: ", issuer.issuer())), "{first}");
    let rows =
        [("ftp://as.example", "must be an absolute URL"), ("http://as.example", "--allow-http")];
    for (url, part) in rows {
        let output = check(&[url]).await;
        let error = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(code(&output), 2, "{url}: {error}");
        assert!(error.contains(part) && text(&output).is_empty(), "{error}");
    }
}
