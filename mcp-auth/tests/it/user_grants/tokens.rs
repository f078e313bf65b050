//! Grants that are used, renewed and ended.

use serde_json::json;

use super::{Browser, Server};
use crate::support::RESOURCE;
use crate::support::log::Log;

#[tokio::test]
async fn a_user_connects_their_account_and_the_tool_calls_github_for_them() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let error = link.json_rpc_error();
    assert_eq!(error["code"], -32042);
    let expected = json!({ "mode": "url", "elicitationId": link.elicitation_id, "url": link.url,
        "message": "Connect your account at github to go on." });
    assert_eq!(error["data"]["elicitations"], json!([expected]));
    let page = Browser::of(&server, "alice").walk(&link.url).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("Your account is connected"), "{}", page.body);
    let caller = server.caller("alice").await;
    let token = server.github().token_for(&caller).await.unwrap();
    assert_eq!(token.scopes().to_string(), "repo read:user");
    let issue = reqwest::Client::new()
        .post(format!("{}/repos/octocat/hello/issues", server.github.origin()))
        .header("authorization", token.header_value())
        .body(json!({ "title": "It works" }).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(issue.status(), 201);
    assert_eq!(server.github.issues()[0].author, "octocat");
    // Nobody else has it, and nobody asks GitHub for it again.
    assert!(!server.is_connected("bob").await);
    assert!(server.is_connected("alice").await);
    assert_eq!(server.github.token_requests(), 1);
}

#[tokio::test]
async fn each_user_has_their_own_account() {
    let server = Server::start().await;
    for (user, account) in [("alice", "alice-at-github"), ("bob", "bob-at-github")] {
        server.github.sign_in_as(account);
        server.connect(user).await;
    }
    let (alice, bob) = (server.token("alice").await.unwrap(), server.token("bob").await.unwrap());
    assert_ne!(alice, bob);
    for (token, account) in [(alice, "alice-at-github"), (bob, "bob-at-github")] {
        let asked = reqwest::Client::new().get(format!("{}/user", server.github.origin()));
        let answer = asked.bearer_auth(token).send().await.unwrap().text().await.unwrap();
        assert!(answer.contains(account), "{answer}");
    }
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_with_one_question_however_many_ask() {
    let server = Server::start().await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    let before = server.token("alice").await.unwrap();
    server.clock.advance(28_800);
    let asked = server.github.token_requests();
    let caller = server.caller("alice").await;
    let github = server.github();
    let answers = futures_util::future::join_all((0..50).map(|_| github.token_for(&caller))).await;
    let first = answers[0].as_ref().unwrap().expose().to_owned();
    assert_ne!(first, before);
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().expose() == first));
    assert_eq!(server.github.token_requests(), asked + 1);
    // The refresh token that came with it counts, the one before is used up.
    server.clock.advance(28_800);
    assert_ne!(server.token("alice").await.unwrap(), first);
}

#[tokio::test]
async fn a_grant_that_its_provider_ended_is_asked_for_again() {
    let server = Server::start().await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    server.github.revoke_all();
    server.clock.advance(28_800);
    server.link_for("alice").await;
    let asked = server.github.token_requests();
    server.link_for("alice").await;
    assert_eq!(server.github.token_requests(), asked, "it is not tried again");
    // The issuer goes by the real time.
    server.clock.set_back(28_800);
    server.connect("alice").await;
    assert!(server.is_connected("alice").await);
}

