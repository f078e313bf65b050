//! Identifiers of events.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{HandleServer, message};
use crate::support::{Answer, send};

fn anything(_: &Value) -> Value {
    json!({})
}

async fn resume(server: &HandleServer, token: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get("/mcp").header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(server.app.clone(), request.body(Body::empty()).unwrap()).await
}

/// The identifiers of the events in a stream.
fn ids(answer: &Answer) -> Vec<String> {
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_stream_is_taken_up_again_by_whoever_had_it() {
    let server = HandleServer::start(anything).await;
    let alice = server.alice();
    let accept = ("accept", "text/event-stream");
    let ping = message("ping", json!({}));
    let posted = server.post(&alice, &[accept], &ping).await;
    let opened = resume(&server, &alice, &[accept]).await;
    for answer in [posted, opened] {
        let [first, second] = &*ids(&answer) else { panic!("{answer:?}") };
        assert!(first.starts_with("e1.") && second.starts_with("e2."), "{first} {second}");
        server.seen();
        let answer = resume(&server, &alice, &[("last-event-id", second)]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(server.seen()[0].headers["last-event-id"], "e2");
        let others = [
            (server.token("bob", "app"), &**second),
            (server.token("alice", "other"), &**second),
            (server.alice(), "e2"),
            (server.alice(), ""),
            (server.alice(), &second[..second.len() - 1]),
        ];
        for (token, event) in &others {
            let answer = resume(&server, token, &[("last-event-id", event)]).await;
            assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "unknown_event"));
        }
        let both = [("last-event-id", &**second), ("last-event-id", &**first)];
        assert_eq!(resume(&server, &alice, &both).await.code(), "unknown_event");
        assert!(server.seen().is_empty());
    }
}

/// Begins a session of this name: its identifier with a tag where sessions are bound, and the last event of the answer.
async fn begin(server: &HandleServer, token: &str, session: &str) -> (String, String) {
    let initialize = message("initialize", json!({ "session": session }));
    let answer = server.post(token, &[("accept", "text/event-stream")], &initialize).await;
    let given = answer.header("mcp-session-id").unwrap().to_owned();
    (given, ids(&answer).pop().unwrap())
}

#[tokio::test]
async fn an_event_opens_in_its_session_alone() {
    let bound = HandleServer::start(anything).await;
    let unbound =
        bound.instance(|config| config.resources[0].dangerous_unbound_sessions = true, anything);
    for server in [bound, unbound] {
        let (alice, bob) = (server.alice(), server.token("bob", "app"));
        let accept = ("accept", "text/event-stream");
        let (first, of_initialize) = begin(&server, &alice, "s1").await;
        let (second, _) = begin(&server, &alice, "s2").await;
        let (bobs, _) = begin(&server, &bob, "s3").await;
        let in_first = ("mcp-session-id", &*first);
        let posted = server.post(&alice, &[accept, in_first], &message("ping", json!({}))).await;
        let opened = resume(&server, &alice, &[accept, in_first]).await;
        let of_none = ids(&resume(&server, &alice, &[accept]).await).pop().unwrap();
        let renewed = server.alice();
        for event in [of_initialize, ids(&posted).pop().unwrap(), ids(&opened).pop().unwrap()] {
            let named = ("last-event-id", &*event);
            server.seen();
            let answer = resume(&server, &renewed, &[accept, in_first, named]).await;
            let seen = server.seen().remove(0).headers;
            assert_eq!(seen["last-event-id"], "e2");
            assert_eq!(seen["mcp-session-id"], "s1");
            // What is repeated goes on in the same session.
            let again = ids(&answer).pop().unwrap();
            let taken_up = [in_first, ("last-event-id", &*again)];
            assert_eq!(resume(&server, &alice, &taken_up).await.status, StatusCode::OK);
            server.seen();
            for (token, headers) in [
                (&alice, &[("mcp-session-id", &*second), named][..]),
                (&alice, &[named]),
                (&bob, &[("mcp-session-id", &*bobs), named]),
                (&alice, &[in_first, ("last-event-id", &*of_none)]),
            ] {
                let answer = resume(&server, token, headers).await;
                assert_eq!(
                    (answer.status, answer.code()),
                    (StatusCode::NOT_FOUND, "unknown_event")
                );
                let answer = server.post(token, headers, &message("ping", json!({}))).await;
                assert_eq!(
                    (answer.status, answer.code()),
                    (StatusCode::NOT_FOUND, "unknown_event")
                );
            }
            // Of several sessions, the server might read another one.
            let several = [in_first, ("mcp-session-id", &*second), named];
            let answer = resume(&server, &alice, &several).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            assert!(server.seen().is_empty());
        }
    }
}

#[tokio::test]
async fn without_the_setting_an_event_needs_a_session_of_the_callers() {
    let unsealed = |config: &mut mcp_auth::Config| {
        config.resources[0].seal_event_ids = false;
        config.resources[0].seal_task_ids = false;
        config.resources[0].seal_request_state = false;
    };
    let server = HandleServer::with(unsealed, anything).await;
    let token = server.alice();
    for headers in [
        &[("last-event-id", "e2")][..],
        &[("last-event-id", "e2"), ("mcp-session-id", "8f3c")],
        &[("last-event-id", "")],
    ] {
        let answer = resume(&server, &token, headers).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{headers:?}");
        // Also of a caller whose token was accepted before, and in a POST.
        let answer = server.post(&token, headers, &message("ping", json!({}))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{headers:?}");
    }
    assert!(server.seen().is_empty());
    let unbound =
        server.instance(|config| config.resources[0].dangerous_unbound_sessions = true, anything);
    assert_eq!(resume(&unbound, &token, &[("last-event-id", "e2")]).await.status, StatusCode::OK);
}
