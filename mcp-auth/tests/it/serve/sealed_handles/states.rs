//! `requestState`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{HandleServer, assert_unknown, message};

/// Asks for input, with a state that names the step.
fn asking(_: &Value) -> Value {
    json!({ "resultType": "input_required", "inputRequests": {}, "requestState": "step \"1\"" })
}

/// The state as the client gets it.
async fn given(server: &HandleServer, token: &str, method: &str, params: Value) -> String {
    let answer = server.call(token, method, params).await.json();
    answer["result"]["requestState"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_state_comes_back_in_the_request_that_it_was_given_for() {
    let server = HandleServer::start(asking).await;
    let alice = server.alice();
    let rows = [
        ("tools/call", json!({ "name": "pay", "arguments": { "to": "x" } })),
        ("prompts/get", json!({ "name": "pay" })),
        ("resources/read", json!({ "uri": "n://pay" })),
        ("vendor/do", json!({})),
    ];
    for (method, params) in rows {
        let sealed = given(&server, &alice, method, params.clone()).await;
        assert!(sealed.starts_with("step \"1\".") && sealed.len() == 39, "{sealed}");
        server.seen();
        let mut again = params.clone();
        again["requestState"] = json!(sealed);
        again["inputResponses"] = json!({ "a": 1.5 });
        assert_eq!(server.call(&alice, method, again.clone()).await.code(), "ok", "{method}");
        again["requestState"] = json!("step \"1\"");
        assert_eq!(server.seen()[0].body["params"], again);
    }
}

#[tokio::test]
async fn a_state_of_another_request_caller_or_time_is_refused() {
    let server = HandleServer::start(asking).await;
    let alice = server.alice();
    let pay = json!({ "name": "pay" });
    let sealed = given(&server, &alice, "tools/call", pay.clone()).await;
    let with = |mut params: Value, state: Value| {
        params["requestState"] = state;
        params
    };
    server.seen();
    let rows = [
        (&alice, "tools/call", json!({ "name": "refund" }), json!(sealed)),
        (&alice, "prompts/get", pay.clone(), json!(sealed)),
        (&alice, "resources/read", json!({ "uri": "pay" }), json!(sealed)),
        (&alice, "vendor/do", pay.clone(), json!(sealed)),
        (&alice, "tools/call", pay.clone(), json!("step \"1\"")),
        (&alice, "tools/call", pay.clone(), json!("")),
        (&alice, "tools/call", pay.clone(), json!(5)),
        (&alice, "tools/call", pay.clone(), json!({ "a": sealed })),
        (&alice, "tools/call", pay.clone(), json!(format!("x{sealed}"))),
        (&alice, "tools/call", pay.clone(), json!(sealed[..sealed.len() - 1])),
        (&server.token("bob", "app"), "tools/call", pay.clone(), json!(sealed)),
        (&server.token("alice", "other"), "tools/call", pay.clone(), json!(sealed)),
    ];
    for (token, method, params, state) in rows {
        let answer = server.call(token, method, with(params, state)).await;
        assert_unknown(&answer, "unknown_state", "Invalid or expired requestState");
    }
    let note = json!({ "jsonrpc": "2.0", "method": "tools/call", "params": with(pay.clone(), json!("x")) });
    let batch = json!([message("ping", json!({})), note]);
    for body in [note, batch] {
        let answer = server.post(&alice, &[], &body).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "unknown_state"));
    }
    assert!(server.seen().is_empty());
    server.clock.advance(3599);
    let again = with(pay, json!(sealed));
    assert_eq!(server.call(&server.alice(), "tools/call", again.clone()).await.code(), "ok");
    server.clock.advance(1);
    let answer = server.call(&server.alice(), "tools/call", again).await;
    assert_unknown(&answer, "unknown_state", "Invalid or expired requestState");
    // `null` is none.
    let none = json!({ "name": "pay", "requestState": null });
    assert_eq!(server.call(&server.alice(), "tools/call", none).await.code(), "ok");
}

#[tokio::test]
async fn a_state_in_a_batch_or_a_stream_of_others_goes_on_and_never_comes_back() {
    let server = HandleServer::start(asking).await;
    let alice = server.alice();
    let batch =
        json!([message("tools/call", json!({ "name": "pay" })), message("ping", json!({}))]);
    let answer = server.post(&alice, &[], &batch).await.json();
    assert_eq!(answer[0]["result"]["requestState"], "step \"1\"");
    let back = json!({ "name": "pay", "requestState": "step \"1\"" });
    assert_eq!(server.call(&alice, "tools/call", back).await.code(), "unknown_state");
}

#[tokio::test]
async fn without_the_settings_everything_goes_on_as_it_is() {
    let server = HandleServer::with(
        |config| {
            let resource = &mut config.resources[0];
            resource.seal_task_ids = false;
            resource.seal_request_state = false;
            resource.seal_event_ids = false;
        },
        asking,
    )
    .await;
    let params = json!({ "name": "pay", "requestState": "x", "taskId": "t" });
    let answer = server.call(&server.alice(), "tools/call", params.clone()).await;
    assert_eq!(answer.json()["result"]["requestState"], "step \"1\"");
    assert_eq!(server.seen()[0].body["params"], params);
}
