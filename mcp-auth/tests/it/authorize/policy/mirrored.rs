//! Headers that repeat what the body says: they must be there from 2026-07-28 on, and never differ.

use std::collections::BTreeMap;

use mcp_auth::{Config, ScopePolicy};
use serde_json::{Value, json};

use super::{PolicyServer, message};
use crate::support::Answer;

const MODERN: &str = "2026-07-28";

type Headers<'h> = &'h [(&'h str, &'h str)];

/// `params` that say they are of this revision.
fn of_revision(mut params: Value, revision: &str) -> Value {
    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": revision });
    params
}

/// A tool with an argument for each type, and one inside another.
fn annotated_tool(name: &str) -> Value {
    json!({ "name": name, "inputSchema": { "type": "object", "properties": {
        "region": { "type": "string", "x-mcp-header": "Region" },
        "count": { "type": "integer", "x-mcp-header": "Count" },
        "dry": { "type": "boolean", "x-mcp-header": "Dry" },
        "options": { "type": "object", "properties": {
            "tenant": { "type": "string", "x-mcp-header": "Tenant" },
        } },
        "query": { "type": "string" },
    } } })
}

/// A server that lists what its client names in `cursor`, and whose other methods answer with what they are sent.
async fn server(configure: impl FnOnce(Config) -> Config) -> PolicyServer {
    let policy = ScopePolicy::new().require(["mcp"]).require_for_tool("admin", ["admin"]);
    PolicyServer::answering(
        policy,
        configure,
        |builder| builder,
        |message| {
            let sql = annotated_tool("sql");
            match (message["method"].as_str(), message["params"]["cursor"].as_str()) {
                (Some("tools/list"), None) => json!({ "tools": [sql, annotated_tool("admin")] }),
                (Some("tools/list"), Some("another caller's")) => json!({ "tools": [] }),
                (Some("tools/list"), Some("invalid")) => {
                    json!({ "tools": [{ "name": "sql", "inputSchema": {
                "properties": { "region": { "type": "number", "x-mcp-header": "Region" } },
            } }] })
                }
                (Some("tools/list"), _) => {
                    json!({ "tools": [{ "name": "sql", "inputSchema": {} }] })
                }
                _ => message["params"]["echo"].clone(),
            }
        },
    )
    .await
}

async fn list(server: &PolicyServer, cursor: Option<&str>) {
    let params = cursor.map_or(json!({}), |cursor| json!({ "cursor": cursor }));
    let body = message("tools/list", params).to_string();
    let token = server.mint("mcp").sign();
    let (answer, _) = server.post(Some(&token), &[], body).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
}

