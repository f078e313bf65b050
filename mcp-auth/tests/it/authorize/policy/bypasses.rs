//! Ways around a policy that were found in the field, here and in other projects.

use mcp_auth::ScopePolicy;
use serde_json::{Value, json};

use super::{PolicyServer, REVISIONS, message, tool_call};

fn policy() -> ScopePolicy {
    ScopePolicy::new()
        .require(["mcp"])
        .require_for_tool("read_note", ["notes:read"])
        .require_for_tool("delete_note", ["notes:write"])
        .require_for_resource("notes://public/*", ["notes:read"])
        .require_for_resource("notes://private/{id}", ["notes:write"])
        .deny_undeclared()
}

/// Nothing but what the token is good for may run: it has `notes:read`.
async fn must_not_run(server: &PolicyServer, headers: &[(&str, &str)], body: &str) {
    let token = server.mint("mcp notes:read").sign();
    let (answer, ran) = server.post(Some(&token), headers, body.to_owned()).await;
    assert!(ran.is_empty(), "{headers:?} {body}: {ran:?}");
    assert!(matches!(answer.status.as_u16(), 400 | 403), "{headers:?} {body}: {answer:?}");
}

#[tokio::test]
async fn what_the_token_is_good_for_runs() {
    let server = PolicyServer::start(policy()).await;
    let token = server.mint("mcp notes:read").sign();
    for body in [
        tool_call("read_note"),
        message("resources/read", json!({ "uri": "notes://public/a/b%20c" })),
        message("initialize", json!({})),
        message("tools/list", json!({})),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 3, "result": { "action": "accept" } }),
    ] {
        let (answer, ran) = server.post(Some(&token), &[], body.to_string()).await;
        assert_eq!((answer.status.as_u16(), ran.len()), (200, 1), "{body}");
    }
}

#[tokio::test]
async fn headers_are_not_believed() {
    let server = PolicyServer::start(policy()).await;
    let body = tool_call("delete_note").to_string();
    for revision in REVISIONS {
        for lie in [
            vec![("mcp-method", "tools/list")],
            vec![("mcp-method", "tools/call"), ("mcp-name", "read_note")],
            vec![("mcp-name", "=?base64?cmVhZF9ub3Rl?=")],
            vec![("mcp-method", "tools/list"), ("mcp-method", "tools/call")],
        ] {
            let mut headers = lie;
            if !revision.is_empty() {
                headers.push(("mcp-protocol-version", revision));
            }
            must_not_run(&server, &headers, &body).await;
        }
        must_not_run(&server, &[("mcp-protocol-version", revision)], &body).await;
    }
    let mut said = tool_call("read_note");
    said["params"]["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    must_not_run(&server, &[("mcp-protocol-version", "2025-11-25")], &said.to_string()).await;
    let twice = [("mcp-protocol-version", "2025-11-25"), ("mcp-protocol-version", "2025-03-26")];
    must_not_run(&server, &twice, &tool_call("read_note").to_string()).await;
}

#[tokio::test]
async fn a_member_that_is_there_twice_is_refused() {
    let server = PolicyServer::start(policy()).await;
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","name":"delete_note"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","n\u0061me":"delete_note"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"delete_note"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note"},"params":{"name":"delete_note"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","arguments":{"a":1,"a":2}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","arguments":{"o":[{"a":1,"a":2}]}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"read_note"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{"name":"read_note"}}"#,
    ] {
        must_not_run(&server, &[], body).await;
    }
}

#[tokio::test]
async fn other_spellings_are_other_names() {
    let server = PolicyServer::start(policy()).await;
    for method in [
        "Tools/Call",
        "tools/call ",
        " tools/call",
        "tools/call\u{0}",
        "tools∕call",
        "tools/cаll",
        "",
        "TOOLS/CALL\n",
    ] {
        must_not_run(&server, &[], &message(method, json!({ "name": "delete_note" })).to_string())
            .await;
        must_not_run(&server, &[], &message(method, json!({ "name": "read_note" })).to_string())
            .await;
    }
    for name in [
        "Delete_Note",
        "delete_note ",
        "\tdelete_note",
        "dеlete_note",
        "delete\u{200b}_note",
        "read_note\u{0}",
        "",
    ] {
        must_not_run(&server, &[], &tool_call(name).to_string()).await;
    }
    for params in [
        json!({ "name": ["read_note"] }),
        json!({ "name": null }),
        json!([]),
        json!("read_note"),
        json!({}),
        json!({ "Name": "read_note" }),
        json!({ "name": "read_note", "arguments": [] }),
    ] {
        must_not_run(&server, &[], &message("tools/call", params).to_string()).await;
    }
}

