//! The edge without tower: what an adapter of another language is made of.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Request, StatusCode, header};
use dev_issuer::{Algorithm, DevIssuer};
use futures_util::FutureExt as _;
use mcp_auth::decision::{Decision, Forward, Passage, Reply, ResponseFilter};
use mcp_auth::{AuthInfo, Config, McpAuth, ScopePolicy};
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
        .require_for_tool("admin", mcp_auth::policy::Requirement::default().roles(["admin"]))
}

/// The request as it may go on, or the answer.
async fn decide(auth: &McpAuth, token: &str, body: &Value) -> Result<Forward, Reply> {
    let request = Request::post("/mcp").header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {token}"));
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let body = body.to_string();
    let decision = match auth.decide(&parts).await {
        Decision::ReadBody(pending) => pending.decide(&parts, body.as_bytes()).await,
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
    assert_eq!(auth.authenticate(&token).await.unwrap().subject(), Some("alice"));
    assert_eq!(auth.authenticate("garbage").await.unwrap_err().code(), "malformed");
    assert!(auth.authenticate_for("/mcp", &token).await.unwrap().is_ok());
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

/// The filter for the response of a call of `open`, and its caller.
async fn opened(auth: &McpAuth, token: &str, media_type: &str) -> (ResponseFilter, AuthInfo) {
    let ask = message("tools/call", json!({ "name": "open" }));
    let forward = decide(auth, token, &ask).await.unwrap();
    let caller = forward.auth_info.clone().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
    (forward.respond(StatusCode::OK, &mut headers), caller)
}

#[tokio::test]
async fn a_stream_begins_with_its_data_wherever_that_is_cut() {
    let (issuer, auth) = server(Some(policy())).await;
    let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
    let stream = "text/event-stream; charset=utf-8";
    for start in [
        "id: 1\ndata:\n\ndata: 1\n\n",
        "id: 1\r\n\r\nevent: message\r\ndata:1\r\n\r\n",
        "\n: c\n\n",
    ] {
        let (mut filter, _) = opened(&auth, &token, stream).await;
        let mut sent = Vec::new();
        for byte in start.as_bytes().chunks(1) {
            if let Passage::Send(data) = filter.push(byte) {
                sent.extend_from_slice(&data);
            }
        }
        assert_eq!(String::from_utf8(sent).unwrap(), start, "without waiting for the end");
    }
    // What never begins is not held without bound.
    let (mut filter, _) = opened(&auth, &token, stream).await;
    let sent = (0..1000).find(|_| matches!(filter.push(&[b'x'; 100]), Passage::Send(_)));
    assert!(sent.is_some());
}

#[tokio::test]
async fn nothing_is_sent_before_there_is_something() {
    let (issuer, auth) = server(Some(policy())).await;
    let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
    for media_type in ["application/json", "text/event-stream"] {
        let (mut filter, caller) = opened(&auth, &token, media_type).await;
        assert!(matches!(filter.push(b""), Passage::Hold));
        assert!(caller.require(["notes:write"]).is_err());
        let Passage::Replace(reply) = filter.push(b"data: 1\n\n") else { panic!("a challenge") };
        assert_eq!(reply.status, 403);
        assert!(matches!(filter.push(b"data: 2\n\n"), Passage::CutOff));
        assert!(matches!(filter.end(), Passage::CutOff));
    }
    let withheld = [
        ("text/event-stream", "data: {\"result\":{\"tools\":7}}\n\n"),
        ("application/json", "\u{feff}{\"result\":{\"tools\":[{\"name\":\"admin\"}]}}"),
    ];
    for (media_type, body) in withheld {
        let (status, text) =
            respond(decide_list(&auth, &token).await, media_type, body, 1_000).unwrap();
        assert_eq!((status, text.contains("admin")), (500, false), "{media_type}");
    }
    // A service that encodes although it was asked not to.
    let forward = decide_list(&auth, &token).await;
    let mut request = HeaderMap::new();
    request.insert(header::ACCEPT_ENCODING, "gzip, br".parse().unwrap());
    request.insert(header::AUTHORIZATION, "Bearer x".parse().unwrap());
    forward.prepare_request(&mut request);
    assert_eq!(request[header::ACCEPT_ENCODING], "identity");
    assert!(!request.contains_key(header::AUTHORIZATION));
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    headers.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
    let mut filter = forward.respond(StatusCode::OK, &mut headers);
    assert!(!filter.is_transparent());
    assert!(matches!(filter.end(), Passage::Replace(reply) if reply.status == 500));
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
    let mut waiting = Box::pin(auth.authenticate(&first));
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
        assert!(auth.authenticate(&token()).now_or_never().unwrap().is_ok());
    }
    assert!(queue.lock().unwrap().is_empty());
}

#[test]
fn slow_signatures_are_checked_in_the_background_where_that_is_asked_for() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let issuer = runtime.block_on(DevIssuer::start()).unwrap();
    let queue = Queue::default();
    let spawned = queue.clone();
    let builder = McpAuth::builder(Config::new(RESOURCE, issuer.issuer()).unwrap());
    let builder = builder.spawn_with(move |work| spawned.lock().unwrap().push(work));
    let auth = builder.spawn_slow_checks().build().unwrap();
    let token = |algorithm| issuer.mint().audience(RESOURCE).algorithm(algorithm).sign();
    // Their keys exist from their first token on.
    let _ = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512].map(token);
    // How much work that was in the background, and what came of it.
    let verify = |token: &str| {
        let mut waiting = Box::pin(auth.authenticate(token));
        let mut works = 0;
        loop {
            if let Some(verified) = waiting.as_mut().now_or_never() {
                return (works, verified.map_or_else(|error| error.code(), |_| "ok"));
            }
            let work = queue.lock().unwrap().pop().unwrap();
            runtime.block_on(work);
            works += 1;
        }
    };
    assert_eq!(verify(&token(Algorithm::Es256)), (1, "ok"), "the keys are fetched");
    assert_eq!(verify(&token(Algorithm::Es256)), (0, "ok"));
    for algorithm in [Algorithm::Es384, Algorithm::Es512] {
        let (good, other) = (token(algorithm), token(algorithm));
        let ((signed, _), (_, signature)) =
            (good.rsplit_once('.').unwrap(), other.rsplit_once('.').unwrap());
        assert_eq!(verify(&format!("{signed}.{signature}")), (1, "bad_signature"));
        assert_eq!(verify(&good), (1, "ok"));
        assert_eq!(verify(&good), (0, "ok"), "it was seen before");
    }

    let tokens: Vec<_> = (0..20).map(|_| token(Algorithm::Es384)).collect();
    let mut waiting: Vec<_> =
        tokens.iter().map(|token| Box::pin(auth.authenticate(token))).collect();
    waiting.retain_mut(|verified| match verified.as_mut().now_or_never() {
        Some(verified) => verified.is_err(),
        None => true,
    });
    assert_eq!(waiting.len(), 16, "the others are checked at once");
    let work: Vec<_> = queue.lock().unwrap().drain(..).collect();
    work.into_iter().for_each(|work| runtime.block_on(work));
    assert!(waiting.into_iter().all(|verified| verified.now_or_never().unwrap().is_ok()));
    assert_eq!(verify(&token(Algorithm::Es384)), (1, "ok"), "there is room again");
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
            let error = lost.authenticate(&token).now_or_never().unwrap().unwrap_err();
            assert_eq!(error.code(), "unavailable");
        }
    }
    let handle = runtime.handle().clone();
    let inline = McpAuth::builder(config).spawn_with(move |work| handle.block_on(work));
    let inline = inline.build().unwrap();
    for token in tokens() {
        assert!(inline.authenticate(&token).now_or_never().unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_token_that_was_accepted_before_is_decided_at_once() {
    let (issuer, auth) = server(None).await;
    let token = issuer.mint().audience(RESOURCE).sign();
    let request = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        request.body(()).unwrap().into_parts().0
    };
    let get = request("GET", "/mcp");
    assert!(auth.decide_seen(&get).is_none(), "not accepted yet");
    assert!(auth.authenticate_seen(&token).is_none());
    assert!(matches!(auth.decide(&get).await, Decision::Forward(_)));
    assert_eq!(auth.authenticate_seen(&token).unwrap().subject(), Some("alice"));
    let forward = auth.decide_seen(&get).unwrap();
    assert!(forward.only_seals_sessions() && !forward.passes_every_response());
    assert!(forward.withholds("Authorization") && !forward.withholds("accept-encoding"));
    // Its handler may ask for more scopes.
    let post = auth.decide_seen(&request("POST", "/mcp")).unwrap();
    assert!(!post.only_seals_sessions() && !post.passes_every_response());
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    config.resources[0].dangerous_unbound_sessions = true;
    let Decision::Forward(unbound) = McpAuth::new(config).unwrap().decide(&get).await else {
        panic!("the token is good");
    };
    assert!(unbound.passes_every_response() && !unbound.only_seals_sessions());
    assert!(auth.decide_seen(&request("OPTIONS", "/mcp")).is_none());
    let document = request("GET", "/.well-known/oauth-protected-resource/mcp");
    assert!(auth.decide_seen(&document).is_none());
}

#[tokio::test]
async fn no_encoding_is_asked_for_where_lists_are_read() {
    let (issuer, auth) = server(Some(policy())).await;
    let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
    let forward = decide_list(&auth, &token).await;
    assert!(forward.withholds("accept-encoding") && !forward.passes_every_response());
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT_ENCODING, "gzip".parse().unwrap());
    forward.prepare_request(&mut headers);
    assert_eq!(headers[header::ACCEPT_ENCODING], "identity");
}