/// Calls `sql` with these arguments, and these headers besides those that every call has.
async fn call(server: &PolicyServer, arguments: &Value, more: &[(&str, &str)]) -> Answer {
    let body = message("tools/call", json!({ "name": "sql", "arguments": arguments }));
    let headers =
        [("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "sql")];
    let headers = [&headers, more].concat();
    let token = server.mint("mcp").sign();
    let (answer, ran) = server.post(Some(&token), &headers, body.to_string()).await;
    assert_eq!(answer.error.is_some(), ran.is_empty(), "{ran:?}");
    if answer.error.is_some() {
        let seen = (answer.status.as_u16(), answer.json()["error"]["code"].clone());
        assert_eq!((seen, answer.code()), ((400, json!(-32020)), "header_mismatch"));
    }
    answer
}

async fn is_carried_out(server: &PolicyServer, arguments: &Value, more: &[(&str, &str)]) -> bool {
    call(server, arguments, more).await.error.is_none()
}

#[tokio::test]
async fn arguments_are_compared_with_the_headers_that_repeat_them() {
    let server = server(|config| config).await;
    list(&server, None).await;
    let region = "mcp-param-region";
    let text = json!({ "region": "eu", "query": "x" });
    let rows: [(Value, Headers<'_>, bool); 34] = [
        (text.clone(), &[(region, "eu")], true),
        (text.clone(), &[("MCP-Param-REGION", "eu")], true),
        (text.clone(), &[(region, "=?base64?ZXU=?=")], true),
        (text.clone(), &[], false),
        (text.clone(), &[(region, "us")], false),
        (text.clone(), &[(region, "EU")], false),
        (text.clone(), &[(region, "")], false),
        (text.clone(), &[(region, "eu"), (region, "eu")], false),
        (text.clone(), &[(region, "=?base64?dXM=?=")], false),
        (text.clone(), &[(region, "=?base64?ZXU?=")], false),
        (text.clone(), &[(region, "=?base64?!?=")], false),
        (text.clone(), &[(region, "=?BASE64?ZXU=?=")], false),
        (text.clone(), &[(region, "=?base64?/w==?=")], false),
        (json!({ "region": "=?base64?ZXU=?=" }), &[(region, "=?base64?ZXU=?=")], false),
        (json!({ "region": " eu " }), &[(region, "=?base64?IGV1IA==?=")], true),
        (json!({ "region": "é" }), &[(region, "=?base64?w6k=?=")], true),
        (json!({ "region": "" }), &[(region, "")], true),
        (json!({ "region": "" }), &[], false),
        (json!({ "region": null }), &[], true),
        (json!({ "region": null }), &[(region, "null")], false),
        (json!({}), &[], true),
        (json!({}), &[(region, "eu")], false),
        (json!({ "region": ["eu"] }), &[(region, "eu")], false),
        (json!({ "count": 42 }), &[("mcp-param-count", "42")], true),
        (json!({ "count": 42 }), &[("mcp-param-count", "42.0")], true),
        (json!({ "count": 42.0 }), &[("mcp-param-count", "42")], true),
        (json!({ "count": 42 }), &[("mcp-param-count", "43")], false),
        (json!({ "count": 42 }), &[("mcp-param-count", "forty-two")], false),
        (
            json!({ "count": 9_007_199_254_740_993_i64 }),
            &[("mcp-param-count", "9007199254740992")],
            false,
        ),
        (json!({ "dry": true }), &[("mcp-param-dry", "true")], true),
        (json!({ "dry": true }), &[("mcp-param-dry", "True")], false),
        (json!({ "options": { "tenant": "a" } }), &[("mcp-param-tenant", "a")], true),
        (json!({ "options": { "tenant": "a" } }), &[("mcp-param-tenant", "b")], false),
        // No annotation names it.
        (json!({ "query": "x" }), &[("mcp-param-query", "y"), ("mcp-param-other", "z")], true),
    ];
    for (arguments, headers, expected) in rows {
        let outcome = is_carried_out(&server, &arguments, headers).await;
        assert_eq!(outcome, expected, "{arguments} {headers:?}");
    }
}

#[tokio::test]
async fn older_revisions_need_no_headers_and_may_not_contradict_either() {
    let server = server(|config| config).await;
    list(&server, None).await;
    let body = message("tools/call", json!({ "name": "sql", "arguments": { "region": "eu" } }));
    let token = server.mint("mcp").sign();
    for revision in ["", "2025-03-26", "2025-11-25"] {
        for (header, expected) in [(None, 200), (Some("eu"), 200), (Some("us"), 400)] {
            let version = ("mcp-protocol-version", revision);
            let mut headers = vec![version; usize::from(!revision.is_empty())];
            headers.extend(header.map(|value| ("mcp-param-region", value)));
            let (answer, _) = server.post(Some(&token), &headers, body.to_string()).await;
            assert_eq!(answer.status.as_u16(), expected, "{headers:?}");
        }
    }
    let batch = json!([message("ping", json!({})), body]).to_string();
    let (answer, ran) = server.post(Some(&token), &[("mcp-param-region", "us")], batch).await;
    assert_eq!((answer.code(), ran.len()), ("header_mismatch", 0));
}

#[tokio::test]
async fn nothing_is_compared_before_the_first_list_and_a_list_of_others_takes_nothing_away() {
    let server = server(|config| config).await;
    let arguments = json!({ "region": "eu" });
    assert!(is_carried_out(&server, &arguments, &[]).await, "nobody has listed the tools yet");
    list(&server, None).await;
    assert!(!is_carried_out(&server, &arguments, &[]).await);
    list(&server, Some("another caller's")).await;
    assert!(!is_carried_out(&server, &arguments, &[]).await, "a list without it says nothing");
    list(&server, Some("changed")).await;
    assert!(is_carried_out(&server, &arguments, &[]).await, "the tool has no annotation any more");
    list(&server, None).await;
    list(&server, Some("invalid")).await;
    assert!(is_carried_out(&server, &arguments, &[]).await, "clients leave the tool out");
    list(&server, None).await;
    assert!(!is_carried_out(&server, &arguments, &[]).await);
}

/// What a client has sent is no list, whoever says so.
#[tokio::test]
async fn a_client_cannot_choose_what_is_learnt() {
    let server = server(|config| config).await;
    let echo = json!({ "tools": [annotated_tool("sql")] });
    let token = server.mint("mcp").sign();
    let own = message("vendor/echo", json!({ "echo": echo }));
    let mut of_list = message("vendor/echo", json!({ "echo": echo, "method": "tools/list" }));
    of_list["id"] = json!(1);
    let batch = json!([message("tools/list", json!({ "cursor": "another caller's" })), own]);
    for body in [own.to_string(), of_list.to_string(), batch.to_string()] {
        server.post(Some(&token), &[], body).await;
        assert!(is_carried_out(&server, &json!({ "region": "eu" }), &[]).await);
    }
    list(&server, None).await;
    let without = message(
        "vendor/echo",
        json!({ "echo": { "tools": [{ "name": "sql" , "inputSchema": {} }] } }),
    );
    server.post(Some(&token), &[], without.to_string()).await;
    assert!(!is_carried_out(&server, &json!({ "region": "eu" }), &[]).await);
}

#[tokio::test]
async fn what_is_configured_counts_from_the_start_and_no_list_changes_it() {
    let server = server(|mut config| {
        let headers = BTreeMap::from([("Query".to_owned(), "query".to_owned())]);
        config.resources[0].mirrored_arguments.insert("sql".to_owned(), headers);
        config
    })
    .await;
    for _ in 0..2 {
        assert!(!is_carried_out(&server, &json!({ "query": "x" }), &[]).await);
        assert!(
            is_carried_out(&server, &json!({ "query": "x" }), &[("mcp-param-query", "x")]).await
        );
        assert!(is_carried_out(&server, &json!({ "region": "eu" }), &[]).await);
        list(&server, None).await;
    }
}

#[tokio::test]
async fn what_nobody_could_send_is_a_fault_of_the_configuration() {
    let mut config = Config::new(crate::support::RESOURCE, "https://as.example").unwrap();
    let headers = [("a b", "x"), ("Same", "x"), ("sAME", "x"), ("Empty", ""), ("Pointer", "/~2")];
    let headers = headers.map(|(name, argument)| (name.to_owned(), argument.to_owned()));
    config.resources[0].mirrored_arguments.insert("sql".to_owned(), headers.into());
    let faults = mcp_auth::McpAuth::new(config).unwrap_err().faults;
    let place = "resources[0].mirrored_arguments.sql";
    let expected = [
        format!("{place}.Empty: \"\" is no argument and no JSON Pointer"),
        format!("{place}.Pointer: \"/~2\" is no argument and no JSON Pointer"),
        format!("{place}: \"a b\" is not the name of a header"),
        format!("{place}: \"sAME\" is there twice: case does not count"),
    ];
    let mut found: Vec<_> = faults.iter().map(ToString::to_string).collect();
    found.sort();
    assert_eq!(found, expected);
}

/// Whoever may not call a tool is told that, and nothing of its arguments.
#[tokio::test]
async fn rules_come_before_headers() {
    let server = server(|config| config).await;
    list(&server, None).await;
    let body = message("tools/call", json!({ "name": "admin", "arguments": { "region": "eu" } }));
    let headers =
        [("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "admin")];
    let token = server.mint("mcp").sign();
    let (answer, _) = server.post(Some(&token), &headers, body.to_string()).await;
    assert_eq!(answer.code(), "insufficient_scope");
    let admin = server.mint("mcp admin").sign();
    let (answer, _) = server.post(Some(&admin), &headers, body.to_string()).await;
    assert_eq!(answer.code(), "header_mismatch");
}

#[tokio::test]
async fn a_header_that_is_missing_is_a_failure_from_2026_07_28_on() {
    let server = server(|config| config).await;
    let token = server.mint("mcp").sign();
    let calls = [
        ("tools/call", json!({ "name": "x" }), Some("x")),
        ("prompts/get", json!({ "name": "x" }), Some("x")),
        ("resources/read", json!({ "uri": "n://x" }), Some("n://x")),
        ("tasks/get", json!({ "taskId": "x" }), Some("x")),
        ("tasks/update", json!({ "taskId": "x" }), Some("x")),
        ("tasks/cancel", json!({ "taskId": "x" }), Some("x")),
        ("tools/list", json!({}), None),
        ("vendor/x", json!({}), None),
    ];
    for (method, params, name) in calls {
        let said = message(method, of_revision(params.clone(), MODERN)).to_string();
        let unsaid = message(method, params.clone()).to_string();
        let all = [("mcp-protocol-version", MODERN), ("mcp-method", method)];
        let all: Vec<_> = all.into_iter().chain(name.map(|name| ("mcp-name", name))).collect();
        for body in [&said, &unsaid] {
            let (answer, _) = server.post(Some(&token), &all, body.clone()).await;
            assert_eq!(answer.status.as_u16(), 200, "{method} {body}");
        }
        for missing in 0..all.len() {
            let mut headers = all.clone();
            let (left_out, _) = headers.remove(missing);
            let (answer, ran) = server.post(Some(&token), &headers, said.clone()).await;
            let seen = (answer.status.as_u16(), answer.code(), ran.len());
            assert_eq!(seen, (400, "header_mismatch", 0), "{method} without {left_out}");
            assert_eq!(answer.json()["error"]["code"], -32020);
            // Neither the header nor the body says that it is of this revision.
            let (answer, _) = server.post(Some(&token), &headers, unsaid.clone()).await;
            let is_modern = left_out != "mcp-protocol-version";
            assert_eq!(answer.error.is_some(), is_modern, "{method} without {left_out}");
        }
        // Also of a revision that nobody knows yet, and of none that is older.
        for (revision, expected) in [("2027-01-01", true), ("DRAFT", true), ("2025-11-25", false)] {
            let headers = [("mcp-protocol-version", revision)];
            let body = message(method, of_revision(params.clone(), revision)).to_string();
            let (answer, _) = server.post(Some(&token), &headers, body).await;
            assert_eq!(answer.error.is_some(), expected, "{method} in {revision}");
        }
    }
}

#[tokio::test]
async fn notifications_and_answers_need_no_headers() {
    let server = server(|config| config).await;
    let token = server.mint("mcp").sign();
    let version = [("mcp-protocol-version", MODERN)];
    for (body, expected) in [
        (json!({ "jsonrpc": "2.0", "method": "notifications/cancelled" }), 200),
        (json!({ "jsonrpc": "2.0", "id": 1, "result": {} }), 200),
        (json!({ "jsonrpc": "2.0", "method": "tools/call", "params": { "name": "x" } }), 400),
        (json!({ "jsonrpc": "2.0", "id": 1, "method": "notifications/cancelled" }), 400),
    ] {
        let (answer, _) = server.post(Some(&token), &version, body.to_string()).await;
        assert_eq!(answer.status.as_u16(), expected, "{body}");
    }
}

#[tokio::test]
async fn a_revision_that_cannot_be_read_or_has_no_batches_is_refused() {
    let server = server(|config| config).await;
    let token = server.mint("mcp").sign();
    let body = message("ping", json!({})).to_string();
    let mut request = crate::support::request(
        "POST",
        "/mcp",
        &[("authorization", &format!("Bearer {token}")), ("content-type", "application/json")],
    );
    let unreadable = axum::http::HeaderValue::from_bytes(b"2025-11-25\xff").unwrap();
    request.headers_mut().insert("mcp-protocol-version", unreadable);
    *request.body_mut() = body.into();
    assert_eq!(server.harness.send(request).await.code(), "header_mismatch");
    for revision in ["2025-06-18", MODERN] {
        let batch =
            json!([message("ping", json!({})), message("ping", of_revision(json!({}), revision))]);
        let (answer, ran) = server.post(Some(&token), &[], batch.to_string()).await;
        assert_eq!((answer.code(), ran.len()), ("batch_not_allowed", 0), "{revision}");
    }
}
