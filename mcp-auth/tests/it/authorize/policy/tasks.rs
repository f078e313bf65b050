//! A request about a task needs what the call needed that made it, and whoever made it.

use mcp_auth::ScopePolicy;
use mcp_auth::policy::{ArgumentRule, Requirement};
use serde_json::{Value, json};

use super::{PolicyServer, message};

/// A server whose tools make the task that `task` names, in the form of either revision.
async fn server(known_tasks_only: bool, method_rule: Option<Requirement>) -> PolicyServer {
    let edit =
        Requirement::all_of(["edit"]).when(ArgumentRule::new("all", ["edit:all"]).equals(true));
    let mut policy = ScopePolicy::new()
        .require(["mcp"])
        .require_for_tool("edit", edit)
        .require_for_tool("about", Requirement::public());
    if let Some(rule) = method_rule {
        policy = policy.require_for_method("tasks/get", rule);
    }
    let configure = |mut config: mcp_auth::Config| {
        config.resources[0].known_tasks_only = known_tasks_only;
        config
    };
    PolicyServer::answering(policy, configure, |builder| builder, |message| {
        let task = &message["params"]["arguments"]["task"];
        match message["params"]["arguments"]["form"].as_str() {
            Some("2026-07-28") => json!({ "resultType": "task", "taskId": task, "status": "working" }),
            Some("2025-11-25") => json!({ "task": { "taskId": task, "status": "working" } }),
            _ => json!({ "content": [], "taskId": task, "structuredContent": { "task": { "taskId": task } } }),
        }
    })
    .await
}

async fn make(server: &PolicyServer, token: Option<&str>, tool: &str, arguments: Value) {
    for accept in ["application/json", "text/event-stream"] {
        let mut arguments = arguments.clone();
        if accept == "text/event-stream" {
            arguments["task"] =
                json!(format!("{}-in-a-stream", arguments["task"].as_str().unwrap()));
        }
        let body = message("tools/call", json!({ "name": tool, "arguments": arguments }));
        let (answer, _) = server.post(token, &[("accept", accept)], body.to_string()).await;
        assert_eq!(answer.code(), "ok");
    }
}

async fn ask(server: &PolicyServer, token: Option<&str>, method: &str, task: &str) -> String {
    let params = match method {
        "subscriptions/listen" => json!({ "notifications": { "taskIds": [task] } }),
        _ => json!({ "taskId": task }),
    };
    let (answer, ran) = server.post(token, &[], message(method, params).to_string()).await;
    assert_eq!(answer.error.is_some(), ran.is_empty());
    let scope = answer.challenge().and_then(|challenge| {
        Some(challenge.split_once("scope=\"")?.1.split_once('"')?.0.to_owned())
    });
    scope.map_or(answer.code().to_owned(), |scope| format!("{}: {scope}", answer.code()))
}

const METHODS: [&str; 5] =
    ["tasks/get", "tasks/result", "tasks/update", "tasks/cancel", "subscriptions/listen"];