#[tokio::test]
async fn only_a_stream_that_nobody_asks_more_scopes_in_begins_at_once() {
    let (issuer, auth) = server(Some(policy())).await;
    let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
    let request = Request::get("/mcp").header("authorization", format!("Bearer {token}"));
    let request = request.body(()).unwrap().into_parts().0;
    let Decision::Forward(forward) = auth.decide(&request).await else { panic!("a stream") };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "text/event-stream".parse().unwrap());
    let mut filter = forward.respond(StatusCode::OK, &mut headers);
    assert!(filter.begin_at_once());
    assert!(matches!(filter.push(b"data: nonsense\n\n"), Passage::Send(_) | Passage::CutOff));
    let (mut filter, _) = opened(&auth, &token, "text/event-stream").await;
    assert!(!filter.begin_at_once(), "its handler may");
}

#[test]
fn a_caller_is_described_in_json() {
    let describe = |claims: Value| -> Value {
        let caller = AuthInfo::from_verified_claims(claims.as_object().unwrap().clone()).unwrap();
        serde_json::from_str(caller.json()).unwrap()
    };
    let claims = json!({ "iss": "https://issuer.example", "sub": "a \"b\"\n", "client_id": "app",
        "scope": "one two", "aud": "x", "exp": 7, "more": { "n": 1.5 } });
    assert_eq!(
        describe(claims.clone()),
        json!({ "issuer": "https://issuer.example", "subject": "a \"b\"\n", "client_id": "app",
            "scopes": ["one", "two"], "audience": ["x"], "expires_at": 7, "principal": "unknown",
            "key": ["https://issuer.example", "a \"b\"\n"], "claims": claims })
    );
    let few = json!({ "iss": "i" });
    assert_eq!(
        describe(few.clone()),
        json!({ "issuer": "i", "scopes": [], "audience": [], "principal": "unknown",
            "key": ["i", null], "claims": few })
    );
}

#[tokio::test]
async fn what_was_computed_of_a_list_before_it_is_filtered_does_not_stay() {
    let (issuer, auth) = server(Some(policy())).await;
    let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
    let call = message("tools/call", json!({ "name": "open", "arguments": {} }));
    for asked in [message("tools/list", json!({})), call] {
        let forward = decide(&auth, &token, &asked).await.unwrap();
        let mut headers = HeaderMap::new();
        for name in ["etag", "content-md5", "digest", "repr-digest", "last-modified", "x-other"] {
            headers.insert(name, "of-the-whole".parse().unwrap());
        }
        let _ = forward.respond(StatusCode::OK, &mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-other"]);
    }
    let (issuer, auth) = server(None).await;
    let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
    let forward = decide(&auth, &token, &message("tools/list", json!({}))).await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("etag", "of-the-whole".parse().unwrap());
    let _ = forward.respond(StatusCode::OK, &mut headers);
    assert!(headers.contains_key("etag"), "nothing is filtered without a policy");
}
