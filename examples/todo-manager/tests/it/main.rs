//! The example as a program, with issuers that it knows only from its environment.

mod server;
mod tutorials;

use serde_json::{Value, json};

use server::{Server, called};

const CREATE: &str = "mcp create:todos";

#[tokio::test]
async fn callers_have_their_own_todos() {
    let server = Server::start().await;
    let (alice, bob) = (server.token("alice", CREATE), server.token("bob", CREATE));
    let (_, first) = server.call(&alice, "create-todo", json!({ "content": "buy milk" })).await;
    server.call(&bob, "create-todo", json!({ "content": "call home" })).await;
    let owner = json!({ "issuer": server.issuers[0].issuer(), "subject": "alice" });
    assert_eq!(first, json!({ "id": 1, "content": "buy milk", "owner": owner }));
    assert_eq!(server.contents(&alice).await, ["buy milk"]);
    assert_eq!(server.contents(&bob).await, ["call home"]);
    // Their own, also with a token that may neither create nor read.
    let plain = server.token("alice", "mcp");
    assert_eq!(server.contents(&plain).await, ["buy milk"]);
    server.call(&plain, "delete-todo", json!({ "id": 1 })).await;
    assert_eq!(server.contents(&alice).await, [""; 0]);
}

#[tokio::test]
async fn an_owner_is_never_an_argument() {
    let server = Server::start().await;
    let (alice, bob) = (server.token("alice", CREATE), server.token("bob", CREATE));
    let owner = json!({ "issuer": server.issuers[0].issuer(), "subject": "alice" });
    server.call(&bob, "create-todo", json!({ "content": "mine", "owner": owner })).await;
    assert_eq!(server.contents(&alice).await, [""; 0]);
    assert_eq!(server.contents(&bob).await, ["mine"]);
}

#[tokio::test]
async fn the_same_subject_of_another_issuer_is_another_owner() {
    let server = Server::start().await;
    let here = server.token("alice", CREATE);
    let there = server.token_of(1, "alice", CREATE);
    server.call(&here, "create-todo", json!({ "content": "buy milk" })).await;
    assert_eq!(server.contents(&there).await, [""; 0]);
    let (status, _) = server.call(&there, "delete-todo", json!({ "id": 1 })).await;
    assert_eq!(status, 403);
    assert_eq!(server.contents(&here).await, ["buy milk"]);
}

#[tokio::test]
async fn scopes_reach_beyond_ones_own() {
    let server = Server::start().await;
    let alice = server.token("alice", CREATE);
    server.call(&alice, "create-todo", json!({ "content": "buy milk" })).await;
    let admin = server.token("admin", "mcp read:todos delete:todos");
    assert_eq!(server.contents(&admin).await, ["buy milk"]);
    let (status, deleted) = server.call(&admin, "delete-todo", json!({ "id": 1 })).await;
    assert_eq!((status, &deleted["content"]), (200, &json!("buy milk")));
    assert_eq!(server.contents(&alice).await, [""; 0]);
}

#[tokio::test]
async fn a_missing_scope_is_a_403_that_asks_for_it() {
    let server = Server::start().await;
    let alice = server.token("alice", CREATE);
    server.call(&alice, "create-todo", json!({ "content": "buy milk" })).await;
    let bob = server.token("bob", "mcp");
    for (tool, arguments, scope) in [
        ("create-todo", json!({ "content": "call home" }), "mcp create:todos"),
        ("delete-todo", json!({ "id": 1 }), "mcp delete:todos"),
    ] {
        let answer = server.send(Some(&bob), called(tool, &arguments)).await;
        assert_eq!(answer.status(), 403, "{tool}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
        assert!(challenge.contains(&format!(r#"scope="{scope}""#)), "{challenge}");
    }
    let everything = server.token("admin", "mcp read:todos");
    assert_eq!(server.contents(&everything).await, ["buy milk"], "nothing was done");
}

#[tokio::test]
async fn a_todo_that_is_not_there_needs_no_scope() {
    let server = Server::start().await;
    let bob = server.token("bob", "mcp");
    let (_, answer) = server.call(&bob, "delete-todo", json!({ "id": 1 })).await;
    assert_eq!(answer["message"], "there is no todo 1");
}

#[tokio::test]
async fn the_challenge_asks_for_the_least_and_the_metadata_names_all() {
    let server = Server::start().await;
    let answer = server.send(None, called("get-todos", &json!({}))).await;
    assert_eq!(answer.status(), 401);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains(r#"scope="mcp""#), "{challenge}");
    let (_, url) = challenge.split_once(r#"resource_metadata=""#).unwrap();
    let document = reqwest::get(url.split('"').next().unwrap()).await.unwrap();
    let document: Value = document.json().await.unwrap();
    let all = json!(["mcp", "create:todos", "read:todos", "delete:todos"]);
    assert_eq!(document["scopes_supported"], all);
}