#[tokio::test]
async fn a_task_needs_what_its_call_needed() {
    let server = server(false, None).await;
    let all = server.mint("mcp edit edit:all").sign();
    let some = server.mint("mcp edit").sign();
    let none = server.mint("mcp").sign();
    for form in ["2026-07-28", "2025-11-25"] {
        let small = format!("small-{form}");
        make(&server, Some(&all), "edit", json!({ "form": form, "task": small })).await;
        let large = format!("large-{form}");
        make(&server, Some(&all), "edit", json!({ "form": form, "task": large, "all": true }))
            .await;
        for suffix in ["", "-in-a-stream"] {
            let rows = [
                (&small, &all, "ok"),
                (&small, &some, "ok"),
                (&small, &none, "insufficient_scope: mcp edit"),
                (&large, &all, "ok"),
                (&large, &some, "insufficient_scope: mcp edit edit:all"),
                (&large, &none, "insufficient_scope: mcp edit edit:all"),
            ];
            for (task, token, expected) in rows {
                for method in METHODS {
                    let task = format!("{task}{suffix}");
                    let code = ask(&server, Some(token), method, &task).await;
                    assert_eq!(code, expected, "{method} {task}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_task_is_its_makers_alone() {
    let server = server(false, None).await;
    let mint = |subject: &str, client: &str| {
        server.mint("mcp edit edit:all").subject(subject).client_id(client).sign()
    };
    let alice = mint("alice", "app");
    make(&server, Some(&alice), "edit", json!({ "form": "2026-07-28", "task": "t" })).await;
    for method in METHODS {
        // A token that was renewed is the same caller's.
        assert_eq!(ask(&server, Some(&mint("alice", "app")), method, "t").await, "ok");
        for other in [mint("bob", "app"), mint("alice", "other")] {
            assert_eq!(ask(&server, Some(&other), method, "t").await, "policy_denied", "{method}");
        }
        assert!(ask(&server, None, method, "t").await.starts_with("missing_token"), "{method}");
    }
    // Whoever has the server name it in another answer does not take it over.
    make(&server, Some(&mint("bob", "app")), "edit", json!({ "form": "2026-07-28", "task": "t" }))
        .await;
    assert_eq!(ask(&server, Some(&mint("bob", "app")), "tasks/get", "t").await, "policy_denied");
    assert_eq!(ask(&server, Some(&alice), "tasks/get", "t").await, "ok");
}

#[tokio::test]
async fn an_open_method_gives_nobody_the_task_of_somebody() {
    let server = server(false, Some(Requirement::public())).await;
    let alice = server.mint("mcp edit").sign();
    make(&server, Some(&alice), "edit", json!({ "form": "2026-07-28", "task": "t" })).await;
    assert!(ask(&server, None, "tasks/get", "t").await.starts_with("missing_token"));
    assert_eq!(ask(&server, Some(&alice), "tasks/get", "t").await, "ok");
    // A call that needs no token belongs to nobody.
    make(&server, None, "about", json!({ "form": "2026-07-28", "task": "open" })).await;
    assert_eq!(ask(&server, None, "tasks/get", "open").await, "ok");
}

#[tokio::test]
async fn a_task_that_nobody_is_known_to_have_made_needs_the_baseline_or_is_refused() {
    for (known_tasks_only, expected) in [(false, "ok"), (true, "policy_denied")] {
        let server = server(known_tasks_only, None).await;
        let token = server.mint("mcp edit").sign();
        let weak = server.mint("other").sign();
        for method in METHODS {
            assert_eq!(ask(&server, Some(&token), method, "unknown").await, expected, "{method}");
            assert_eq!(
                ask(&server, Some(&weak), method, "unknown").await,
                "insufficient_scope: mcp"
            );
        }
        // What a tool says in its content makes no task.
        make(&server, Some(&token), "edit", json!({ "task": "said" })).await;
        assert_eq!(ask(&server, Some(&token), "tasks/get", "said").await, expected);
        make(&server, Some(&token), "edit", json!({ "form": "2026-07-28", "task": "made" })).await;
        assert_eq!(ask(&server, Some(&token), "tasks/get", "made").await, "ok");
        let none = message("tasks/list", json!({})).to_string();
        assert_eq!(server.post(Some(&token), &[], none).await.0.code(), "ok");
    }
}

/// Messages that say that they belong to a task (MCP 2025-11-25, "Related Task Metadata").
fn related(task: &Value) -> Vec<Value> {
    let meta = json!({ "io.modelcontextprotocol/related-task": task });
    let mut all: Vec<Value> =
        ["ping", "tools/list", "tasks/list", "prompts/list", "logging/setLevel"]
            .iter()
            .map(|method| message(method, json!({ "_meta": meta })))
            .collect();
    all.push(message("tools/call", json!({ "name": "edit", "_meta": meta })));
    all.push(message("tools/call", json!({ "name": "about", "_meta": meta })));
    all.push(json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "_meta": meta } }));
    all.push(json!({ "jsonrpc": "2.0", "id": 7, "result": { "action": "accept", "_meta": meta } }));
    all
}

#[tokio::test]
async fn a_message_that_belongs_to_a_task_needs_to_be_its_makers() {
    let server = server(false, None).await;
    let mint = |subject: &str| server.mint("mcp edit edit:all").subject(subject).sign();
    let (alice, bob) = (mint("alice"), mint("bob"));
    make(&server, Some(&alice), "edit", json!({ "form": "2025-11-25", "task": "t" })).await;
    for sent in related(&json!({ "taskId": "t" })) {
        let ours = server.post(Some(&alice), &[], sent.to_string()).await.0;
        assert_eq!(ours.code(), "ok", "{sent}");
        let (theirs, ran) = server.post(Some(&bob), &[], sent.to_string()).await;
        assert_eq!((theirs.code(), ran.is_empty()), ("policy_denied", true), "{sent}");
        let (nobodys, ran) = server.post(None, &[], sent.to_string()).await;
        assert_eq!((nobodys.code(), ran.is_empty()), ("missing_token", true), "{sent}");
        let batch = Value::Array(vec![message("ping", json!({})), sent]).to_string();
        let (in_batch, ran) = server.post(Some(&bob), &[], batch).await;
        assert_eq!((in_batch.code(), ran.is_empty()), ("policy_denied", true));
    }
    // Nothing is related to `null`; what cannot be read is not.
    for (task, expected) in [
        (json!(null), "ok"),
        (json!({ "taskId": "unknown" }), "ok"),
        (json!({}), "invalid_message"),
        (json!("t"), "invalid_message"),
        (json!([{ "taskId": "t" }]), "invalid_message"),
        (json!({ "taskId": ["t"] }), "invalid_message"),
    ] {
        for sent in related(&task) {
            let answer = server.post(Some(&alice), &[], sent.to_string()).await.0;
            assert_eq!(answer.code(), expected, "{sent}");
        }
    }
    for (meta, expected) in
        [(json!(null), "ok"), (json!("t"), "invalid_message"), (json!([]), "invalid_message")]
    {
        let sent = json!({ "jsonrpc": "2.0", "id": 7, "result": { "_meta": meta } }).to_string();
        assert_eq!(server.post(Some(&alice), &[], sent).await.0.code(), expected, "{meta}");
    }
}
