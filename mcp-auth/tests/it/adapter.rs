//! The edge without tower: what an adapter of another language is made of.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Request, StatusCode, header};
use dev_issuer::DevIssuer;
use futures_util::FutureExt as _;
use mcp_auth::{Config, Decision, Forward, McpAuth, Passage, Reply, ScopePolicy};
use serde_json::{Value, json};

use crate::support::RESOURCE;

async fn server(policy: Option<ScopePolicy>) -> (DevIssuer, McpAuth) {
    let issuer = DevIssuer::start().await.unwrap();
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    config.resources[0].policy = policy;
    (issuer, McpAuth::new(config).unwrap())
}

fn policy() -> ScopePolicy {
    ScopePolicy::new()
        .require_for_tool("open", ["notes:read"])
        .require_for_tool("admin", mcp_auth::Requirement::default().roles(["admin"]))
}

/// The request as it may go on, or the answer.
async fn decide(auth: &McpAuth, token: &str, body: &Value) -> Result<Forward, Reply> {
    let request = Request::post("/mcp").header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {token}"));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let body = body.to_string();
    let decision = match auth.decide(&parts).await {
        Decision::ReadBody(pending) => pending.decide(&parts, body.as_bytes()),
        decision => decision,
    };
    match decision {
        Decision::Forward(forward) => {
            forward.remove_tokens(&mut parts.headers);
            assert!(!parts.headers.contains_key("authorization"));
            Ok(forward)
        }
        Decision::Reply(reply) => Err(reply),
        other => panic!("{other:?}"),
    }
}

/// The whole response that a client gets, given in pieces of this size; `None` when it breaks off.
fn respond(forward: Forward, media_type: &str, body: &str, size: usize) -> Option<(u16, String)> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    let mut filter = forward.respond(StatusCode::OK, &mut headers);
    assert!(headers.contains_key(header::CONTENT_LENGTH) || !filter.is_transparent());
    let mut sent = Vec::new();
    let mut take = |passage: Passage| match passage {
        Passage::Hold => None,
        Passage::Send(data) => {
            sent.extend_from_slice(&data);
            None
        }
        Passage::Replace(reply) => {
            assert!(sent.is_empty(), "nothing was sent before");
            Some(Some((reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())))
        }
        _ => Some(None),
    };
    for chunk in body.as_bytes().chunks(size) {
        if let Some(end) = take(filter.push(chunk)) {
            return end;
        }
    }
    if let Some(end) = take(filter.end()) {
        return end;
    }
    Some((200, String::from_utf8(sent).unwrap()))
}

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

