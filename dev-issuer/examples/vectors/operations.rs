//! `operations.json`: messages, under a policy.

use dev_issuer::DevIssuer;
use serde_json::{Value, json};

use crate::{ISSUER, RESOURCE, good};

pub(crate) fn config() -> Value {
    json!({
        "max_body_bytes": 2048,
        "resources": [{
            "resource": RESOURCE,
            "authorization_servers": [ISSUER],
            "required_scopes": ["mcp"],
            "policy": {
                "implies": { "notes:write": ["notes:read"] },
                "roles_claim": "/realm_access/roles",
                "deny_undeclared": true,
                "tools": {
                    "read": ["notes:read"],
                    "write": ["notes:write"],
                    "publish": { "any_of": ["notes:write notes:publish", "editor"] },
                    "wipe": { "all_of": "notes:write", "roles": ["admin"] },
                    "human": { "caller": "user" },
                    "console": { "allowed_clients": ["console"] },
                    "edit": {
                        "all_of": "notes:read",
                        "when": [{ "argument": "mode", "equals": "write", "scopes": "notes:write" }],
                    },
                    "about": { "access": "public" },
                    "search": { "access": "optional" },
                },
                "prompts": { "summary": ["notes:read"] },
                "resources": { "notes://{id}": ["notes:read"], "notes://secret": ["notes:write"] },
                "methods": { "tasks/get": ["notes:read"] },
            },
        }],
    })
}

/// Who calls; what a token of theirs has.
#[derive(Clone, Copy)]
enum Caller {
    Nobody,
    Reader,
    Writer,
    Editor,
    Admin,
    Machine,
    Stranger,
    BadToken,
}

