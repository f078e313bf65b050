//! What holds whichever database it is.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::server::{SCOPES, Server};

pub(crate) async fn two_users_of_one_issuer_have_their_own_notes(server: &Server) {
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    server.add(&alice, "buy milk").await;
    server.add(&bob, "call home").await;
    server.add(&alice, "buy bread").await;
    assert_eq!(server.list(&alice).await, ["buy milk", "buy bread"]);
    assert_eq!(server.list(&bob).await, ["call home"]);
}

pub(crate) async fn the_same_subject_of_another_issuer_is_somebody_else(server: &Server) {
    let (here, there) = (server.token_of(0, "alice"), server.token_of(1, "alice"));
    let id = server.add(&here, "buy milk").await;
    assert_eq!(server.list(&there).await, [""; 0]);
    assert!(!server.delete(&there, &id).await);
    assert_eq!(server.list(&here).await, ["buy milk"]);
}

pub(crate) async fn subjects_that_look_alike_are_different_people(server: &Server) {
    let subjects = [
        "alice",
        "Alice",
        "alice ",
        " alice",
        "alice%",
        "al_ce",
        "alice' OR '1'='1",
        "\u{e9}",
        "e\u{301}",
        "urn:mcp-auth:client:alice",
    ];
    for subject in subjects {
        server.add(&server.token(subject), subject).await;
    }
    for subject in subjects {
        assert_eq!(server.list(&server.token(subject)).await, [subject]);
    }
}

/// PostgreSQL cannot store such a subject, and refuses it; SQLite can.
pub(crate) async fn a_subject_does_not_end_at_a_nul(server: &Server) {
    let (alice, other) = (server.token("alice"), server.mint(0).subject("alice\0x").scope(SCOPES));
    let id = server.add(&alice, "buy milk").await;
    let other = other.sign();
    if let Ok(list) = server.call(&other, "list_notes", json!({})).await {
        assert_eq!(list, json!({ "notes": [] }));
    }
    if let Ok(deletion) = server.call(&other, "delete_note", json!({ "id": id })).await {
        assert_eq!(deletion, json!({ "deleted": false }));
    }
    assert_eq!(server.list(&alice).await, ["buy milk"]);
}

pub(crate) async fn a_note_of_another_is_deleted_like_one_that_is_not_there(server: &Server) {
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    let id = server.add(&alice, "buy milk").await;
    assert!(!server.delete(&bob, &id).await);
    assert!(!server.delete(&bob, "not there").await);
    assert_eq!(server.list(&alice).await, ["buy milk"]);
    assert!(server.delete(&alice, &id).await);
    assert!(!server.delete(&alice, &id).await);
    assert_eq!(server.list(&alice).await, [""; 0]);
}

pub(crate) async fn an_owner_is_never_an_argument(server: &Server) {
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    let issuer = server.issuers[0].issuer();
    for owner in [
        json!({ "issuer": issuer, "subject": "alice" }),
        json!({ "owner": { "issuer": issuer, "subject": "alice" } }),
        json!({ "app.issuer": issuer, "app.subject": "alice" }),
    ] {
        let mut arguments = owner.clone();
        arguments["content"] = json!("not mine");
        // Refused, or as if it was not there.
        let _ = server.call(&bob, "add_note", arguments).await;
        if let Ok(list) = server.call(&alice, "list_notes", json!({})).await {
            assert_eq!(list, json!({ "notes": [] }), "{owner}");
        }
    }
}

pub(crate) async fn sql_in_an_argument_is_a_text(server: &Server) {
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    server.add(&alice, "buy milk").await;
    let texts = [
        "'); DROP TABLE notes; --",
        "' OR '1'='1",
        "x' UNION SELECT content FROM notes --",
        "'; SELECT set_config('app.subject', 'alice', false); --",
        "$1 ? %s {} \\'",
    ];
    for text in texts {
        server.add(&bob, text).await;
        assert!(!server.delete(&bob, text).await, "{text}");
    }
    assert_eq!(server.list(&bob).await, texts);
    assert_eq!(server.list(&alice).await, ["buy milk"]);
}

pub(crate) async fn a_token_that_names_nobody_has_no_notes(server: &Server) {
    for nobody in [
        server.mint(0).without("sub").without("client_id"),
        server.mint(0).without("sub").without("client_id").claim("email", "alice@example.com"),
        // A person, of whom it says no more: many persons share a client.
        server.mint(0).without("sub").claim("idtyp", "user"),
    ] {
        let nobody = nobody.scope(SCOPES).sign();
        for (tool, arguments) in [
            ("add_note", json!({ "content": "whose?" })),
            ("list_notes", json!({})),
            ("delete_note", json!({ "id": "x" })),
        ] {
            let refused = server.call(&nobody, tool, arguments).await.unwrap_err();
            assert!(refused.contains("does not say whose notes"), "{refused}");
        }
    }
}

