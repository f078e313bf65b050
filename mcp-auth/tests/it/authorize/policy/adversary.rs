//! What a review found: ways around a policy, refusals that hurt, and costs out of proportion.

mod answers;

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use axum::routing::any_service;
use dev_issuer::DevIssuer;
use mcp_auth::policy::{ArgumentRule, Requirement};
use mcp_auth::{AuthInfo, Config, McpAuth, Principal, ScopePolicy};
use serde_json::{Value, json};
use tower::service_fn;

use super::{PolicyServer, message, tool_call};
use crate::support::{Harness, RESOURCE, TestClock};

async fn runs(server: &PolicyServer, body: impl ToString) -> (u16, Vec<String>) {
    let token = server.mint("mcp").sign();
    let (answer, ran) = server.post(Some(&token), &[], body.to_string()).await;
    (answer.status.as_u16(), ran)
}

fn call(name: &str, arguments: Value) -> Value {
    message("tools/call", json!({ "name": name, "arguments": arguments }))
}

fn when_policy() -> ScopePolicy {
    ScopePolicy::new().require(["mcp"]).require_for_tool(
        "run",
        Requirement::default().when(ArgumentRule::new("force", ["admin"]).equals(true)),
    )
}

#[tokio::test]
async fn a_batch_of_one_hides_no_arguments() {
    let server = PolicyServer::start(when_policy()).await;
    let forced = call("run", json!({ "force": true }));
    assert_eq!(runs(&server, &forced).await.0, 403, "alone");
    let (status, ran) = runs(&server, json!([forced])).await;
    assert!(ran.is_empty(), "batch of one: {status} {ran:?}");
}

#[tokio::test]
async fn a_batch_of_one_forges_no_arguments() {
    let policy = ScopePolicy::new().require(["mcp"]).require_for_tool(
        "run",
        Requirement::default().when(ArgumentRule::new("dry_run", ["admin"]).unless(true)),
    );
    let server = PolicyServer::start(policy).await;
    let mut wet = call("run", json!({ "dry_run": false }));
    wet["arguments"] = json!({ "dry_run": true });
    assert_eq!(runs(&server, &wet).await.0, 403, "alone");
    let (status, ran) = runs(&server, json!([wet])).await;
    assert!(ran.is_empty(), "batch of one: {status} {ran:?}");
}

#[tokio::test]
async fn a_batch_of_equal_lists_is_filtered() {
    let listing = |_: &Value| json!({ "tools": [{ "name": "a" }, { "name": "hidden" }] });
    let policy =
        ScopePolicy::new().require_for_tool("hidden", Requirement::default().roles(["admin"]));
    let server = PolicyServer::answering(policy, |c| c, |b| b, listing).await;
    let token = server.mint("mcp").sign();
    let body = json!([message("tools/list", json!({})), message("tools/list", json!({}))]);
    let (answer, _) = server.post(Some(&token), &[], body.to_string()).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert!(!String::from_utf8_lossy(&answer.body).contains("hidden"));
}

fn files() -> ScopePolicy {
    ScopePolicy::new()
        .require(["mcp"])
        .require_for_resource("file:///data/*", ["mcp"])
        .require_for_resource("file:///data/private/*", ["files:private"])
        .require_for_resource("notes://private/{id}", ["notes:private"])
        .require_for_resource("notes://caf%C3%A9/*", ["notes:private"])
        .require_for_resource("notes://a/a@b/*", ["notes:private"])
        .require_for_resource("notes://é/*", ["notes:private"])
        .require_for_resource("https://h.example/private/*", ["notes:private"])
}

