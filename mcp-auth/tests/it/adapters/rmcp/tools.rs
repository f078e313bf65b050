//! What a router says of its tools is known before anybody asks for their list.

use axum::http::Request;
use futures_util::FutureExt as _;
use mcp_auth::decision::Decision;
use mcp_auth::policy::Requirement;
use mcp_auth::{Config, McpAuth, ScopePolicy};
use rmcp::model::Tool;
use serde_json::json;

/// The status of a call of `sql`, as far as the library decides it, with this `Mcp-Param-Region`.
fn status(auth: &McpAuth, header: Option<&str>) -> u16 {
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "sql");
    if let Some(value) = header {
        request = request.header("mcp-param-region", value);
    }
    let head = request.body(()).unwrap().into_parts().0;
    let params = json!({ "name": "sql", "arguments": { "region": "eu" } });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let Some(Decision::ReadBody(pending)) = auth.decide(&head).now_or_never() else {
        panic!("the body decides");
    };
    match pending.decide(&head, body.to_string().as_bytes()).now_or_never() {
        Some(Decision::Forward(_)) => 200,
        Some(Decision::Reply(reply)) => reply.status.as_u16(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_arguments_that_a_routers_tools_have_repeated_are_compared_before_the_first_list() {
    let mut config = Config::new("https://mcp.example.com/mcp", "https://as.example").unwrap();
    let policy = ScopePolicy::new().require_for_tool("sql", Requirement::public());
    config.resources[0].policy = Some(policy);
    let auth = McpAuth::new(config).unwrap();
    assert_eq!(status(&auth, None), 200, "nobody has said anything of the tool");

    let region = json!({ "type": "string", "x-mcp-header": "Region" });
    let schema = json!({ "type": "object", "properties": { "region": region } });
    let tool = Tool::new("sql", "queries", schema.as_object().unwrap().clone());
    assert!(auth.know_tools("/mcp", &[tool]));
    assert_eq!(status(&auth, Some("eu")), 200);
    assert_eq!(status(&auth, Some("us")), 400);
    assert_eq!(status(&auth, None), 400);
}
