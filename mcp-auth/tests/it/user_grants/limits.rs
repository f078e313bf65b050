//! How often users may come back, and how many at once.

use dev_issuer::{Mode, TokenMode};
use serde_json::json;

use super::{Browser, Server};

#[tokio::test]
async fn a_user_has_twenty_answers_and_all_others_have_theirs() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let mut alice = Browser::of(&server, "alice");
    let answer = alice.walk_to_page("signed-in", &link.url).await;
    // What is not of this browser is nobody's.
    for _ in 0..30 {
        assert_eq!(Browser::of(&server, "mallory").get(&answer).await.status, 400);
    }
    assert_eq!(alice.get(&answer).await.status, 302);
    for _ in 1..20 {
        assert_eq!(alice.get(&answer).await.status, 400, "it counts once");
    }
    let page = alice.get(&answer).await;
    assert_eq!(page.status, 429);
    assert!(page.body.contains("too often"), "{}", page.body);
    // Nor with a new link, in another browser, at another page, or after a reload.
    let mut again = Browser::of(&server, "alice");
    let link = server.link_for("alice").await;
    let fresh = again.walk_to_page("signed-in", &link.url).await;
    let asked = server.issuer.requests().token;
    let data = super::settings(&server.issuer, &server.github, &server.origin, &server.folder);
    server.auth.reload(serde_json::from_value(data).unwrap()).unwrap();
    assert_eq!(again.get(&fresh).await.status, 429);
    assert_eq!(server.issuer.requests().token, asked, "nothing is asked");
    server.connect("bob").await;
    // One more each 30 seconds.
    server.clock.advance(30);
    assert_eq!(again.walk(&fresh).await.status, 429, "signing in is one, the grant another");
    server.clock.advance(60);
    assert_eq!(alice.get(&answer).await.status, 400);
    let link = server.link_for("alice").await;
    assert_eq!(again.get(&link.url).await.status, 302, "links are not counted");
}

#[tokio::test]
async fn a_user_has_two_answers_at_once_and_does_not_hold_up_others() {
    let server = Server::start().await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let link = server.link_for("alice").await;
        let mut browser = Browser::of(&server, "alice");
        let answer = browser.walk_to_page("signed-in", &link.url).await;
        waiting.push((browser, answer));
    }
    let link = server.link_for("bob").await;
    let mut bob = Browser::of(&server, "bob");
    let of_bob = bob.walk_to_page("signed-in", &link.url).await;
    server.issuer.set_mode(Mode::Token(TokenMode::Hold));
    let (mut third, of_third) = waiting.pop().unwrap();
    let before = server.issuer.requests().token;
    let mut held = Vec::new();
    for (mut browser, answer) in waiting {
        held.push(tokio::spawn(async move { browser.get(&answer).await.status }));
    }
    let are_asked = async |count: u64| {
        while server.issuer.requests().token < before + count {
            tokio::task::yield_now().await;
        }
    };
    are_asked(2).await;
    let refused = third.get(&of_third).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    held.push(tokio::spawn(async move { bob.get(&of_bob).await.status }));
    are_asked(3).await;
    server.issuer.set_mode(Mode::Online);
    for one in held {
        assert_eq!(one.await.unwrap(), 302);
    }
    // Nothing of that used it up.
    assert_eq!(third.get(&of_third).await.status, 302);
}

#[cfg(all(unix, feature = "redis"))]
#[tokio::test]
async fn instances_that_share_a_store_count_together() {
    use http::Request;
    use mcp_auth::decision::Decision;

    use crate::support::redis::{Redis, wait_until};

    let Some(redis) = Redis::start().await else { return };
    let url = redis.url();
    let shared = |data: &mut serde_json::Value| {
        data["shared_store"] = json!({ "redis": { "url": url } });
    };
    let server = Server::with(shared).await;
    server.auth.ready().await.unwrap();
    let other = server.another_instance(shared);
    other.ready().await.unwrap();
    let link = server.link_for("alice").await;
    let mut alice = Browser::of(&server, "alice");
    let answer = alice.walk_to_page("signed-in", &link.url).await;
    let mut tries = 0;
    for _ in 0..20 {
        alice.get(&answer).await;
    }
    assert_eq!(alice.get(&answer).await.status, 429);
    let path = answer.strip_prefix(&server.origin).unwrap();
    let cookie = alice.cookie.clone().unwrap();
    let mut statuses = Vec::new();
    wait_until(async || {
        tries += 1;
        let request = Request::get(path).header("cookie", &cookie).body(()).unwrap();
        let Decision::Reply(reply) = other.decide(&request.into_parts().0).await else {
            panic!("a page")
        };
        statuses.push(reply.status.as_u16());
        reply.status == 429
    })
    .await;
    assert!(tries < 20, "it would have had twenty by itself: {statuses:?}");
    // What one instance has seen is seen by the other.
    assert!(statuses.iter().all(|status| [400, 429].contains(status)), "{statuses:?}");
}
