//! `rules.json`: how the rules of a policy add up, and what a client adds to a message in vain.

use dev_issuer::DevIssuer;
use serde_json::{Value, json};

use crate::{ISSUER, RESOURCE, good};

pub(crate) fn config() -> Value {
    json!({
        "resources": [{
            "resource": RESOURCE,
            "authorization_servers": [ISSUER],
            "required_scopes": ["mcp"],
            "policy": {
                "methods": {
                    "logging/setLevel": ["admin"],
                    "resources/subscribe": ["admin"],
                    "prompts/get": { "roles": ["staff"] },
                },
                "tools": {
                    "about": { "access": "public" },
                    "edit": { "when": [{ "argument": "mode", "equals": "write", "scopes": "secret" }] },
                    "run": { "when": [{ "argument": "dry_run", "unless": true, "scopes": "secret" }] },
                    "big": { "when": [{ "argument": "id", "unless": 9_007_199_254_740_992_u64, "scopes": "secret" }] },
                    "null": { "when": [{ "argument": "id", "unless": null, "scopes": "secret" }] },
                },
                "prompts": { "open": { "access": "public" } },
                "resources": {
                    "*": ["all"],
                    "notes://public/*": { "access": "public" },
                    "notes://a": { "access": "public" },
                    "notes://a?admin={x}": ["admin"],
                    "notes://b": { "access": "public" },
                    "notes://b/*": ["admin"],
                    "notes://user/{id}": ["notes:read"],
                },
            },
        }],
    })
}

