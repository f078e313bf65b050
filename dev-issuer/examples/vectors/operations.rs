//! `operations.json`: messages, under a policy.

use dev_issuer::{DevIssuer, Mint};
use serde_json::{Value, json};

use crate::expect::{bad_request, ok, policy_denied, sign_in, step_up};
use crate::{ISSUER, RESOURCE, good};

pub(crate) fn config() -> Value {
    json!({
        "max_body_bytes": 2048,
        "resources": [{
            "resource": RESOURCE,
            "authorization_servers": [ISSUER],
            "required_scopes": ["mcp"],
            "mirrored_arguments": { "edit": { "Mode": "mode" } },
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
    let cases = Cases { issuer };
    let read = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}"#;
    let both = format!("[{read},{}]", read.replace("read", "write"));
    let mut all = cases.of_operations(read, &both);
    all.extend(cases.of_headers(read));
    all
}

/// `tools/call` of a tool whose argument `mode` is repeated in a header.
fn edit(arguments: &Value) -> String {
    let params = json!({ "name": "edit", "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string()
}

/// The headers of a call of 2026-07-28, and more.
fn modern(method: &str, name: Option<&str>, more: Value) -> Value {
    let mut headers = json!({ "mcp-protocol-version": "2026-07-28", "mcp-method": method });
    if let Some(name) = name {
        headers["mcp-name"] = json!(name);
    }
    for (header, value) in more.as_object().into_iter().flatten() {
        headers[header] = value.clone();
    }
    headers
}

/// The same body, which says that it is of this revision.
fn said(body: &str, revision: &str) -> String {
    let mut message: Value = serde_json::from_str(body).expect("a message");
    message["params"]["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": revision });
    message.to_string()
}

impl Cases<'_> {
    fn of_headers(&self, read: &str) -> Vec<Value> {
        let mode =
            |value: &str| modern("tools/call", Some("edit"), json!({ "mcp-param-mode": value }));
        let without = || modern("tools/call", Some("edit"), json!({}));
        let mismatch = || bad_request("header_mismatch");
        let reading = edit(&json!({ "mode": "read" }));
        let task = |method: &str| {
            json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "taskId": "1" } })
                .to_string()
        };
        vec![
            self.body("an argument in its header", mode("read"), &reading, ok()),
            self.body(
                "an argument in its header in base64",
                mode("=?base64?cmVhZA==?="),
                &reading,
                ok(),
            ),
            self.body("an argument that its header lacks", without(), &reading, mismatch()),
            self.body("another argument in the header", mode("write"), &reading, mismatch()),
            self.body("an argument in other letters", mode("Read"), &reading, mismatch()),
            self.body(
                "an argument in base64 that is none",
                mode("=?base64?cmVhZA?="),
                &reading,
                mismatch(),
            ),
            self.body("a header without its argument", mode("read"), &edit(&json!({})), mismatch()),
            self.body("neither header nor argument", without(), &edit(&json!({})), ok()),
            self.body("an argument that is null", without(), &edit(&json!({ "mode": null })), ok()),
            self.body("a number in its header", mode("4.0"), &edit(&json!({ "mode": 4 })), ok()),
            self.body(
                "another number in the header",
                mode("5"),
                &edit(&json!({ "mode": 4 })),
                mismatch(),
            ),
            self.body(
                "a list that no header can say",
                mode("read"),
                &edit(&json!({ "mode": ["read"] })),
                mismatch(),
            ),
            self.body(
                "no header of an argument before 2026-07-28",
                json!({ "mcp-protocol-version": "2025-11-25" }),
                &reading,
                ok(),
            ),
            self.body(
                "another argument before 2026-07-28",
                json!({ "mcp-param-mode": "write" }),
                &reading,
                mismatch(),
            ),
            self.body(
                "a header that no tool asks for",
                modern("tools/call", Some("read"), json!({ "mcp-param-other": "x" })),
                read,
                ok(),
            ),
            self.body(
                "a missing scope before a wrong header",
                mode("read"),
                &edit(&json!({ "mode": "write" })),
                step_up("mcp notes:write"),
            ),
            self.body(
                "no Mcp-Method",
                json!({ "mcp-protocol-version": "2026-07-28", "mcp-name": "read" }),
                read,
                mismatch(),
            ),
            self.body("no Mcp-Name", modern("tools/call", None, json!({})), read, mismatch()),
            self.body(
                "no Mcp-Name, in a later revision",
                json!({ "mcp-protocol-version": "2027-01-01", "mcp-method": "tools/call" }),
                read,
                mismatch(),
            ),
            self.body(
                "no MCP-Protocol-Version where the body says one",
                json!({ "mcp-method": "tools/call", "mcp-name": "read" }),
                &said(read, "2026-07-28"),
                mismatch(),
            ),
            self.body(
                "no headers where the body says an older revision",
                json!({}),
                &said(read, "2025-11-25"),
                ok(),
            ),
            self.body(
                "a task in Mcp-Name",
                modern("tasks/get", Some("1"), json!({})),
                &task("tasks/get"),
                ok(),
            ),
            self.body(
                "another task in Mcp-Name",
                modern("tasks/get", Some("2"), json!({})),
                &task("tasks/get"),
                mismatch(),
            ),
            self.body(
                "a task without Mcp-Name",
                modern("tasks/get", None, json!({})),
                &task("tasks/get"),
                mismatch(),
            ),
            self.body(
                "a list has no Mcp-Name",
                modern("tools/list", None, json!({})),
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
                ok(),
            ),
            self.body(
                "a notification needs no headers",
                json!({ "mcp-protocol-version": "2026-07-28" }),
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
                ok(),
            ),
            self.body(
                "a batch that says a revision without batches",
                json!({}),
                &format!("[{}]", said(read, "2026-07-28")),
                bad_request("batch_not_allowed"),
            ),
        ]
    }

    fn of_operations(&self, read: &str, both: &str) -> Vec<Value> {
        use Caller::*;
        let cases = self;
        vec![
        cases.tool("allowed", Reader, "read", ok()),
        cases.tool("allowed by a broader scope", Writer, "read", ok()),
        cases.tool("a scope is missing", Reader, "write", step_up("mcp notes:write")),
        cases.tool("the baseline is missing too", Stranger, "write", step_up("mcp notes:write")),
        cases.tool(
            "the nearest alternative",
            Writer,
            "publish",
            step_up("mcp notes:write notes:publish"),
        ),
        cases.tool("the other alternative", Editor, "publish", ok()),
        cases.tool("a role is missing", Writer, "wipe", policy_denied()),
        cases.tool("the role is there", Admin, "wipe", ok()),
        cases.tool("a role is missing before a scope", Reader, "wipe", policy_denied()),
        cases.tool("for people", Reader, "human", ok()),
        cases.tool("a machine where people are asked for", Machine, "human", policy_denied()),
        cases.tool("another client", Reader, "console", policy_denied()),
        cases.tool("undeclared", Admin, "other", policy_denied()),
        cases.tool("another case", Admin, "Read", policy_denied()),
        cases.tool("public, without a token", Nobody, "about", ok()),
        cases.tool("public, with a bad token", BadToken, "about", ok()),
        cases.tool("optional, without a token", Nobody, "search", ok()),
        cases.tool("optional, with a bad token", BadToken, "search", sign_in("expired", "mcp")),
        cases.tool("no token", Nobody, "write", sign_in("missing_token", "mcp notes:write")),
        cases.tool("a bad token", BadToken, "write", sign_in("expired", "mcp notes:write")),
        cases.method(
            "arguments that need no more",
            Reader,
            "tools/call",
            json!({ "name": "edit", "arguments": { "mode": "read" } }),
            ok(),
        ),
        cases.method(
            "arguments that need more",
            Reader,
            "tools/call",
            json!({ "name": "edit", "arguments": { "mode": "write" } }),
            step_up("mcp notes:write"),
        ),
        cases.method("a prompt", Reader, "prompts/get", json!({ "name": "summary" }), ok()),
        cases.method("an undeclared prompt", Reader, "prompts/get", json!({ "name": "read" }), policy_denied()),
        cases.method("a resource", Reader, "resources/read", json!({ "uri": "notes://7" }), ok()),
        cases.method(
            "an exact rule comes first",
            Reader,
            "resources/read",
            json!({ "uri": "notes://secret" }),
            step_up("mcp notes:write"),
        ),
        cases.method(
            "the scheme in another case",
            Reader,
            "resources/read",
            json!({ "uri": "NOTES://SECRET" }),
            step_up("mcp notes:write"),
        ),
        cases.method(
            "a resource with dots",
            Reader,
            "resources/read",
            json!({ "uri": "notes://../secret" }),
            policy_denied(),
        ),
        cases.method(
            "a needless escape",
            Reader,
            "resources/read",
            json!({ "uri": "notes://s%65cret" }),
            policy_denied(),
        ),
        cases.method(
            "a subscription",
            Reader,
            "resources/subscribe",
            json!({ "uri": "notes://secret" }),
            step_up("mcp notes:write"),
        ),
        cases.method(
            "completion for a prompt",
            Reader,
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "summary" } }),
            ok(),
        ),
        cases.method(
            "completion for a resource",
            Reader,
            "completion/complete",
            json!({ "ref": { "type": "ref/resource", "uri": "notes://secret" } }),
            step_up("mcp notes:write"),
        ),
        cases.method("a task", Reader, "tasks/get", json!({ "taskId": "1" }), ok()),
        cases.method("an undeclared method", Admin, "tasks/cancel", json!({ "taskId": "1" }), policy_denied()),
        cases.method("opening a connection", Reader, "initialize", json!({}), ok()),
        cases.method("opening a connection without a token", Nobody, "initialize", json!({}), ok()),
        cases.body("an answer to the server", json!({}), r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, ok()),
        cases.body("a batch before there were revisions", json!({}), &format!("[{read}]"), ok()),
        cases.body(
            "a batch of which one is refused",
            json!({ "mcp-protocol-version": "2025-03-26" }),
            both,
            step_up("mcp notes:write"),
        ),
        cases.body(
            "a batch in a later revision",
            json!({ "mcp-protocol-version": "2025-06-18" }),
            &format!("[{read}]"),
            bad_request("batch_not_allowed"),
        ),
        cases.body("an empty batch", json!({}), "[]", bad_request("invalid_message")),
        cases.body(
            "headers that agree",
            json!({ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "read" }),
            read,
            ok(),
        ),
        cases.body("a header in base64", json!({ "mcp-name": "=?base64?cmVhZA==?=" }), read, ok()),
        cases.body(
            "another method in the header",
            json!({ "mcp-method": "tools/list" }),
            read,
            bad_request("header_mismatch"),
        ),
        cases.body(
            "another name in the header",
            json!({ "mcp-name": "write" }),
            read,
            bad_request("header_mismatch"),
        ),
        cases.body(
            "another charset",
            json!({ "content-type": "application/json; charset=utf-7" }),
            read,
            json!({ "status": 415, "code": "unsupported_media_type" }),
        ),
        cases.method(
            "a slash too many",
            Reader,
            "resources/read",
            json!({ "uri": "notes:///secret" }),
            step_up("mcp notes:write"),
        ),
        cases.method(
            "a fragment",
            Reader,
            "resources/read",
            json!({ "uri": "notes://secret#x" }),
            policy_denied(),
        ),
        cases.method(
            "a query",
            Reader,
            "resources/read",
            json!({ "uri": "notes://secret?x" }),
            step_up("mcp notes:write"),
        ),
        cases.method(
            "a resource of another method",
            Reader,
            "resources/directory/read",
            json!({ "uri": "notes://secret" }),
            step_up("mcp notes:write"),
        ),
        cases.method(
            "listening to a resource",
            Writer,
            "subscriptions/listen",
            json!({ "notifications": { "resourceSubscriptions": ["notes://7"] } }),
            ok(),
        ),
        cases.body("not JSON", json!({}), "{", bad_request("not_json")),
        cases.body(
            "not JSON-RPC",
            json!({}),
            r#"{"method":"tools/call","params":{"name":"read"}}"#,
            bad_request("invalid_message"),
        ),
        cases.body(
            "a member twice",
            json!({}),
            &read.replace(r#""name""#, r#""name":"about","name""#),
            bad_request("invalid_message"),
        ),
        cases.body(
            "too long",
            json!({}),
            &" ".repeat(2049),
            json!({ "status": 413, "code": "body_too_large" }),
        ),
    ]
    }
}