#[tokio::test]
async fn rfc_6749_says_it_in_its_own_way() {
    let server = Server::start().await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    server.clock.advance(28_800);
    server.github.answer_token_with(400, r#"{"error":"invalid_grant"}"#);
    server.link_for("alice").await;
}

#[tokio::test]
async fn an_outage_while_renewing_loses_nothing() {
    let server = Server::start().await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    server.clock.advance(28_800);
    for (status, body, code) in [
        (503, "{}", "downstream_unavailable"),
        (200, "<html>", "downstream_unusable_answer"),
        (200, r#"{"access_token":"a","token_type":"mac"}"#, "downstream_unusable_answer"),
        (
            200,
            r#"{"access_token":"a","token_type":"bearer","scope":"repo,admin:org"}"#,
            "downstream_unusable_answer",
        ),
        (401, r#"{"error":"invalid_client"}"#, "downstream_refused"),
    ] {
        server.github.answer_token_with(status, body);
        let error = server.token("alice").await.unwrap_err();
        assert_eq!(error.code(), code, "{status} {body}");
    }
    assert!(server.is_connected("alice").await);
}

#[tokio::test]
async fn a_token_that_the_api_refuses_is_not_used_again() {
    let server = Server::start().await;
    server.connect("alice").await;
    let caller = server.caller("alice").await;
    let token = server.github().token_for(&caller).await.unwrap();
    server.github().forget(&caller, &token);
    // It comes without a refresh token.
    server.link_for("alice").await;
    server.connect("alice").await;
    assert_ne!(server.token("alice").await.unwrap(), token.expose());
}

#[tokio::test]
async fn who_disconnects_is_forgotten_here_and_there() {
    let server = Server::start().await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    server.github.sign_in_as("bob-at-github");
    server.connect("bob").await;
    assert_eq!(server.github.live_tokens(), 2);
    let alice = server.caller("alice").await;
    server.github().disconnect(&alice).await.unwrap();
    assert_eq!(server.github.live_tokens(), 1);
    server.link_for("alice").await;
    assert!(server.is_connected("bob").await);
    server.github().disconnect(&alice).await.unwrap();
}

#[tokio::test]
async fn grants_outlive_a_restart_and_two_instances_share_them() {
    let server = Server::start().await;
    server.connect("alice").await;
    let token = server.token("alice").await.unwrap();
    let other = server.another_instance(|_| {});
    let caller = server.caller("alice").await;
    let there = other.downstream("github").token_for(&caller).await.unwrap();
    assert_eq!(there.expose(), token);
    other.downstream("github").disconnect(&caller).await.unwrap();
    server.link_for("alice").await;
}

#[tokio::test]
async fn two_instances_use_a_refresh_token_once() {
    let server = Server::start().await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    server.clock.advance(28_800);
    let asked = server.github.token_requests();
    let other = server.another_instance(|_| {});
    let caller = server.caller("alice").await;
    let (here, there) = (server.github(), other.downstream("github"));
    let answers = futures_util::join!(here.token_for(&caller), there.token_for(&caller));
    for answer in [answers.0, answers.1] {
        // Whoever comes second has the new one, or is told to come again.
        assert!(answer.map_or_else(|error| error.code() == "downstream_unavailable", |_| true));
    }
    assert_eq!(server.github.token_requests(), asked + 1);
    assert_eq!(
        here.token_for(&caller).await.unwrap().expose(),
        there.token_for(&caller).await.unwrap().expose()
    );
}

#[tokio::test]
async fn machines_and_strangers_are_told_apart_before_anything_is_asked() {
    let server = Server::start().await;
    let token = server.issuer.mint().subject("job").client_id("job").audience(RESOURCE).sign();
    let caller = server.auth.authenticate(&token).await.unwrap();
    let error = server.github().token_for(&caller).await.unwrap_err();
    assert_eq!(error.code(), "downstream_no_user");
    let claims = json!({ "iss": "https://elsewhere.example", "sub": "alice" }).to_string();
    let stranger = mcp_auth::AuthInfo::from_verified_json(&claims).unwrap();
    let error = server.github().token_for(&stranger).await.unwrap_err();
    assert_eq!(error.code(), "downstream_issuer_not_served");
    assert_eq!(server.github.token_requests(), 0);
}

#[tokio::test]
async fn no_token_and_no_secret_is_ever_logged() {
    Log::start();
    let server = Server::start().await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    let before = server.token("alice").await.unwrap();
    server.clock.advance(28_800);
    let after = server.token("alice").await.unwrap();
    server.github().disconnect(&server.caller("alice").await).await.unwrap();
    let log: String =
        Log::take().lines().filter(|line| line.contains("mcp_auth")).map(str::to_owned).collect();
    assert!(log.contains("connected their account"), "{log}");
    for secret in [before.as_str(), &after, "ghr_", "our-secret", server.github.client_secret()] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn who_disconnects_while_the_provider_is_away_is_forgotten_here_at_once_and_there_later() {
    let server = Server::start().await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    // A socket that does not listen keeps others off its port.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let closed = format!("http://{}/revoke", nobody.local_addr().unwrap());
    let other = server.another_instance(|data| {
        data["downstreams"]["github"]["revocation_endpoint"] = json!(closed);
    });
    let alice = server.caller("alice").await;
    let error = other.downstream("github").disconnect(&alice).await.unwrap_err();
    assert_eq!(error.code(), "downstream_unavailable");
    server.link_for("alice").await;
    assert_eq!(server.github.live_tokens(), 1);
    server.github().disconnect(&alice).await.unwrap();
    assert_eq!(server.github.live_tokens(), 0);
    server.connect("alice").await;
    assert!(server.is_connected("alice").await);
}

#[tokio::test]
async fn who_comes_back_before_the_provider_has_heard_is_connected() {
    let server = Server::start().await;
    server.connect("alice").await;
    let other = server.another_instance(|data| {
        data["downstreams"]["github"]["revocation_endpoint"] = json!("http://127.0.0.1:1/revoke");
    });
    let alice = server.caller("alice").await;
    other.downstream("github").disconnect(&alice).await.unwrap_err();
    server.connect("alice").await;
    assert!(server.is_connected("alice").await);
}

#[tokio::test]
async fn a_grant_that_was_asked_for_with_other_scopes_is_asked_for_again() {
    let server = Server::start().await;
    server.connect("alice").await;
    let alice = server.caller("alice").await;
    for scopes in [json!(["repo"]), json!(["repo", "read:user", "gist"]), json!([])] {
        let other = server
            .another_instance(|data| data["downstreams"]["github"]["scopes"] = scopes.clone());
        let error = other.downstream("github").token_for(&alice).await.unwrap_err();
        assert_eq!(error.code(), "downstream_authorization_required", "{scopes}");
    }
    let same = server.another_instance(|data| {
        data["downstreams"]["github"]["scopes"] = json!(["read:user", "repo"]);
    });
    assert!(same.downstream("github").token_for(&alice).await.is_ok());
}

#[tokio::test]
async fn whoever_is_granted_less_is_not_asked_again() {
    let server = Server::start().await;
    let less = r#"{"access_token":"less","token_type":"bearer","scope":"repo"}"#;
    server.github.answer_token_with(200, less);
    server.connect("alice").await;
    let token = server.github().token_for(&server.caller("alice").await).await.unwrap();
    assert_eq!((token.expose(), token.scopes().to_string().as_str()), ("less", "repo"));
}

#[tokio::test]
async fn fewer_scopes_than_users_grant_cannot_be_asked_for() {
    let server = Server::start().await;
    server.connect("alice").await;
    let alice = server.caller("alice").await;
    for (scopes, expected) in [
        (vec!["repo"], Some("downstream_fixed_scopes")),
        (vec![], Some("downstream_fixed_scopes")),
        (vec!["repo", "gist"], Some("downstream_wider_scopes")),
        (vec!["read:user", "repo"], None),
    ] {
        let answer = server.github().with_scopes(&scopes).token_for(&alice).await;
        assert_eq!(answer.err().map(|error| error.code()), expected, "{scopes:?}");
    }
}

#[tokio::test]
async fn an_api_that_accepts_no_token_does_not_have_each_renewed() {
    let server = Server::start().await;
    server.github.let_tokens_expire();
    server.connect("alice").await;
    let alice = server.caller("alice").await;
    let first = server.github().token_for(&alice).await.unwrap();
    server.github().forget(&alice, &first);
    let second = server.github().token_for(&alice).await.unwrap();
    assert_ne!(first.expose(), second.expose());
    let asked = server.github.token_requests();
    server.github().forget(&alice, &second);
    assert_eq!(server.token("alice").await.unwrap(), second.expose());
    assert_eq!(server.github.token_requests(), asked);
    server.clock.advance(30);
    server.github().forget(&alice, &second);
    assert_ne!(server.token("alice").await.unwrap(), second.expose());
}
