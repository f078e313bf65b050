//! Operations that need no token, beside others that do.

use dev_issuer::Mode;
use mcp_auth::ScopePolicy;
use mcp_auth::policy::Requirement;
use serde_json::json;

use super::{PolicyServer, message, tool_call};

fn policy() -> ScopePolicy {
    ScopePolicy::new()
        .require(["mcp"])
        .require_for_tool("about", Requirement::public())
        .require_for_tool("search", Requirement::optional())
        .require_for_tool("delete", ["notes:write"])
}

#[tokio::test]
async fn public_and_optional_tools_need_no_token() {
    let server = PolicyServer::start(policy()).await;
    let good = server.mint("none").sign();
    let bad = format!("{good}x");
    let expired = server.mint("mcp").expires_in(-3600).sign();
    let rows = [
        ("about", None, Some("tools/call about for nobody")),
        ("about", Some(&good), Some("tools/call about for nobody")),
        ("about", Some(&bad), Some("tools/call about for nobody")),
        ("search", None, Some("tools/call search for nobody")),
        ("search", Some(&good), Some("tools/call search for alice")),
        ("search", Some(&bad), None),
        ("search", Some(&expired), None),
        ("delete", None, None),
        ("delete", Some(&bad), None),
    ];
    for (tool, token, expected) in rows {
        let token = token.map(String::as_str);
        let (answer, ran) = server.post(token, &[], tool_call(tool).to_string()).await;
        assert_eq!(ran.first().map(String::as_str), expected, "{tool} {}", token.is_some());
        let status = if expected.is_some() { 200 } else { 401 };
        assert_eq!(answer.status.as_u16(), status);
    }
}

#[tokio::test]
async fn whoever_has_no_token_is_told_what_to_ask_for() {
    let server = PolicyServer::start(policy()).await;
    let (answer, _) = server.post(None, &[], tool_call("delete").to_string()).await;
    assert_eq!(answer.code(), "missing_token");
    let challenge = answer.challenge().unwrap();
    assert!(challenge.contains("scope=\"mcp notes:write\""), "{challenge}");
    assert!(!challenge.contains("error="), "{challenge}");
}

#[tokio::test]
async fn a_client_without_a_token_can_open_a_connection_but_has_no_stream() {
    let server = PolicyServer::start(policy()).await;
    let started = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
    let (answer, ran) = server.post(None, &[], started).await;
    assert_eq!((answer.status.as_u16(), ran.len()), (200, 1));
    for method in ["initialize", "ping", "tools/list", "server/discover"] {
        let (answer, ran) = server.post(None, &[], message(method, json!({})).to_string()).await;
        assert_eq!((answer.status.as_u16(), ran.len()), (200, 1), "{method}");
    }
    // With an `id` it is a request, whatever it is called.
    for method in ["tasks/get", "resources/read", "notifications/initialized"] {
        let params = json!({ "uri": "notes://1", "taskId": "1" });
        let (answer, ran) = server.post(None, &[], message(method, params).to_string()).await;
        assert_eq!((answer.status.as_u16(), ran.len()), (401, 0), "{method}");
    }
    for method in ["GET", "DELETE"] {
        let answer = server.harness.send(crate::support::request(method, "/mcp", &[])).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("allow")),
            (405, Some("POST")),
            "{method}"
        );
    }
    let batch = json!([tool_call("about"), tool_call("delete")]).to_string();
    let (answer, ran) = server.post(None, &[], batch).await;
    assert_eq!((answer.status.as_u16(), ran.len()), (401, 0));
    let answers_the_server = json!({ "jsonrpc": "2.0", "id": 1, "result": {} }).to_string();
    let (answer, ran) = server.post(None, &[], answers_the_server).await;
    assert_eq!((answer.status.as_u16(), ran.len()), (401, 0));
}

#[tokio::test]
async fn without_such_a_rule_nobody_gets_as_far_as_the_body() {
    let server = PolicyServer::start(ScopePolicy::new().require_for_tool("delete", ["a"])).await;
    let (answer, ran) = server.post(None, &[], "not JSON").await;
    assert_eq!((answer.status.as_u16(), ran.len()), (401, 0));
}

/// Sends a body whose length is announced, as every client does.
async fn send(server: &PolicyServer, token: &str, body: &str) -> (u16, usize) {
    let headers = [("content-length", &*body.len().to_string())];
    let (answer, ran) = server.post(Some(token), &headers, body.to_owned()).await;
    (answer.status.as_u16(), ran.len())
}

/// Nobody is asked about a token that does not matter; the test would wait if the issuer were asked.
#[tokio::test]
async fn a_public_call_looks_at_no_token() {
    let server = PolicyServer::start(policy()).await;
    let good = server.mint("mcp").sign();
    server.harness.issuer.set_mode(Mode::Hang);
    let about = tool_call("about").to_string();
    for token in [&*good, "garbage", "a.b.c", &server.mint("mcp").expires_in(-600).sign()] {
        assert_eq!(send(&server, token, &about).await, (200, 1), "{token}");
    }
    assert_eq!(server.harness.issuer.requests(), Default::default(), "nobody was asked");

    server.harness.issuer.set_mode(Mode::Offline);
    for body in [tool_call("delete"), tool_call("search"), message("initialize", json!({}))] {
        assert_eq!(send(&server, &good, &body.to_string()).await, (503, 0), "{body}");
    }
    server.harness.issuer.set_mode(Mode::Online);
    server.harness.clock.advance(120);
    for (body, status) in [(tool_call("search"), 200), (tool_call("delete"), 403)] {
        assert_eq!(send(&server, &good, &body.to_string()).await.0, status, "{body}");
    }
    for body in [tool_call("delete"), tool_call("search"), message("tools/list", json!({}))] {
        assert_eq!(send(&server, "a.b.c", &body.to_string()).await, (401, 0), "{body}");
    }
}