/// Makes cases, with tokens of this issuer.
struct Cases<'a> {
    issuer: &'a DevIssuer,
}

impl Cases<'_> {
    fn tool(&self, name: &str, caller: Caller, tool: &str, expect: Value) -> Value {
        let params = json!({ "name": tool, "arguments": {} });
        self.method(name, caller, "tools/call", params, expect)
    }

    fn method(
        &self,
        name: &str,
        caller: Caller,
        method: &str,
        params: Value,
        expect: Value,
    ) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.request(name, caller, json!({}), &body.to_string(), expect)
    }

    /// A body as it is, sent by [`Caller::Reader`].
    fn body(&self, name: &str, headers: Value, body: &str, expect: Value) -> Value {
        self.request(name, Caller::Reader, headers, body, expect)
    }

    fn request(
        &self,
        name: &str,
        caller: Caller,
        headers: Value,
        body: &str,
        expect: Value,
    ) -> Value {
        let authorization = self.token(caller).map(|mint| format!("Bearer {}", mint.sign()));
        json!({
            "name": name,
            "request": {
                "method": "POST", "target": "/mcp",
                "authorization": authorization.into_iter().collect::<Vec<_>>(),
                "headers": headers, "body": body,
            },
            "expect": expect,
        })
    }

    fn token(&self, caller: Caller) -> Option<Mint> {
        let mint = good(self.issuer);
        Some(match caller {
            Caller::Nobody => return None,
            Caller::Reader => mint,
            Caller::Writer => mint.scope("mcp notes:write"),
            Caller::Editor => mint.scope("mcp editor"),
            Caller::Admin => {
                mint.scope("mcp notes:write").claim("realm_access", json!({ "roles": ["admin"] }))
            }
            Caller::Machine => mint.subject("client"),
            Caller::Stranger => mint.scope("other"),
            Caller::BadToken => mint.expires_in(-3600),
        })
    }
}