pub(crate) async fn a_machine_is_its_client_and_no_subject_is_taken_for_it(server: &Server) {
    let machine =
        |client: &str| server.mint(0).without("sub").client_id(client).scope(SCOPES).sign();
    server.add(&machine("robot"), "oil me").await;
    let others =
        [machine("robot 2"), server.token("robot"), server.token("urn:mcp-auth:client:robot")];
    for other in others {
        assert_eq!(server.list(&other).await, [""; 0]);
    }
    assert_eq!(server.list(&machine("robot")).await, ["oil me"]);
}

pub(crate) async fn a_scope_for_reading_does_not_write(server: &Server) {
    let reads = server.mint(0).subject("alice").scope("notes:read").sign();
    let writes = server.mint(0).subject("alice").scope("notes:write").sign();
    for (token, tool, arguments, scope) in [
        (&reads, "add_note", json!({ "content": "buy milk" }), "notes:write"),
        (&reads, "delete_note", json!({ "id": "x" }), "notes:write"),
        (&writes, "list_notes", json!({}), "notes:read"),
    ] {
        let answer = server.send(token, tool, &arguments).await;
        assert_eq!(answer.status(), 403, "{tool}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains(scope), "{challenge}");
    }
    assert_eq!(server.list(&reads).await, [""; 0]);
}

/// Calls at once, among them some that fail in the database.
const AT_ONCE: usize = 32;
const CALLS: usize = 1000;

pub(crate) async fn a_thousand_calls_of_many_users_meet_only_their_own_notes(server: &Arc<Server>) {
    let mut people = Vec::new();
    for issuer in 0..2 {
        for number in 0..10 {
            let name = format!("user {number}");
            people.push((format!("{name} of issuer {issuer}"), server.token_of(issuer, &name)));
        }
    }
    let turn = Arc::new(Semaphore::new(AT_ONCE));
    let mut calls = JoinSet::new();
    for number in 0..CALLS {
        let (name, token) = people[number % people.len()].clone();
        let (server, turn) = (server.clone(), turn.clone());
        calls.spawn(async move {
            let _turn = turn.acquire().await.unwrap();
            match number / 20 % 5 {
                0 => drop(server.add(&token, &name).await),
                1 => {
                    let id = server.add(&token, &name).await;
                    assert!(server.delete(&token, &id).await);
                }
                2 => {
                    let too_long = json!({ "content": "x".repeat(10_001) });
                    server.call(&token, "add_note", too_long).await.unwrap_err();
                }
                _ => assert!(server.list(&token).await.iter().all(|note| *note == name)),
            }
        });
    }
    while let Some(result) = calls.join_next().await {
        result.unwrap();
    }
    for (name, token) in people {
        assert_eq!(server.list(&token).await, vec![name; CALLS / 20 / 5]);
    }
}

pub(crate) async fn an_error_leaves_nothing_to_the_next_caller(server: &Server) {
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    server.add(&alice, "buy milk").await;
    for content in ["x".repeat(10_001), "a\0b".to_owned(), "é".repeat(10_001)] {
        let refused = server.call(&alice, "add_note", json!({ "content": content })).await;
        let text = refused.unwrap_err();
        assert!(text.contains("could not be read or changed"), "{text}");
        assert!(!text.contains("10000") && !text.contains("app."), "{text}");
        assert_eq!(server.list(&bob).await, [""; 0]);
    }
    assert_eq!(server.list(&alice).await, ["buy milk"]);
    server.add(&bob, &"x".repeat(10_000)).await;
}

pub(crate) async fn a_client_that_goes_away_leaves_nothing_to_the_next(server: &Server) {
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    for _ in 0..20 {
        drop(server.begin_call(&alice, "add_note", json!({ "content": "buy milk" })).await);
        assert_eq!(server.list(&bob).await, [""; 0]);
    }
    assert!(server.list(&alice).await.iter().all(|note| note == "buy milk"));
}

pub(crate) async fn a_server_that_was_killed_comes_back_to_the_same_notes(mut server: Server) {
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    server.add(&alice, "buy milk").await;
    server.kill_and_start_again();
    server.add(&bob, "call home").await;
    assert_eq!(server.list(&alice).await, ["buy milk"]);
    assert_eq!(server.list(&bob).await, ["call home"]);
}
