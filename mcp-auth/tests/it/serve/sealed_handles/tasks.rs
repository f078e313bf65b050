//! Identifiers of tasks.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{HandleServer, assert_unknown, message};
use crate::support::{Answer, send};

/// As servers answer in both revisions that have tasks. The task is the one that the request names, or `t1`.
fn of_tasks(request: &Value) -> Value {
    let named = request["params"]["taskId"].as_str().unwrap_or("t1");
    let related = json!({ "io.modelcontextprotocol/related-task": { "taskId": named } });
    match request["method"].as_str() {
        Some("tools/call") => match request["params"]["arguments"]["form"].as_str() {
            Some("2025-11-25") => json!({ "task": { "taskId": "t1", "status": "working" } }),
            Some("2026-07-28") => json!({ "resultType": "task", "taskId": "t1", "ttlMs": 5 }),
            Some("none") => json!({ "content": [], "taskId": "t9", "_meta": {
                "io.modelcontextprotocol/related-task": { "taskId": "t9" } } }),
            other => json!({ "task": { "taskId": other } }),
        },
        Some("tasks/list") => json!({ "tasks": [
            { "taskId": "t1", "status": "working" }, { "taskId": "of-bob" }, { "note": 1.0 } ] }),
        Some("tasks/result") => json!({ "content": [], "_meta": related }),
        Some("subscriptions/listen") => json!({
            "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
            "params": { "notifications": { "taskIds": request["params"]["notifications"]["taskIds"] } } }),
        Some("notify") => json!({
            "jsonrpc": "2.0", "method": "notifications/tasks/status",
            "params": { "taskId": request["params"]["about"], "_meta": related } }),
        Some("ask") => json!({
            "jsonrpc": "2.0", "id": 1, "method": "tasks/get",
            "params": { "taskId": request["params"]["about"] } }),
        _ => json!({ "taskId": named, "status": "working" }),
    }
}

async fn make(server: &HandleServer, token: &str, form: &str) -> Answer {
    let params = json!({ "name": "slow", "arguments": { "form": form } });
    server.call(token, "tools/call", params).await
}

