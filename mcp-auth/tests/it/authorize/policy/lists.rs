//! Lists show what the same policy lets their reader call.

use mcp_auth::ScopePolicy;
use mcp_auth::policy::Requirement;
use serde_json::{Value, json};

use super::{PolicyServer, message};

fn policy() -> ScopePolicy {
    let admin = || Requirement::default().roles(["admin"]);
    ScopePolicy::new()
        .require_for_tool("open", ["notes:read"])
        .require_for_tool("unlockable", ["notes:write"])
        .require_for_tool("admin", admin())
        .require_for_prompt("open", ["notes:read"])
        .require_for_prompt("admin", admin())
        .require_for_resource("notes://open/*", ["notes:read"])
        .require_for_resource("notes://admin/*", admin())
}

fn listing(message: &Value) -> Value {
    let named = |member: &str, items: [&str; 4]| {
        let items: Vec<_> =
            items.iter().map(|item| json!({ member: item, "title": 1e2 })).collect();
        json!(items)
    };
    let tools = named("name", ["open", "unlockable", "admin", "undeclared"]);
    match message["method"].as_str().unwrap() {
        "tools/list" => json!({ "tools": tools, "nextCursor": "2", "ttlMs": 1 }),
        "prompts/list" => json!({ "prompts": tools }),
        "resources/list" => {
            json!({ "resources": named("uri", ["notes://open/1", "notes://admin/1", "notes://open/../admin/1", "other:x"]) })
        }
        "resources/templates/list" => {
            json!({ "resourceTemplates": named("uriTemplate", ["notes://open/{id}", "notes://admin/{id}", "notes://{+all}", "o:{x}"]) })
        }
        // Not a list, whatever it looks like.
        _ => json!({ "tools": tools }),
    }
}

async fn server(policy: ScopePolicy) -> PolicyServer {
    PolicyServer::answering(policy, |config| config, |builder| builder, listing).await
}

/// The names in the list that this token gets, whatever form the answer has.
async fn list(server: &PolicyServer, token: Option<&str>, method: &str) -> Vec<String> {
    let member = match method {
        "resources/list" => "uri",
        "resources/templates/list" => "uriTemplate",
        _ => "name",
    };
    let mut seen = Vec::new();
    for accept in ["application/json", "text/event-stream"] {
        let headers = [("accept", accept), ("accept-encoding", "gzip")];
        let (answer, _) =
            server.post(token, &headers, message(method, json!({})).to_string()).await;
        let text = std::str::from_utf8(&answer.body).unwrap();
        let document: Value = match accept {
            "text/event-stream" => {
                assert!(
                    text.starts_with("id: 0\nretry: 3000\n\nevent: message\ndata: {"),
                    "{text}"
                );
                serde_json::from_str(text.split("data: ").nth(1).unwrap()).unwrap()
            }
            _ => answer.json(),
        };
        let result = document["result"].as_object().unwrap();
        let items = result.values().find_map(Value::as_array).unwrap();
        seen.push(items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect());
    }
    let [first, second]: [Vec<String>; 2] = seen.try_into().unwrap();
    assert_eq!(first, second);
    first
}

#[tokio::test]
async fn forbidden_items_are_hidden_and_unlockable_ones_shown() {
    let server = server(policy()).await;
    let user = server.mint("notes:read").sign();
    let admin = server.mint("notes:read").claim("roles", "admin").sign();
    let rows = [
        ("tools/list", &user, vec!["open", "unlockable", "undeclared"]),
        ("tools/list", &admin, vec!["open", "unlockable", "admin", "undeclared"]),
        ("prompts/list", &user, vec!["open", "unlockable", "undeclared"]),
        ("resources/list", &user, vec!["notes://open/1", "other:x"]),
        ("resources/list", &admin, vec!["notes://open/1", "notes://admin/1", "other:x"]),
        ("resources/templates/list", &user, vec!["notes://open/{id}", "notes://{+all}", "o:{x}"]),
    ];
    for (method, token, expected) in rows {
        assert_eq!(list(&server, Some(token), method).await, expected, "{method}");
    }
}

#[tokio::test]
async fn strict_lists_and_undeclared_items() {
    let server = server(policy().strict_lists().deny_undeclared()).await;
    let user = server.mint("notes:read").sign();
    assert_eq!(list(&server, Some(&user), "tools/list").await, ["open"]);
    assert_eq!(list(&server, Some(&user), "prompts/list").await, ["open"]);
    assert_eq!(list(&server, Some(&user), "resources/list").await, ["notes://open/1"]);
}

#[tokio::test]
async fn whoever_has_no_token_sees_what_needs_none_and_what_a_token_could_unlock() {
    let open = || policy().require_for_tool("open", Requirement::public());
    let shown = server(open()).await;
    // Not what is for admins: nobody sees no more than somebody.
    let tools = ["open", "unlockable", "undeclared"];
    assert_eq!(list(&shown, None, "tools/list").await, tools);
    let strict = server(open().strict_lists()).await;
    assert_eq!(list(&strict, None, "tools/list").await, ["open"]);
}