#[tokio::test]
async fn uris_that_mean_the_same_have_the_same_rule() {
    let server = PolicyServer::start(files()).await;
    let mut through = Vec::new();
    for uri in [
        "file:///data/private/x",
        "file:///data//private/x",
        "file:///data/x",
        "file://localhost/data/private/x",
        "file:/data/private/x",
        "notes://private/7",
        "notes://private/7?x",
        "notes://private/7#x",
        "notes://private/7/",
        "notes:///private/7",
        "notes://caf%c3%a9/1",
        "notes://caf%C3%A9/1",
        "notes://caf\u{e9}/1",
        "notes://a%40b/1",
        "notes://a/a%40b/1",
        "notes://u@private/7",
        "notes://private:80/7",
        "notes://private:/7",
        "notes://private./7",
        "notes://%70rivate/7",
        "notes://xn--9ca/1",
        "notes:/private/7",
        "notes://%C3%A9/1",
        "https:/h.example/private/1",
        "https:h.example/private/1",
        "https:///h.example/private/1",
        "https://h.example:443/private/1",
        "https://\u{ff48}.example/private/1",
    ] {
        let (status, ran) = runs(&server, message("resources/read", json!({ "uri": uri }))).await;
        if !ran.is_empty() {
            through.push((uri, status));
        }
    }
    assert_eq!(through, [("file:///data/x", 200)]);
}

#[tokio::test]
async fn what_a_template_writes_is_admitted_by_its_rule() {
    let policy = ScopePolicy::new()
        .deny_undeclared()
        .require_for_resource("notes://u/{id}", ["mcp"])
        .require_for_resource("notes://s{?q}", ["mcp"])
        .require_for_resource("notes://u/root@example.com", ["notes:private"])
        .require_for_resource("secret/{id}", ["notes:private"]);
    let server = PolicyServer::start(policy).await;
    let mut through = Vec::new();
    for uri in [
        "notes://u/user%40example.com",
        "notes://u/a%3Ab%2Cc%2A",
        "notes://s?q=a%26b%3D%2B",
        "notes://s?q=https%3A%2F%2Fh.example%2F",
        "notes://u/root%40example.com",
        "notes://u/a%2Fb",
        "secret/a:b",
        "secret/1",
    ] {
        let (_, ran) = runs(&server, message("resources/read", json!({ "uri": uri }))).await;
        through.extend((!ran.is_empty()).then_some(uri));
    }
    assert_eq!(
        through,
        [
            "notes://u/user%40example.com",
            "notes://u/a%3Ab%2Cc%2A",
            "notes://s?q=a%26b%3D%2B",
            "notes://s?q=https%3A%2F%2Fh.example%2F",
        ]
    );
}

#[tokio::test]
async fn whatever_names_a_resource_has_its_rule() {
    let policy = ScopePolicy::new()
        .require(["mcp"])
        .require_for_resource("notes://private/*", ["notes:private"]);
    let server = PolicyServer::start(policy).await;
    let mut through = Vec::new();
    for body in [
        message("resources/read", json!({ "uri": "notes://private/7" })),
        message("resources/directory/read", json!({ "uri": "notes://private/7" })),
        message("skills/get", json!({ "uri": "notes://private/7" })),
        message(
            "subscriptions/listen",
            json!({ "notifications": { "resourceSubscriptions": ["notes://private/7"] } }),
        ),
        message(
            "completion/complete",
            json!({ "ref": { "type": "ref/resource", "uri": "notes://{team}/{id}" },
                    "argument": { "name": "id", "value": "" },
                    "context": { "arguments": { "team": "private" } } }),
        ),
    ] {
        let (_, ran) = runs(&server, &body).await;
        if !ran.is_empty() {
            through.push(body["method"].to_string());
        }
    }
    assert!(through.is_empty(), "{through:?}");
}

#[tokio::test]
async fn directories_are_filtered_as_lists() {
    let listing = |_: &Value| json!({ "resources": [{ "uri": "notes://private/7", "name": "x" }] });
    let policy = ScopePolicy::new()
        .require_for_resource("notes://private/*", Requirement::default().roles(["admin"]));
    let server = PolicyServer::answering(policy, |c| c, |b| b, listing).await;
    let token = server.mint("mcp").sign();
    let body = message("resources/directory/read", json!({ "uri": "notes://" }));
    let (answer, _) = server.post(Some(&token), &[], body.to_string()).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("private"), "{answer:?}");
}

#[tokio::test]
async fn a_rule_for_a_method_declares_no_tool() {
    let policy = ScopePolicy::new()
        .require(["mcp"])
        .require_for_method("tools/call", ["mcp"])
        .require_for_tool("known", ["mcp"])
        .deny_undeclared();
    let server = PolicyServer::start(policy).await;
    assert_eq!(runs(&server, tool_call("known")).await.0, 200);
    let (status, ran) = runs(&server, tool_call("unknown")).await;
    assert!(ran.is_empty(), "{status} {ran:?}");
}