/// The identifier of a task as its maker gets it.
async fn made(server: &HandleServer, token: &str, form: &str) -> String {
    let answer = make(server, token, form).await.json();
    let result = &answer["result"];
    let task =
        if result["task"].is_object() { &result["task"]["taskId"] } else { &result["taskId"] };
    task.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_server_sees_its_own_identifiers_and_a_client_sealed_ones() {
    let server = HandleServer::start(of_tasks).await;
    let alice = server.alice();
    for form in ["2025-11-25", "2026-07-28"] {
        let sealed = made(&server, &alice, form).await;
        assert!(sealed.starts_with("t1.") && sealed.len() == 25, "{sealed}");
        server.seen();
        for method in ["tasks/get", "tasks/result", "tasks/cancel", "tasks/update", "vendor/see"] {
            let answer = server.call(&alice, method, json!({ "taskId": sealed })).await.json();
            let result = &answer["result"];
            let related = &result["_meta"]["io.modelcontextprotocol/related-task"]["taskId"];
            let told = if method == "tasks/result" { related } else { &result["taskId"] };
            assert_eq!(*told, json!(sealed), "{method}");
            assert_eq!(server.seen()[0].body["params"], json!({ "taskId": "t1" }), "{method}");
        }
        let listed = server.call(&alice, "tasks/list", json!({})).await;
        let tasks = r#"[{"status":"working","taskId":"SEALED"},{"note":1.0}]"#;
        let text = String::from_utf8(listed.body.to_vec()).unwrap();
        assert!(text.contains(&tasks.replace("SEALED", &sealed)), "{text}");
        let listen = json!({ "notifications": { "taskIds": [sealed] } });
        let answer = server.call(&alice, "subscriptions/listen", listen.clone()).await;
        assert_eq!(answer.json()["params"], listen);
    }
}

#[tokio::test]
async fn the_answer_to_a_stranger_is_that_of_an_unknown_task() {
    let server = HandleServer::start(of_tasks).await;
    let sealed = made(&server, &server.alice(), "2025-11-25").await;
    server.seen();
    let cut = &sealed[..sealed.len() - 1];
    let others = ["t1", "", ".", cut, "t1.AAAAAAAAAAAAAAAAAAAAAA"];
    let tokens = [
        (server.alice(), &others[..]),
        (server.token("bob", "app"), &[&*sealed, "t1"]),
        (server.token("alice", "other"), &[&*sealed, "t1"]),
    ];
    for (token, tasks) in &tokens {
        for task in *tasks {
            let related = json!({ "io.modelcontextprotocol/related-task": { "taskId": task } });
            let rows = [
                ("tasks/get", json!({ "taskId": task })),
                ("tasks/result", json!({ "taskId": task })),
                ("vendor/see", json!({ "taskId": task })),
                ("tools/call", json!({ "name": "slow", "_meta": related })),
                ("subscriptions/listen", json!({ "notifications": { "taskIds": [task] } })),
            ];
            for (method, params) in rows {
                let answer = server.call(token, method, params).await;
                assert_unknown(&answer, "unknown_task", "Task not found");
            }
            // What has no answer of its own is an error of HTTP, and so is one message of a batch.
            let note = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                "params": { "_meta": related } });
            let reply = json!({ "jsonrpc": "2.0", "id": 1, "result": { "_meta": related } });
            let batch = json!([
                message("ping", json!({})),
                message("tasks/get", json!({ "taskId": task }))
            ]);
            for body in [note, reply, batch] {
                let answer = server.post(token, &[], &body).await;
                assert_eq!(
                    (answer.status, answer.code()),
                    (StatusCode::BAD_REQUEST, "unknown_task")
                );
                assert_eq!(answer.json()["error"]["code"], -32602);
            }
        }
    }
    assert!(server.seen().is_empty());
    // A task that is no text is none.
    let answer = server.call(&server.alice(), "vendor/see", json!({ "taskId": 5 })).await;
    assert_unknown(&answer, "unknown_task", "Task not found");
}

#[tokio::test]
async fn no_identifier_is_sealed_for_whoever_did_not_get_it() {
    let server = HandleServer::start(of_tasks).await;
    let (alice, bob) = (server.alice(), server.token("bob", "app"));
    make(&server, &alice, "2025-11-25").await;
    // Whoever has the server say it in another answer, or in one that makes another's task anew.
    let rows = [
        ("vendor/echo", json!({}), "t1"),
        ("notify", json!({ "about": "t1" }), "t1"),
        ("tools/call", json!({ "name": "slow", "arguments": { "form": "2025-11-25" } }), "t1"),
        ("tools/call", json!({ "name": "slow", "arguments": { "form": "none" } }), "t9"),
        ("tasks/list", json!({}), "t1"),
    ];
    for (method, params, task) in rows {
        let answer = server.call(&bob, method, params).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(answer.code(), "ok");
        assert!(!text.contains(&format!("{task}.")), "{method}: {text}");
    }
    let listed = server.call(&bob, "tasks/list", json!({})).await.json();
    assert_eq!(listed["result"]["tasks"], json!([{ "note": 1.0 }]));
    // A task that the client made itself is its own: the server names it as it was named.
    let asked = server.call(&alice, "ask", json!({ "about": "t1" })).await.json();
    assert_eq!(asked["params"]["taskId"], "t1");
    let own = json!({ "jsonrpc": "2.0", "method": "notifications/tasks/status", "params": { "taskId": "x" } });
    assert_eq!(server.post(&alice, &[], &own).await.code(), "ok");
}