#[tokio::test]
async fn lists_that_a_policy_governs_are_private() {
    let server = server(policy()).await;
    let token = server.mint("notes:read").sign();
    for (headers, method, expected) in [
        // It says how long it may be kept.
        (vec![], "tools/list", Some("private")),
        (vec![], "prompts/list", None),
        (vec![("mcp-protocol-version", "2025-11-25")], "prompts/list", None),
        (
            vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", "prompts/list")],
            "prompts/list",
            Some("private"),
        ),
    ] {
        let (answer, _) =
            server.post(Some(&token), &headers, message(method, json!({})).to_string()).await;
        assert_eq!(
            answer.json()["result"]["cacheScope"].as_str(),
            expected,
            "{headers:?} {method}"
        );
    }
}

/// Whatever says how long it may be kept is its caller's, unless anybody may have it.
#[tokio::test]
async fn results_that_a_policy_governs_are_private() {
    let open = || policy().require_for_resource("notes://free", Requirement::public());
    let answer = |message: &Value| message["params"]["says"].clone();
    let server = PolicyServer::answering(open(), |config| config, |builder| builder, answer).await;
    let token = server.mint("notes:read").sign();
    let public = json!({ "contents": [], "ttlMs": 5, "cacheScope": "public" });
    let kept = json!({ "contents": [{ "text": "x" }], "ttlMs": 5 });
    let plain = json!({ "contents": [] });
    let read = "resources/read";
    let rows = [
        (read, "notes://open/1", &public, Some("private"), Some("private")),
        (read, "notes://open/1", &kept, Some("private"), Some("private")),
        (read, "notes://open/1", &plain, None, Some("private")),
        (read, "notes://free", &public, Some("public"), Some("public")),
        (read, "notes://free", &plain, None, None),
        ("server/discover", "", &public, Some("private"), Some("private")),
        ("server/discover", "", &plain, None, Some("private")),
        ("vendor/x", "", &public, Some("private"), Some("private")),
        ("vendor/x", "", &plain, None, None),
    ];
    for (method, uri, says, before, since) in rows {
        for (revision, expected) in [("2025-11-25", before), ("2026-07-28", since)] {
            for accept in ["application/json", "text/event-stream"] {
                let mut headers = vec![
                    ("accept", accept),
                    ("mcp-protocol-version", revision),
                    ("mcp-method", method),
                ];
                let mut params = json!({ "says": says });
                if method == read {
                    params["uri"] = json!(uri);
                    headers.push(("mcp-name", uri));
                }
                let body = message(method, params).to_string();
                let (answer, _) = server.post(Some(&token), &headers, body).await;
                let text = std::str::from_utf8(&answer.body).unwrap();
                let document = &text[text.find('{').unwrap()..];
                let document: Value = serde_json::from_str(document).unwrap();
                let scope = document["result"]["cacheScope"].as_str();
                assert_eq!(scope, expected, "{method} {uri} {says} in {revision}, {accept}");
                assert_eq!(document["result"]["contents"], says["contents"]);
            }
        }
    }
}

#[tokio::test]
async fn what_needs_no_filter_is_passed_on_byte_for_byte() {
    let server = server(policy()).await;
    let admin = server.mint("notes:read").claim("roles", json!({ "admin": {} })).sign();
    for (method, params) in [
        ("prompts/list", json!({})),
        ("tools/call", json!({ "name": "open" })),
        ("vendor/x", json!({})),
    ] {
        let body = message(method, params);
        let (answer, _) = server.post(Some(&admin), &[], body.to_string()).await;
        let sent = json!({ "jsonrpc": "2.0", "id": 7, "result": listing(&body) }).to_string();
        assert_eq!(answer.body, sent, "{method}");
    }
}

#[tokio::test]
async fn a_batch_of_lists_is_filtered_too() {
    let server = server(policy()).await;
    let token = server.mint("notes:read").sign();
    let batch = json!([message("tools/list", json!({})), message("ping", json!({}))]);
    let (answer, ran) = server.post(Some(&token), &[], batch.to_string()).await;
    assert_eq!(ran.len(), 2);
    let tools = answer.json()[0]["result"]["tools"].as_array().unwrap().len();
    assert_eq!(tools, 3);
}

/// A stream that is taken up again may repeat the answer to a list.
#[tokio::test]
async fn the_stream_of_a_session_is_filtered_too() {
    let server = PolicyServer::answering(
        policy(),
        |config| config,
        |builder| builder,
        |_| listing(&json!({ "method": "tools/list" })),
    )
    .await;
    let token = server.mint("notes:read").sign();
    let headers = [("authorization", &*format!("Bearer {token}")), ("accept", "text/event-stream")];
    let answer = server.harness.send(crate::support::request("GET", "/mcp", &headers)).await;
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.contains("\"unlockable\"") && !text.contains("\"admin\""), "{text}");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_withheld() {
    for result in [json!({ "tools": "admin" }), json!({ "tools": ["admin"] })] {
        let server = PolicyServer::answering(
            policy(),
            |config| config,
            |builder| builder,
            move |_| result.clone(),
        )
        .await;
        let token = server.mint("notes:read").sign();
        let (answer, _) =
            server.post(Some(&token), &[], message("tools/list", json!({})).to_string()).await;
        assert_eq!(answer.status.as_u16(), 500);
        assert!(!String::from_utf8_lossy(&answer.body).contains("admin"));
    }
}