pub(crate) fn cases(issuer: &DevIssuer) -> Vec<Value> {
    let case = |name: &str, scope: Option<&str>, body: String, expect: Value| {
        let authorization =
            scope.map(|scope| format!("Bearer {}", good(issuer).scope(scope).sign()));
        json!({
            "name": name,
            "request": {
                "method": "POST", "target": "/mcp",
                "authorization": authorization.into_iter().collect::<Vec<_>>(),
                "headers": {}, "body": body,
            },
            "expect": expect,
        })
    };
    let says = |name: &str, scope: Option<&str>, method: &str, params: Value, expect: Value| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        case(name, scope, body.to_string(), expect)
    };
    let calls = |name: &str, tool: &str, arguments: &str, expect: Value| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
        );
        case(name, Some("mcp"), body, expect)
    };
    let reads = |name: &str, scope: Option<&str>, uri: &str, expect: Value| {
        says(name, scope, "resources/read", json!({ "uri": uri }), expect)
    };
    let ok = || json!({ "status": 200, "code": "ok" });
    let step_up =
        |scope: &str| json!({ "status": 403, "code": "insufficient_scope", "scope": scope });
    let denied = || json!({ "status": 403, "code": "policy_denied" });
    let sign_in = |scope: &str| json!({ "status": 401, "code": "missing_token", "scope": scope });
    let invalid = || json!({ "status": 400, "code": "invalid_message" });
    let open = json!({ "uri": "notes://public/1" });
    let mut chain = json!({});
    for number in 0..13 {
        let next = format!("{{a{:02}}}", number + 1);
        chain[format!("a{number:02}")] = next.repeat(4).into();
    }
    vec![
        says("a uri opens no method that has a rule", None, "logging/setLevel", open.clone(), sign_in("mcp admin")),
        says("a uri opens no method without a rule", None, "admin/wipe", open.clone(), sign_in("mcp")),
        says("a uri lifts no scope", Some("mcp"), "logging/setLevel", open.clone(), step_up("mcp admin")),
        says("a task beside a uri", None, "tasks/list", json!({ "uri": "notes://public/1", "taskId": "t" }), sign_in("mcp")),
        says("a uri asks for what its rule asks", Some("mcp"), "vendor/x", json!({ "uri": "notes://secret/1" }), step_up("mcp all")),
        says("an open name lifts no rule of the method", Some("mcp"), "resources/subscribe", open.clone(), step_up("admin")),
        says("an open name lifts the baseline", Some("admin"), "resources/subscribe", open.clone(), ok()),
        says("an open prompt of a method for staff", Some("mcp"), "prompts/get", json!({ "name": "open" }), denied()),
        says("an open prompt of a method for staff, by nobody", None, "prompts/get", json!({ "name": "open" }), json!({ "status": 401, "code": "missing_token" })),
        says(
            "variables are filled in once",
            None,
            "completion/complete",
            json!({
                "ref": { "type": "ref/resource", "uri": "{a00}" },
                "argument": { "name": "x", "value": "" },
                "context": { "arguments": chain },
            }),
            sign_in("mcp all"),
        ),
        says(
            "a chosen variable leads elsewhere",
            None,
            "completion/complete",
            json!({
                "ref": { "type": "ref/resource", "uri": "notes://public/{+x}" },
                "argument": { "name": "y", "value": "" },
                "context": { "arguments": { "x": "../secret" } },
            }),
            sign_in("mcp"),
        ),
        reads("open", None, "notes://public/1", ok()),
        reads("another scheme", Some("mcp"), "n://secret/1", step_up("mcp all")),
        reads("no scheme, and a colon", Some("mcp"), "secret/a:b", step_up("mcp all")),
        reads("without a query", None, "notes://a", ok()),
        reads("with a query that has a rule", Some("mcp"), "notes://a?admin=1", step_up("mcp admin")),
        reads("with another parameter before it", Some("mcp"), "notes://a?z=1&admin=1", step_up("mcp admin")),
        reads("with another query", None, "notes://a?z=1", ok()),
        reads("a slash at the end", Some("mcp"), "notes://b/", step_up("mcp admin")),
        reads("below", Some("mcp"), "notes://b/c", step_up("mcp admin")),
        reads("an escape that RFC 6570 writes", Some("mcp notes:read"), "notes://user/user%40example.com", ok()),
        reads("a user in the authority", Some("mcp"), "notes://user@secret/1", denied()),
        reads("a port in the authority", Some("mcp"), "notes://secret:80/1", denied()),
        reads("a dot after the host", Some("mcp"), "notes://secret./1", denied()),
        calls("a condition that is met", "edit", r#"{"mode":"write"}"#, step_up("mcp secret")),
        calls("a condition that is not met", "edit", r#"{"mode":"read"}"#, ok()),
        calls(
            "a name that a library gives a meaning",
            "edit",
            r#"{"mode":"write","x":{"$serde_json::private::RawValue":5}}"#,
            invalid(),
        ),
        calls(
            "a name that a library gives a meaning, well formed",
            "run",
            r#"{"dry_run":{"$serde_json::private::RawValue":"true"}}"#,
            invalid(),
        ),
        calls(
            "another name of that kind",
            "run",
            r#"{"a":[{"$serde_json::private::Number":"1"}],"dry_run":true}"#,
            invalid(),
        ),
        calls("a name that JavaScript gives a meaning", "edit", r#"{"__proto__":{"mode":"write"}}"#, ok()),
        calls("what frees", "run", r#"{"dry_run":true}"#, ok()),
        calls("what does not free", "run", r#"{"dry_run":"true"}"#, step_up("mcp secret")),
        calls("an integer beside another", "big", r#"{"id":9007199254740993}"#, step_up("mcp secret")),
        calls("an integer as it is", "big", r#"{"id":9007199254740992}"#, ok()),
        calls("null frees", "null", r#"{"id":null}"#, ok()),
        calls("absence does not", "null", "{}", step_up("mcp secret")),
        case(
            "a member twice in what nobody looks at",
            Some("mcp"),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"edit","task":{"a":1,"\u0061":2}}}"#.to_owned(),
            invalid(),
        ),
        says("arguments of a method without any", Some("mcp"), "logging/setLevel", json!({ "arguments": { "mode": "read" } }), step_up("mcp admin")),
        says("opening a connection", None, "initialize", json!({}), ok()),
        says("asking for a list", None, "tools/list", json!({}), ok()),
        says("everything else", None, "vendor/x", json!({}), sign_in("mcp")),
    ]
}