#[tokio::test]
async fn streams_are_sealed_event_by_event_and_batches_message_by_message() {
    let server = HandleServer::start(of_tasks).await;
    let alice = server.alice();
    let sealed = made(&server, &alice, "2025-11-25").await;
    let accept = [("accept", "text/event-stream")];
    let get = message("tasks/get", json!({ "taskId": sealed }));
    let answer = server.post(&alice, &accept, &get).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains(&format!(r#""taskId":"{sealed}""#)), "{text}");
    // On the stream of a session, answers come that were asked for elsewhere; tasks of others do not.
    let answer = server.post(&alice, &accept, &message("notify", json!({ "about": "t1" }))).await;
    assert!(String::from_utf8(answer.body.to_vec()).unwrap().contains(&sealed));
    server.seen();
    let result = message("tasks/result", json!({ "taskId": sealed }));
    let answer = server.post(&alice, &[], &json!([get, result, message("ping", json!({}))])).await;
    let told = String::from_utf8(answer.body.to_vec()).unwrap();
    assert_eq!(told.matches(&*sealed).count(), 3, "{told}");
    let seen = &server.seen()[0].body;
    assert_eq!(seen[0]["params"]["taskId"], "t1");
    assert_eq!(seen[1]["params"]["taskId"], "t1");
}

#[tokio::test]
async fn the_header_that_repeats_a_task_is_opened_with_it() {
    let server = HandleServer::start(
        |request| json!({ "task": { "taskId": request["params"]["arguments"]["id"] } }),
    )
    .await;
    let alice = server.alice();
    let rows = [
        ("t1", "t1"),
        ("a b", "a b"),
        (" t", "=?base64?IHQ=?="),
        ("é", "=?base64?w6k=?="),
        ("=?base64?dA==?=", "=?base64?PT9iYXNlNjQ/ZEE9PT89?="),
    ];
    for (task, expected) in rows {
        let params = json!({ "name": "slow", "arguments": { "id": task } });
        let answer = server.call(&alice, "tools/call", params).await.json();
        let sealed = answer["result"]["task"]["taskId"].as_str().unwrap().to_owned();
        server.seen();
        let encoded = format!("=?base64?{}?=", encode(&sealed));
        let body = message("tasks/get", json!({ "taskId": sealed }));
        let answer = server.post(&alice, &[("mcp-name", &encoded)], &body).await;
        assert_eq!(answer.code(), "ok", "{task}");
        let seen = &server.seen()[0];
        assert_eq!(seen.headers["mcp-name"], expected);
        assert_eq!(seen.body["params"]["taskId"], task);
        // One that says something else is refused as before.
        let answer = server.post(&alice, &[("mcp-name", "t1")], &body).await;
        assert_eq!(answer.code(), "header_mismatch");
    }
}

fn encode(text: &str) -> String {
    use base64_simd::STANDARD;
    STANDARD.encode_to_string(text)
}

#[tokio::test]
async fn instances_with_the_same_keys_open_what_the_others_have_sealed() {
    let server = HandleServer::start(of_tasks).await;
    let alice = server.alice();
    let sealed = made(&server, &alice, "2025-11-25").await;
    let (old, new) = ("a-key-of-thirty-two-characters-1", "a-key-of-thirty-two-characters-2");
    let rows: [(&[&str], &str); 4] =
        [(&[old], "ok"), (&[new, old], "ok"), (&[new], "unknown_task"), (&[], "unknown_task")];
    for (keys, code) in rows {
        let keys: Vec<mcp_auth::settings::Secret> = keys.iter().map(|key| (*key).into()).collect();
        let instance = server.instance(|config| config.handle_keys = keys, of_tasks);
        let answer = instance.call(&alice, "tasks/get", json!({ "taskId": sealed })).await;
        assert_eq!(answer.code(), code);
    }
    // For another resource, and as another kind of handle, it was not given.
    let elsewhere = server.instance(
        |config| {
            let mut other = config.resources[0].clone();
            other.resource = "https://mcp.example.com/other".to_owned();
            config.resources.push(other);
        },
        of_tasks,
    );
    let token = server.issuer.mint().subject("alice").client_id("app");
    let token = token.audience("https://mcp.example.com/other").sign();
    let body = message("tasks/get", json!({ "taskId": sealed }));
    let request = Request::post("/other")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"));
    let answer = send(elsewhere.app, request.body(Body::from(body.to_string())).unwrap()).await;
    assert!(
        answer.code() == "unknown_task" || answer.status == StatusCode::NOT_FOUND,
        "{answer:?}"
    );
    let params = json!({ "name": "slow", "requestState": sealed });
    assert_eq!(server.call(&alice, "tools/call", params).await.code(), "unknown_state");
}

/// With a policy as well, the call that made a task is judged besides, and only of a task that is the caller's.
#[tokio::test]
async fn a_policy_judges_the_call_that_made_a_task_by_the_servers_own_identifier() {
    let policy = json!({ "tools": { "slow": { "all_of": ["slow"] } } });
    let server = HandleServer::with(
        |config| config.resources[0].policy = Some(serde_json::from_value(policy).unwrap()),
        of_tasks,
    )
    .await;
    let mint = |user: &str, scope: &str| {
        server.issuer.mint().subject(user).audience(crate::support::RESOURCE).scope(scope).sign()
    };
    let sealed = made(&server, &mint("alice", "slow"), "2026-07-28").await;
    let get = || json!({ "taskId": sealed });
    assert_eq!(server.call(&mint("alice", "slow"), "tasks/get", get()).await.code(), "ok");
    let answer = server.call(&mint("alice", "other"), "tasks/get", get()).await;
    assert_eq!(answer.code(), "insufficient_scope");
    // Of another caller's nothing is told, neither whose it is nor what it needs.
    for scope in ["slow", "other"] {
        let answer = server.call(&mint("bob", scope), "tasks/get", get()).await;
        assert_unknown(&answer, "unknown_task", "Task not found");
    }
    // Whoever is not let in at all learns nothing of tasks.
    let request = Request::post("/mcp").header("content-type", "application/json");
    let body = message("tasks/get", get()).to_string();
    let answer = send(server.app.clone(), request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

/// Some readers look at no letter case: to the server behind, each of these would name a task.
#[tokio::test]
async fn no_identifier_goes_on_in_a_member_in_other_letters() {
    let server = HandleServer::start(of_tasks).await;
    let bob = server.token("bob", "app");
    let own = made(&server, &bob, "bobs").await;
    server.seen();
    let related =
        |member: &str| json!({ "io.modelcontextprotocol/related-task": { member: "t1" } });
    let bodies = [
        message("tasks/get", json!({ "TaskId": "t1" })),
        message("tasks/get", json!({ "taskId": own, "taskid": "t1" })),
        message("tasks/get", json!({ "ta\u{17f}\u{212a}\u{131}d": "t1" })),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/get", "Params": { "taskId": "t1" } }),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "METHOD": "tasks/get",
            "params": { "taskId": own } }),
        message("tools/call", json!({ "name": "slow", "requeststate": "s" })),
        message("tools/call", json!({ "name": "slow", "_Meta": related("taskId") })),
        message("tools/call", json!({ "name": "slow", "_meta": related("TaskId") })),
        message(
            "tools/call",
            json!({ "name": "slow",
            "_meta": { "IO.modelcontextprotocol/related-task": { "taskId": "t1" } } }),
        ),
        message("subscriptions/listen", json!({ "notifications": { "TaskIds": ["t1"] } })),
        json!({ "jsonrpc": "2.0", "id": 1, "result": { "_Meta": related("taskId") } }),
    ];
    for body in bodies {
        for sent in [body.clone(), json!([body])] {
            let answer = server.post(&bob, &[], &sent).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{sent}");
        }
    }
    assert!(server.seen().is_empty());
    // What nobody looks at may be written in any way.
    for params in [
        json!({ "name": "slow", "arguments": { "TaskId": "t1", "Name": 1 } }),
        json!({ "name": "slow", "Note": 1 }),
    ] {
        assert_eq!(server.call(&bob, "tools/call", params).await.status, 200);
    }
}
