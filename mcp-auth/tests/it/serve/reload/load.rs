//! Reload under load: every answer is right by the configuration before or after, and never by a mixture.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::http::Request;
use mcp_auth::McpAuth;
use mcp_auth::decision::Decision;
use serde_json::{Value, json};

use super::{Reloaded, first, server_of};

/// Two configurations that differ in two ways each: a mixture of them would give an answer that neither gives.
const CONFIGURATIONS: [super::Change; 2] = [
    |config, _| {
        first(config)["audiences"] = json!(["urn:even"]);
        first(config)["required_scopes"] = json!(["even"]);
    },
    |config, given| {
        first(config)["audiences"] = json!(["urn:odd"]);
        first(config)["required_scopes"] = json!(["odd"]);
        let servers = first(config)["authorization_servers"].as_array_mut().unwrap();
        servers.insert(0, json!(given.other_issuer.issuer()));
    },
];

/// Tokens, and what each configuration says of them.
const ROWS: [(&str, &str, [&str; 2]); 4] = [
    ("urn:even", "even", ["ok", "wrong_audience"]),
    ("urn:odd", "odd", ["wrong_audience", "ok"]),
    ("urn:even", "odd", ["insufficient_scope", "wrong_audience"]),
    ("urn:odd", "even", ["wrong_audience", "insufficient_scope"]),
];

async fn code_of(auth: &McpAuth, token: &str) -> &'static str {
    let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
    let (head, ()) = request.body(()).unwrap().into_parts();
    if auth.decide_seen(&head).is_some() {
        return "ok";
    }
    match auth.decide(&head).await {
        Decision::Forward(_) => "ok",
        Decision::Reply(reply) => reply.error.as_ref().map_or("none", mcp_auth::AuthError::code),
        _ => "undecided",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answer_is_right_by_the_old_or_the_new_configuration() {
    let server = Reloaded::with(CONFIGURATIONS[0]).await;
    let mint = |audience: &str, scope: &str| {
        server.issuer.mint().subject("alice").audience(audience).scope(scope).sign()
    };
    let tokens = Arc::new(ROWS.map(|(audience, scope, _)| mint(audience, scope)));
    assert_eq!(code_of(&server.auth, &tokens[0]).await, "ok");
    let fetched = server.fetched();
    // How many reloads were begun, and how many have returned.
    let (begun, returned) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let (auth, tokens) = (server.auth.clone(), tokens.clone());
        let (begun, returned, is_over) = (begun.clone(), returned.clone(), is_over.clone());
        tasks.push(tokio::spawn(async move {
            let mut asked = 0_usize;
            while !is_over.load(Ordering::SeqCst) || asked < 100 {
                for (row, token) in ROWS.iter().zip(tokens.iter()) {
                    let oldest = returned.load(Ordering::SeqCst);
                    let told = code_of(&auth, token).await;
                    let newest = begun.load(Ordering::SeqCst);
                    let is_right = (oldest..=newest).any(|reload| row.2[reload % 2] == told);
                    assert!(is_right, "{told} of {row:?}, reloads {oldest} to {newest}");
                    asked += 1;
                }
            }
        }));
    }
    for reload in 1..=200 {
        begun.store(reload, Ordering::SeqCst);
        server.reload(CONFIGURATIONS[reload % 2]).unwrap();
        returned.store(reload, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
    is_over.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(server.fetched(), fetched, "an issuer that did not change was asked again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_at_once_one_is_in_force_as_a_whole() {
    let server = Arc::new(Reloaded::with(CONFIGURATIONS[0]).await);
    let tokens = ROWS.map(|(audience, scope, _)| {
        server.issuer.mint().subject("alice").audience(audience).scope(scope).sign()
    });
    for _ in 0..50 {
        let both = CONFIGURATIONS.map(|change| {
            let reloading = server.clone();
            tokio::task::spawn_blocking(move || reloading.reload(change).unwrap())
        });
        for reload in both {
            reload.await.unwrap();
        }
        let mut codes = Vec::new();
        for token in &tokens {
            codes.push(code_of(&server.auth, token).await);
        }
        let is_of = |index: usize| ROWS.iter().map(|row| row.2[index]).eq(codes.iter().copied());
        assert!(is_of(0) || is_of(1), "{codes:?}");
    }
}

/// What is learnt of tasks and of the arguments that clients repeat in headers, through many configurations.
#[tokio::test]
async fn what_was_learnt_stays_known() {
    fn with_rules(config: &mut Value, _: &Reloaded) {
        first(config)["policy"] = json!({ "tools": { "write": ["read"] } });
        first(config)["known_tasks_only"] = json!(true);
        server_of(config)["require_subject"] = json!(true);
    }
    let server = Reloaded::with(with_rules).await;
    let ask = |subject: &'static str, message: Value| {
        let token = server.mint().subject(subject).sign();
        let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let auth = server.auth.clone();
        async move {
            let Decision::ReadBody(pending) = auth.decide(&head).await else { panic!() };
            pending.decide(&head, message.to_string().as_bytes()).await
        }
    };
    let call =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "write" } });
    let Decision::Forward(forward) = ask("alice", call).await else { panic!() };
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("content-type", axum::http::HeaderValue::from_static("application/json"));
    // The configuration is replaced while the call is carried out.
    server.reload(with_rules).unwrap();
    let mut filter = forward.respond(axum::http::StatusCode::OK, &mut headers);
    let made = json!({ "jsonrpc": "2.0", "id": 1, "result": { "task": { "taskId": "t1", "status": "working" } } });
    let _ = filter.push(made.to_string().as_bytes());
    let _ = filter.end();
    for _ in 0..3 {
        server.reload(with_rules).unwrap();
        for (subject, goes_on) in [("alice", true), ("bob", false)] {
            let get = json!({ "jsonrpc": "2.0", "id": 2, "method": "tasks/get", "params": { "taskId": "t1" } });
            let decision = ask(subject, get).await;
            assert_eq!(matches!(decision, Decision::Forward(_)), goes_on, "{subject}");
        }
    }
}