#[tokio::test]
async fn a_call_hidden_in_something_else_is_not_carried_out() {
    let server = PolicyServer::start(policy()).await;
    let hidden = tool_call("delete_note");
    for body in [
        json!([tool_call("read_note"), hidden]),
        json!([[hidden]]),
        json!([]),
        json!({ "jsonrpc": "2.0", "method": "tools/call", "params": { "name": "delete_note" } }),
        json!({ "jsonrpc": "2.0", "id": null, "method": "tools/call", "params": { "name": "delete_note" } }),
        message("vendor/forward", hidden.clone()),
        message(
            "vendor/forward",
            json!({ "method": "tools/call", "params": { "name": "delete_note" } }),
        ),
        // An object written as the list of its values.
        json!([["2.0", 1, "tools/call", { "name": "read_note" }, null, null]]),
        message("tools/call", json!(["read_note", null, null, null, {}, null])),
        message("tools/call", json!({ "name": "read_note", "_meta": ["2026-07-28"] })),
        message(
            "completion/complete",
            json!({ "ref": ["ref/resource", null, "notes://public/1"] }),
        ),
        json!({ "jsonrpc": "1.0", "id": 1, "method": "tools/call", "params": { "name": "read_note" } }),
        json!({ "id": 1, "method": "tools/call", "params": { "name": "read_note" } }),
        json!({ "jsonrpc": "2.0", "id": 1 }),
        Value::Null,
    ] {
        must_not_run(&server, &[], &body.to_string()).await;
    }
    let utf16: Vec<u8> = hidden.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let token = server.mint("mcp notes:read").sign();
    let (answer, ran) = server.post(Some(&token), &[], utf16).await;
    assert_eq!((answer.status.as_u16(), ran.len()), (400, 0));
}

#[tokio::test]
async fn a_uri_that_can_be_read_in_two_ways_is_forbidden() {
    let server = PolicyServer::start(policy()).await;
    for uri in [
        "notes://public/../private/7",
        "notes://public/%2e%2e/private/7",
        "notes://public/..%2Fprivate/7",
        "notes://public\\..\\private/7",
        "notes://public/.%2e/private/7",
        "notes://private/7",
        "NOTES://PRIVATE/7",
        "notes://%70rivate/7",
        "notes://other/7",
    ] {
        for method in ["resources/read", "resources/subscribe"] {
            must_not_run(&server, &[], &message(method, json!({ "uri": uri })).to_string()).await;
        }
        let reference = json!({ "ref": { "type": "ref/resource", "uri": uri } });
        must_not_run(&server, &[], &message("completion/complete", reference).to_string()).await;
    }
}

#[tokio::test]
async fn methods_without_a_body_do_nothing_that_a_policy_names() {
    let server = PolicyServer::start(policy()).await;
    let token = server.mint("other").sign();
    let rows =
        [("GET", 403), ("DELETE", 403), ("HEAD", 403), ("PUT", 405), ("PATCH", 405), ("X", 405)];
    for (method, status) in rows {
        let mut request = crate::support::request(
            method,
            "/mcp",
            &[("authorization", &format!("Bearer {token}"))],
        );
        *request.body_mut() = tool_call("delete_note").to_string().into();
        let answer = server.harness.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{method}");
    }
}

/// Readers that look at no letter case (Go's, and those of .NET) take the last of these.
#[tokio::test]
async fn a_member_in_other_letters_names_nothing_else() {
    let server = PolicyServer::start(policy()).await;
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"delete_note"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","Name":"delete_note"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note"},"PARAMS":{"name":"delete_note"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_note","Arguments":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"notes://public/a","Uri":"notes://private/a"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"notes://public/a","URI":"notes://private/a"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"ResourceSubscriptions":["notes://private/a"]}}}"#,
        r#"{"jsonrpc":"2.0","ID":1,"method":"tools/call","params":{"name":"read_note"}}"#,
    ] {
        must_not_run(&server, &[], body).await;
        must_not_run(&server, &[], &format!("[{body}]")).await;
    }
}
