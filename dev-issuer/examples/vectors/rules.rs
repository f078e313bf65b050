//! `rules.json`: how the rules of a policy add up, and what a client adds to a message in vain.

use dev_issuer::DevIssuer;
use serde_json::{Value, json};

use crate::expect::{bad_request, ok, policy_denied, sign_in, step_up};
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
    let cases = Cases { issuer };
    let open = json!({ "uri": "notes://public/1" });
    let mut chain = json!({});
    for number in 0..13 {
        let next = format!("{{a{:02}}}", number + 1);
        chain[format!("a{number:02}")] = next.repeat(4).into();
    }
    vec![
        cases.method("a uri opens no method that has a rule", None, "logging/setLevel", open.clone(), sign_in("missing_token", "mcp admin")),
        cases.method("a uri opens no method without a rule", None, "admin/wipe", open.clone(), sign_in("missing_token", "mcp")),
        cases.method("a uri lifts no scope", Some("mcp"), "logging/setLevel", open.clone(), step_up("mcp admin")),
        cases.method("a task beside a uri", None, "tasks/list", json!({ "uri": "notes://public/1", "taskId": "t" }), sign_in("missing_token", "mcp")),
        cases.method("a uri asks for what its rule asks", Some("mcp"), "vendor/x", json!({ "uri": "notes://secret/1" }), step_up("mcp all")),
        cases.method("an open name lifts no rule of the method", Some("mcp"), "resources/subscribe", open.clone(), step_up("admin")),
        cases.method("an open name lifts the baseline", Some("admin"), "resources/subscribe", open.clone(), ok()),
        cases.method("an open prompt of a method for staff", Some("mcp"), "prompts/get", json!({ "name": "open" }), policy_denied()),
        cases.method("an open prompt of a method for staff, by nobody", None, "prompts/get", json!({ "name": "open" }), json!({ "status": 401, "code": "missing_token" })),
        cases.method(
            "variables are filled in once",
            None,
            "completion/complete",
            json!({
                "ref": { "type": "ref/resource", "uri": "{a00}" },
                "argument": { "name": "x", "value": "" },
                "context": { "arguments": chain },
            }),
            sign_in("missing_token", "mcp all"),
        ),
        cases.method(
            "a chosen variable leads elsewhere",
            None,
            "completion/complete",
            json!({
                "ref": { "type": "ref/resource", "uri": "notes://public/{+x}" },
                "argument": { "name": "y", "value": "" },
                "context": { "arguments": { "x": "../secret" } },
            }),
            sign_in("missing_token", "mcp"),
        ),
        cases.method(
            "a chosen variable leads out through what follows it",
            None,
            "completion/complete",
            json!({
                "ref": { "type": "ref/resource", "uri": "notes://public/{x}{/y}" },
                "argument": { "name": "y", "value": "" },
                "context": { "arguments": { "x": ".." } },
            }),
            sign_in("missing_token", "mcp"),
        ),
        cases.method(
            "the beginning of a value leads elsewhere",
            None,
            "completion/complete",
            json!({
                "ref": { "type": "ref/resource", "uri": "notes://public/{+y}" },
                "argument": { "name": "y", "value": "../secret" },
            }),
            sign_in("missing_token", "mcp"),
        ),
        cases.method(
            "the beginning of a value stays within",
            None,
            "completion/complete",
            json!({
                "ref": { "type": "ref/resource", "uri": "notes://public/{+y}" },
                "argument": { "name": "y", "value": "no" },
            }),
            ok(),
        ),
        cases.resource("open", None, "notes://public/1", ok()),
        cases.resource("another scheme", Some("mcp"), "n://secret/1", step_up("mcp all")),
        cases.resource("no scheme, and a colon", Some("mcp"), "secret/a:b", step_up("mcp all")),
        cases.resource("without a query", None, "notes://a", ok()),
        cases.resource("with a query that has a rule", Some("mcp"), "notes://a?admin=1", step_up("mcp admin")),
        cases.resource("with another parameter before it", Some("mcp"), "notes://a?z=1&admin=1", step_up("mcp admin")),
        cases.resource("with another query", None, "notes://a?z=1", ok()),
        cases.resource("a slash at the end", Some("mcp"), "notes://b/", step_up("mcp admin")),
        cases.resource("below", Some("mcp"), "notes://b/c", step_up("mcp admin")),
        cases.resource("an escape that RFC 6570 writes", Some("mcp notes:read"), "notes://user/user%40example.com", ok()),
        cases.resource("a user in the authority", Some("mcp"), "notes://user@secret/1", policy_denied()),
        cases.resource("a port in the authority", Some("mcp"), "notes://secret:80/1", policy_denied()),
        cases.resource("a dot after the host", Some("mcp"), "notes://secret./1", policy_denied()),
        cases.tool("a condition that is met", "edit", r#"{"mode":"write"}"#, step_up("mcp secret")),
        cases.tool("a condition that is not met", "edit", r#"{"mode":"read"}"#, ok()),
        cases.tool(
            "a name that a library gives a meaning",
            "edit",
            r#"{"mode":"write","x":{"$serde_json::private::RawValue":5}}"#,
            bad_request("invalid_message"),
        ),
        cases.tool(
            "a name that a library gives a meaning, well formed",
            "run",
            r#"{"dry_run":{"$serde_json::private::RawValue":"true"}}"#,
            bad_request("invalid_message"),
        ),
        cases.tool(
            "another name of that kind",
            "run",
            r#"{"a":[{"$serde_json::private::Number":"1"}],"dry_run":true}"#,
            bad_request("invalid_message"),
        ),
        cases.tool("a name that JavaScript gives a meaning", "edit", r#"{"__proto__":{"mode":"write"}}"#, ok()),
        cases.tool("what frees", "run", r#"{"dry_run":true}"#, ok()),
        cases.tool("what does not free", "run", r#"{"dry_run":"true"}"#, step_up("mcp secret")),
        cases.tool("an integer beside another", "big", r#"{"id":9007199254740993}"#, step_up("mcp secret")),
        cases.tool("an integer as it is", "big", r#"{"id":9007199254740992}"#, ok()),
        cases.tool("null frees", "null", r#"{"id":null}"#, ok()),
        cases.tool("absence does not", "null", "{}", step_up("mcp secret")),
        cases.body(
            "a member twice in what nobody looks at",
            Some("mcp"),
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"edit","task":{"a":1,"\u0061":2}}}"#.to_owned(),
            bad_request("invalid_message"),
        ),
        cases.method("arguments of a method without any", Some("mcp"), "logging/setLevel", json!({ "arguments": { "mode": "read" } }), step_up("mcp admin")),
        cases.method("opening a connection", None, "initialize", json!({}), ok()),
        cases.method("asking for a list", None, "tools/list", json!({}), ok()),
        cases.method("everything else", None, "vendor/x", json!({}), sign_in("missing_token", "mcp")),
    ]
}

/// Makes cases, with tokens of this issuer. A case with the scope `None` has no token.
struct Cases<'a> {
    issuer: &'a DevIssuer,
}

impl Cases<'_> {
    /// A tool, called with the scope `mcp`. The arguments are JSON as it is written.
    fn tool(&self, name: &str, tool: &str, arguments: &str, expect: Value) -> Value {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
        );
        self.body(name, Some("mcp"), body, expect)
    }

    fn resource(&self, name: &str, scope: Option<&str>, uri: &str, expect: Value) -> Value {
        self.method(name, scope, "resources/read", json!({ "uri": uri }), expect)
    }

    fn method(
        &self,
        name: &str,
        scope: Option<&str>,
        method: &str,
        params: Value,
        expect: Value,
    ) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.body(name, scope, body.to_string(), expect)
    }

    fn body(&self, name: &str, scope: Option<&str>, body: String, expect: Value) -> Value {
        let mut authorization = Vec::new();
        if let Some(scope) = scope {
            authorization.push(format!("Bearer {}", good(self.issuer).scope(scope).sign()));
        }
        json!({
            "name": name,
            "request": {
                "method": "POST", "target": "/mcp",
                "authorization": authorization,
                "headers": {}, "body": body,
            },
            "expect": expect,
        })
    }
}
