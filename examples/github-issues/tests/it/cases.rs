//! What holds in each language.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::json;

use crate::browser::Browser;
use crate::server::{HANDLE_KEY, OUR_SECRET, Server, link_in};

#[tokio::test]
async fn a_user_without_an_account_is_shown_where_to_connect_it() {
    let server = Server::start().await;
    let alice = server.token("alice");
    let pages = format!("{}/connect/github?", server.origin());
    for (tool, arguments) in [
        ("list_issues", json!({ "repository": "octocat/hello" })),
        ("create_issue", json!({ "repository": "octocat/hello", "title": "It is broken" })),
    ] {
        let message = server.call(&alice, tool, &arguments).await.unwrap_err();
        let link = link_in(&message).unwrap_or_else(|| panic!("{message}"));
        assert!(link.starts_with(&pages), "{link}");
    }
    assert_eq!(server.github.issues(), []);
}

#[tokio::test]
async fn a_user_who_has_connected_their_account_works_with_their_own_issues() {
    let server = Server::start().await;
    server.connect("alice", "octocat").await;
    let alice = server.token("alice");
    let issue = server.create(&alice, "octocat/hello", "It is broken").await;
    assert_eq!(issue, json!({ "number": 1, "title": "It is broken", "author": "octocat" }));
    server.create(&alice, "octocat/hello", "So is this").await;
    server.create(&alice, "octocat/other", "Elsewhere").await;
    let titles = server.list(&alice, "octocat/hello").await;
    assert_eq!(titles, ["It is broken by octocat", "So is this by octocat"]);
    // With another token of theirs, too.
    let again = server.mint().subject("alice").scope("issues:read").client_id("other").sign();
    assert_eq!(server.list(&again, "octocat/other").await, ["Elsewhere by octocat"]);
}

#[tokio::test]
async fn another_user_has_an_account_of_their_own() {
    let server = Server::start().await;
    server.connect("alice", "octocat").await;
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    server.create(&alice, "octocat/hello", "A secret").await;

    let arguments = json!({ "repository": "octocat/hello" });
    let message = server.call(&bob, "list_issues", &arguments).await.unwrap_err();
    assert!(link_in(&message).is_some() && !message.to_string().contains("secret"), "{message}");

    server.connect("bob", "hubber").await;
    let message = server.call(&bob, "list_issues", &arguments).await.unwrap_err();
    assert!(link_in(&message).is_none() && !message.to_string().contains("secret"), "{message}");
    server.create(&bob, "hubber/tools", "Mine").await;
    assert_eq!(server.list(&bob, "hubber/tools").await, ["Mine by hubber"]);
    assert_eq!(server.list(&alice, "octocat/hello").await, ["A secret by octocat"]);
}

#[tokio::test]
async fn a_link_that_another_user_opens_connects_nobody() {
    let server = Server::start().await;
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    let link = server.link_for(&alice).await;
    let page = Browser::of(&server, "bob").open(&link).await;
    assert!((400..500).contains(&page.status), "{} {}", page.status, page.text);
    server.link_for(&alice).await;
    server.link_for(&bob).await;
    assert_eq!(server.github.live_tokens(), 0);
}

#[tokio::test]
async fn a_user_who_declines_is_not_connected() {
    let server = Server::start().await;
    let alice = server.token("alice");
    server.github.refuse(true);
    let link = server.link_for(&alice).await;
    let page = Browser::of(&server, "alice").open(&link).await;
    assert!((400..500).contains(&page.status), "{} {}", page.status, page.text);
    assert!(!page.text.contains("<b>denied"), "{}", page.text);
    server.link_for(&alice).await;
    // They may think better of it.
    server.github.refuse(false);
    server.connect("alice", "octocat").await;
    assert_eq!(server.list(&alice, "octocat/hello").await, [""; 0]);
}

#[tokio::test]
async fn a_user_who_has_disconnected_is_asked_again() {
    let server = Server::start().await;
    server.connect("alice", "octocat").await;
    server.connect("bob", "hubber").await;
    let (alice, bob) = (server.token("alice"), server.token("bob"));
    server.list(&alice, "octocat/hello").await;
    for _ in 0..2 {
        let answer = server.call(&alice, "disconnect", &json!({})).await.unwrap();
        assert_eq!(answer, json!({ "connected": false }));
    }
    server.link_for(&alice).await;
    assert_eq!(server.list(&bob, "hubber/tools").await, [""; 0]);
    server.connect("alice", "octocat").await;
    server.list(&alice, "octocat/hello").await;
}