#[tokio::test]
async fn of_tied_patterns_the_strictest_decides_access() {
    let policy = ScopePolicy::new()
        .require(["mcp"])
        .require_for_resource("notes://aa/{id}", Requirement::public())
        .require_for_resource("notes://{t}/bb", Requirement::default().roles(["admin"]));
    let server = PolicyServer::start(policy).await;
    let body = message("resources/read", json!({ "uri": "notes://aa/bb" }));
    let (answer, ran) = server.post(None, &[], body.to_string()).await;
    assert!(ran.is_empty(), "{} {ran:?}", answer.status);
}

#[tokio::test]
async fn equal_numbers_are_equal_however_written() {
    let policy = ScopePolicy::new().require(["mcp"]).require_for_tool(
        "run",
        Requirement::default().when(ArgumentRule::new("level", ["admin"]).equals(3)),
    );
    let server = PolicyServer::start(policy).await;
    let mut through = Vec::new();
    for level in ["3", "3.0", "3e0", "30e-1"] {
        let body = call("run", json!({ "level": "@" })).to_string().replace("\"@\"", level);
        if !runs(&server, body).await.1.is_empty() {
            through.push(level);
        }
    }
    assert!(through.is_empty(), "{through:?}");
}

#[tokio::test]
async fn rules_that_nobody_would_heed_are_faults() {
    let build = |policy: ScopePolicy| {
        let mut config = Config::new(RESOURCE, "https://issuer.example.com").unwrap();
        config.resources[0].policy = Some(policy);
        McpAuth::new(config).is_err()
    };
    let optional =
        ScopePolicy::new().require_for_tool("t", Requirement::optional().roles(["admin"]));
    let public = ScopePolicy::new()
        .require_for_tool("t", Requirement::public())
        .require_by_arguments("t", |_| "admin".into());
    assert_eq!([build(optional), build(public)], [true, true]);
}

#[tokio::test]
async fn put_is_not_carried_out() {
    let policy =
        ScopePolicy::new().require(["mcp"]).require_for_tool("wipe", ["admin"]).deny_undeclared();
    let server = PolicyServer::start(policy).await;
    let token = server.mint("mcp").sign();
    let mut request =
        crate::support::request("PUT", "/mcp", &[("authorization", &format!("Bearer {token}"))]);
    *request.body_mut() = tool_call("wipe").to_string().into();
    let answer = server.harness.send(request).await;
    assert_ne!(answer.status.as_u16(), 200, "{:?}", String::from_utf8_lossy(&answer.body));
}

#[tokio::test]
async fn other_charsets_and_codings_are_refused() {
    let server = PolicyServer::start(ScopePolicy::new().require_for_tool("wipe", ["admin"])).await;
    let token = server.mint("mcp").sign();
    let mut through = Vec::new();
    for header in [
        ("content-type", "application/json; charset=utf-7"),
        ("content-type", "application/json; charset=us-ascii"),
        ("content-type", "application/json; charset*=utf-7''x"),
        ("content-type", "application/json; charset=utf-8; Charset*0*=utf-7''x"),
        ("content-type", "application/json; charset =utf-7"),
        ("content-type", "application/json; charset"),
        ("content-type", "application/json; charset=utf-8; charset=utf-7"),
        ("content-type", "text/plain"),
        ("content-encoding", "br"),
    ] {
        let request = Request::post("/mcp")
            .header(header.0, header.1)
            .header("authorization", format!("Bearer {token}"))
            // UTF-7: w+AGk-pe is wipe
            .body(Body::from(tool_call("w+AGk-pe").to_string()))
            .unwrap();
        let answer = server.harness.send(request).await;
        if answer.status.as_u16() == 200 {
            through.push(header);
        }
    }
    assert!(through.is_empty(), "{through:?}");
}

#[tokio::test]
async fn a_request_called_a_notification_is_a_request() {
    let server = PolicyServer::start(
        ScopePolicy::new().require_for_tool("open", Requirement::public()).deny_undeclared(),
    )
    .await;
    let body = message("notifications/vendor/wipe", json!({}));
    let (answer, ran) = server.post(None, &[], body.to_string()).await;
    assert!(ran.is_empty(), "{} {ran:?}", answer.status);
}