pub(crate) fn cases(issuer: &DevIssuer) -> Vec<Value> {
    use Caller::*;
    let token = |caller: Caller| {
        let mint = good(issuer);
        Some(match caller {
            Nobody => return None,
            Reader => mint,
            Writer => mint.scope("mcp notes:write"),
            Editor => mint.scope("mcp editor"),
            Admin => {
                mint.scope("mcp notes:write").claim("realm_access", json!({ "roles": ["admin"] }))
            }
            Machine => mint.subject("client"),
            Stranger => mint.scope("other"),
            BadToken => mint.expires_in(-3600),
        })
    };
    let case = |name: &str, caller, headers: Value, body: String, expect: Value| {
        let authorization = token(caller).map(|mint| format!("Bearer {}", mint.sign()));
        json!({
            "name": name,
            "request": {
                "method": "POST", "target": "/mcp",
                "authorization": authorization.into_iter().collect::<Vec<_>>(),
                "headers": headers, "body": body,
            },
            "expect": expect,
        })
    };
    let says = |name, caller, method: &str, params: Value, expect| {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        case(name, caller, json!({}), body.to_string(), expect)
    };
    let tool = |name, caller, tool: &str, expect| {
        says(name, caller, "tools/call", json!({ "name": tool, "arguments": {} }), expect)
    };
    let raw =
        |name, headers, body: &str, expect| case(name, Reader, headers, body.to_owned(), expect);
    let ok = || json!({ "status": 200, "code": "ok" });
    let step_up =
        |scope: &str| json!({ "status": 403, "code": "insufficient_scope", "scope": scope });
    let denied = || json!({ "status": 403, "code": "policy_denied" });
    let sign_in = |code: &str, scope: &str| json!({ "status": 401, "code": code, "scope": scope });
    let bad = |code: &str| json!({ "status": 400, "code": code });
    let read = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}"#;
    let both = format!("[{read},{}]", read.replace("read", "write"));
    vec![
        tool("allowed", Reader, "read", ok()),
        tool("allowed by a broader scope", Writer, "read", ok()),
        tool("a scope is missing", Reader, "write", step_up("mcp notes:write")),
        tool("the baseline is missing too", Stranger, "write", step_up("mcp notes:write")),
        tool(
            "the nearest alternative",
            Writer,
            "publish",
            step_up("mcp notes:write notes:publish"),
        ),
        tool("the other alternative", Editor, "publish", ok()),
        tool("a role is missing", Writer, "wipe", denied()),
        tool("the role is there", Admin, "wipe", ok()),
        tool("a role is missing before a scope", Reader, "wipe", denied()),
        tool("for people", Reader, "human", ok()),
        tool("a machine where people are asked for", Machine, "human", denied()),
        tool("another client", Reader, "console", denied()),
        tool("undeclared", Admin, "other", denied()),
        tool("another case", Admin, "Read", denied()),
        tool("public, without a token", Nobody, "about", ok()),
        tool("public, with a bad token", BadToken, "about", ok()),
        tool("optional, without a token", Nobody, "search", ok()),
        tool("optional, with a bad token", BadToken, "search", sign_in("expired", "mcp")),
        tool("no token", Nobody, "write", sign_in("missing_token", "mcp notes:write")),
        tool("a bad token", BadToken, "write", sign_in("expired", "mcp notes:write")),
        says(
            "arguments that need no more",
            Reader,
            "tools/call",
            json!({ "name": "edit", "arguments": { "mode": "read" } }),
            ok(),
        ),
        says(
            "arguments that need more",
            Reader,
            "tools/call",
            json!({ "name": "edit", "arguments": { "mode": "write" } }),
            step_up("mcp notes:write"),
        ),
        says("a prompt", Reader, "prompts/get", json!({ "name": "summary" }), ok()),
        says("an undeclared prompt", Reader, "prompts/get", json!({ "name": "read" }), denied()),
        says("a resource", Reader, "resources/read", json!({ "uri": "notes://7" }), ok()),
        says(
            "an exact rule comes first",
            Reader,
            "resources/read",
            json!({ "uri": "notes://secret" }),
            step_up("mcp notes:write"),
        ),
        says(
            "the scheme in another case",
            Reader,
            "resources/read",
            json!({ "uri": "NOTES://SECRET" }),
            step_up("mcp notes:write"),
        ),
        says(
            "a resource with dots",
            Reader,
            "resources/read",
            json!({ "uri": "notes://../secret" }),
            denied(),
        ),
        says(
            "a needless escape",
            Reader,
            "resources/read",
            json!({ "uri": "notes://s%65cret" }),
            denied(),
        ),
        says(
            "a subscription",
            Reader,
            "resources/subscribe",
            json!({ "uri": "notes://secret" }),
            step_up("mcp notes:write"),
        ),
        says(
            "completion for a prompt",
            Reader,
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "summary" } }),
            ok(),
        ),
        says(
            "completion for a resource",
            Reader,
            "completion/complete",
            json!({ "ref": { "type": "ref/resource", "uri": "notes://secret" } }),
            step_up("mcp notes:write"),
        ),
        says("a task", Reader, "tasks/get", json!({ "taskId": "1" }), ok()),
        says("an undeclared method", Admin, "tasks/cancel", json!({ "taskId": "1" }), denied()),
        says("opening a connection", Reader, "initialize", json!({}), ok()),
        says("opening a connection without a token", Nobody, "initialize", json!({}), ok()),
        raw("an answer to the server", json!({}), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, ok()),
        raw("a batch before there were revisions", json!({}), &format!("[{read}]"), ok()),
        raw(
            "a batch of which one is refused",
            json!({ "mcp-protocol-version": "2025-03-26" }),
            &both,
            step_up("mcp notes:write"),
        ),
        raw(
            "a batch in a later revision",
            json!({ "mcp-protocol-version": "2025-06-18" }),
            &format!("[{read}]"),
            bad("batch_not_allowed"),
        ),
        raw("an empty batch", json!({}), "[]", bad("invalid_message")),
        raw(
            "headers that agree",
            json!({ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "read" }),
            read,
            ok(),
        ),
        raw("a header in base64", json!({ "mcp-name": "=?base64?cmVhZA==?=" }), read, ok()),
        raw(
            "another method in the header",
            json!({ "mcp-method": "tools/list" }),
            read,
            bad("header_mismatch"),
        ),
        raw(
            "another name in the header",
            json!({ "mcp-name": "write" }),
            read,
            bad("header_mismatch"),
        ),
        raw(
            "another charset",
            json!({ "content-type": "application/json; charset=utf-7" }),
            read,
            json!({ "status": 415, "code": "unsupported_media_type" }),
        ),
        says(
            "a slash too many",
            Reader,
            "resources/read",
            json!({ "uri": "notes:///secret" }),
            step_up("mcp notes:write"),
        ),
        says(
            "a fragment",
            Reader,
            "resources/read",
            json!({ "uri": "notes://secret#x" }),
            denied(),
        ),
        says(
            "a query",
            Reader,
            "resources/read",
            json!({ "uri": "notes://secret?x" }),
            step_up("mcp notes:write"),
        ),
        says(
            "a resource of another method",
            Reader,
            "resources/directory/read",
            json!({ "uri": "notes://secret" }),
            step_up("mcp notes:write"),
        ),
        says(
            "listening to a resource",
            Writer,
            "subscriptions/listen",
            json!({ "notifications": { "resourceSubscriptions": ["notes://7"] } }),
            ok(),
        ),
        raw("not JSON", json!({}), "{", bad("not_json")),
        raw(
            "not JSON-RPC",
            json!({}),
            r#"{"method":"tools/call","params":{"name":"read"}}"#,
            bad("invalid_message"),
        ),
        raw(
            "a member twice",
            json!({}),
            &read.replace(r#""name""#, r#""name":"about","name""#),
            bad("invalid_message"),
        ),
        raw(
            "too long",
            json!({}),
            &" ".repeat(2049),
            json!({ "status": 413, "code": "body_too_large" }),
        ),
    ]
}