#[tokio::test]
async fn metadata_challenges_and_callers_are_decided_in_one_call() {
    let (issuer, auth) = server(None).await;
    let get = |path: &str| Request::get(path).body(()).unwrap().into_parts().0;
    let Decision::Reply(reply) =
        auth.decide(&get("/.well-known/oauth-protected-resource/mcp")).await
    else {
        panic!("a document")
    };
    assert_eq!(reply.status, 200);
    let Decision::Reply(reply) = auth.decide(&get("/mcp")).await else { panic!("a challenge") };
    assert_eq!(reply.status, 401);
    let token = issuer.mint().audience(RESOURCE).sign();
    let forward = decide(&auth, &token, &message("ping", json!({}))).await.unwrap();
    assert_eq!(forward.auth_info.as_ref().unwrap().subject(), Some("alice"));
    assert_eq!(
        respond(forward, "application/json", r#"{"tools":[]}"#, 3).unwrap().1,
        r#"{"tools":[]}"#
    );
    assert_eq!(auth.verify_token(&token).await.unwrap().subject(), Some("alice"));
    assert_eq!(auth.verify_token("garbage").await.unwrap_err().code(), "malformed");
    assert!(auth.verify_token_for("/mcp", &token).await.unwrap().is_ok());
}

#[tokio::test]
async fn lists_are_filtered_in_documents_and_streams_however_they_are_cut() {
    let (issuer, auth) = server(Some(policy())).await;
    let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
    let list = json!({ "jsonrpc": "2.0", "id": 1,
        "result": { "tools": [{ "name": "open" }, { "name": "admin" }] } });
    let event = format!(": hello\n\nevent: message\ndata: {list}\n\n");
    for size in [1, 7, 10_000] {
        for (media_type, body) in
            [("application/json", list.to_string()), ("text/event-stream", event.clone())]
        {
            let ask = message("tools/list", json!({}));
            let forward = decide(&auth, &token, &ask).await.unwrap();
            let (status, text) = respond(forward, media_type, &body, size).unwrap();
            assert_eq!(status, 200);
            assert!(text.contains("open") && !text.contains("admin"), "{text}");
        }
    }
    let ask = || decide_list(&auth, &token);
    assert_eq!(respond(ask().await, "application/json", "[", 1).unwrap().0, 500);
    let broken = "data: {\"result\":{\"tools\":7}}\n\n";
    assert!(respond(ask().await, "text/event-stream", &format!(":\n\n{broken}"), 5).is_none());
    let refused = decide(&auth, &token, &message("tools/call", json!({ "name": "admin" }))).await;
    assert_eq!(refused.unwrap_err().status, 403);
}

async fn decide_list(auth: &McpAuth, token: &str) -> Forward {
    decide(auth, token, &message("tools/list", json!({}))).await.unwrap()
}

#[tokio::test]
async fn a_handler_that_needs_more_scopes_turns_its_response_into_a_challenge() {
    for policy in [None, Some(policy())] {
        let (issuer, auth) = server(policy).await;
        let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
        for media_type in ["application/json", "text/event-stream"] {
            let ask = message("tools/call", json!({ "name": "open" }));
            let forward = decide(&auth, &token, &ask).await.unwrap();
            let caller = forward.auth_info.clone().unwrap();
            assert!(caller.require(["notes:write"]).is_err());
            let body = "data: {\"error\":1}\n\n";
            let (status, text) = respond(forward, media_type, body, 4).unwrap();
            assert_eq!(status, 403, "{media_type}");
            assert!(text.contains("insufficient_scope"));
        }
        // Too late: the stream has begun.
        let ask = message("tools/call", json!({ "name": "open" }));
        let forward = decide(&auth, &token, &ask).await.unwrap();
        let caller = forward.auth_info.clone().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "text/event-stream".parse().unwrap());
        let mut filter = forward.respond(StatusCode::OK, &mut headers);
        assert!(matches!(filter.push(b"id: 1\n\n"), Passage::Hold), "no data yet");
        assert!(matches!(filter.push(b"data: 1\n\n"), Passage::Send(_)));
        assert!(caller.require(["notes:write"]).is_err());
        assert!(matches!(filter.push(b"data: 2\n\n"), Passage::Send(_)));
        assert!(matches!(filter.end(), Passage::Send(_)));
    }
}

/// Work that waits for a runtime.
type Queue = Arc<Mutex<Vec<futures_util::future::BoxFuture<'static, ()>>>>;

#[test]
fn without_a_runtime_what_needs_no_answer_is_decided_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let issuer = runtime.block_on(DevIssuer::start()).unwrap();
    let queue = Queue::default();
    let spawned = queue.clone();
    let config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    let builder = McpAuth::builder(config);
    let auth = builder.spawn_with(move |work| spawned.lock().unwrap().push(work)).build().unwrap();
    let token = || issuer.mint().audience(RESOURCE).sign();

    // No runtime here: the keys are asked for, and the answer is waited for.
    let first = token();
    let mut waiting = Box::pin(auth.verify_token(&first));
    assert!(waiting.as_mut().now_or_never().is_none());
    let work: Vec<_> = queue.lock().unwrap().drain(..).collect();
    assert_eq!(work.len(), 1);
    runtime.block_on(async {
        for work in work {
            work.await;
        }
    });
    assert!(waiting.now_or_never().unwrap().is_ok());
    for _ in 0..3 {
        assert!(auth.verify_token(&token()).now_or_never().unwrap().is_ok());
    }
    assert!(queue.lock().unwrap().is_empty());
}

#[test]
fn work_that_is_dropped_or_done_at_once_is_an_answer_and_no_standstill() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let issuer = runtime.block_on(DevIssuer::start()).unwrap();
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    config.resources[0].authorization_servers[0].introspection =
        Some(mcp_auth::Introspection::new("dev", "dev"));
    let tokens =
        || [issuer.mint().audience(RESOURCE).sign(), issuer.mint().audience(RESOURCE).opaque()];

    let lost = McpAuth::builder(config.clone()).spawn_with(drop).build().unwrap();
    for token in tokens() {
        for _ in 0..2 {
            let error = lost.verify_token(&token).now_or_never().unwrap().unwrap_err();
            assert_eq!(error.code(), "unavailable");
        }
    }
    let handle = runtime.handle().clone();
    let inline = McpAuth::builder(config).spawn_with(move |work| handle.block_on(work));
    let inline = inline.build().unwrap();
    for token in tokens() {
        assert!(inline.verify_token(&token).now_or_never().unwrap().is_ok());
    }
}