#[tokio::test]
async fn a_user_who_has_taken_the_grant_back_at_github_is_asked_again() {
    let server = Server::start().await;
    server.connect("alice", "octocat").await;
    let alice = server.token("alice");
    server.list(&alice, "octocat/hello").await;
    server.github.revoke_all();
    server.link_for(&alice).await;
    let arguments = json!({ "repository": "octocat/hello", "title": "It is broken" });
    let message = server.call(&alice, "create_issue", &arguments).await.unwrap_err();
    assert!(link_in(&message).is_some(), "{message}");
    assert_eq!(server.github.issues(), []);
    server.connect("alice", "octocat").await;
    server.list(&alice, "octocat/hello").await;
}

#[tokio::test]
async fn a_server_that_was_killed_still_knows_who_is_connected() {
    let mut server = Server::start().await;
    server.connect("alice", "octocat").await;
    server.kill_and_start_again();
    assert_eq!(server.list(&server.token("alice"), "octocat/hello").await, [""; 0]);
    server.link_for(&server.token("bob")).await;
}

#[tokio::test]
async fn a_redirect_of_the_api_is_not_followed() {
    let server = Server::start().await;
    server.connect("alice", "octocat").await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    server.github.move_to(&format!("http://{}", elsewhere.local_addr().unwrap()));
    let arguments = json!({ "repository": "octocat/hello" });
    let message = server.call(&server.token("alice"), "list_issues", &arguments).await;
    assert!(link_in(&message.unwrap_err()).is_none());
    elsewhere.set_nonblocking(true).unwrap();
    assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_repository_is_two_names_and_no_other_place_of_the_api() {
    let server = Server::start().await;
    server.connect("alice", "octocat").await;
    let alice = server.token("alice");
    for repository in [
        "",
        "/",
        "octocat",
        "octocat/",
        "/hello",
        "octocat/..",
        "../user",
        "./hello",
        "octocat/hello/issues",
        "octocat/hello?x=",
        "octocat/hello#",
        "octocat/%2e%2e",
        "octocat/he llo",
        "octocat/hello\n",
        "octocat\\hello/x",
        "öctocat/hello",
    ] {
        for tool in ["list_issues", "create_issue"] {
            let arguments = json!({ "repository": repository, "title": "It is broken" });
            let message = server.call(&alice, tool, &arguments).await.unwrap_err();
            assert!(message.to_string().contains("owner/name"), "{repository:?} {message}");
        }
    }
    assert_eq!(server.github.issues(), []);
    for repository in ["octocat/hello", "octocat/.github", "octocat/a_b-c.d", "octocat/..."] {
        server.create(&alice, repository, "It is broken").await;
    }
}

#[tokio::test]
async fn a_scope_for_reading_opens_no_issue() {
    let server = Server::start().await;
    server.connect("alice", "octocat").await;
    let reader = server.mint().subject("alice").scope("issues:read").sign();
    assert_eq!(server.list(&reader, "octocat/hello").await, [""; 0]);
    let arguments = json!({ "repository": "octocat/hello", "title": "It is broken" });
    let answer = server.send(&reader, "create_issue", &arguments).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(server.github.issues(), []);
}

#[tokio::test]
async fn no_log_has_a_token_or_a_secret() {
    let server = Server::start().await;
    server.connect("alice", "octocat").await;
    let alice = server.token("alice");
    server.create(&alice, "octocat/hello", "It is broken").await;
    server.github.revoke_all();
    server.link_for(&alice).await;
    server.call(&alice, "disconnect", &json!({})).await.unwrap();
    let github_secret = server.github.client_secret();
    let written = server.end();
    assert!(written.contains("connected"), "{written}");
    for secret in ["gho_", "ghr_", &alice, OUR_SECRET, github_secret, HANDLE_KEY] {
        assert!(!written.contains(secret), "{secret} in {written}");
    }
}
