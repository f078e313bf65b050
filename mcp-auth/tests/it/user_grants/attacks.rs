//! Links and answers that are not the user's.

use super::{Browser, Server};

const OTHER_KEY: &str = "another-key-of-32-characters-or-more-for-it";

#[tokio::test]
async fn a_link_that_another_user_opens_connects_nothing() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let page = Browser::of(&server, "bob").walk(&link.url).await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(page.body.contains("for another user"), "{}", page.body);
    assert_eq!(server.github.token_requests(), 0);
    assert!(!server.is_connected("alice").await && !server.is_connected("bob").await);
    // It is alice's all the same.
    assert_eq!(Browser::of(&server, "alice").walk(&link.url).await.status, 200);
    assert!(server.is_connected("alice").await && !server.is_connected("bob").await);
}

#[tokio::test]
async fn an_answer_in_another_browser_connects_nothing() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let mut browser = Browser::of(&server, "alice");
    let callback = browser.walk_to_page("callback", &link.url).await;
    // A victim whom the attacker sends there: without our cookie, and with one of their own.
    let mut victim = Browser::of(&server, "bob");
    assert_eq!(victim.get(&callback).await.status, 400);
    let own = server.link_for("bob").await;
    victim.get(&own.url).await;
    assert!(victim.cookie.is_some());
    assert_eq!(victim.get(&callback).await.status, 400);
    // One that somebody planted beside it: neither is chosen, nor is a third one made.
    let planted = browser.cookie.clone().map(|cookie| format!("{cookie}; {cookie}"));
    for url in [&callback, &own.url] {
        victim.cookie = planted.clone();
        let page = victim.get(url).await;
        assert_eq!(page.status, 400);
        assert!(!page.headers.contains_key("set-cookie"));
    }
    assert!(!server.is_connected("alice").await);
    // Nothing of that used it up.
    assert_eq!(browser.get(&callback).await.status, 200);
}

#[tokio::test]
async fn the_sign_in_of_another_browser_connects_nothing() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let mut browser = Browser::of(&server, "alice");
    let answer = browser.walk_to_page("signed-in", &link.url).await;
    assert_eq!(Browser::of(&server, "bob").get(&answer).await.status, 400);
    assert_eq!(browser.get(&answer).await.status, 302);
    assert_eq!(browser.get(&answer).await.status, 400, "it counts once");
}

#[tokio::test]
async fn a_cookie_of_another_program_that_is_no_text_makes_no_difference() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let mut browser = Browser::of(&server, "alice");
    let callback = browser.walk_to_page("callback", &link.url).await;
    let both = format!("lang=fran\u{e7}ais; {}", browser.cookie.take().unwrap());
    browser.cookie = Some(both);
    assert_eq!(browser.get(&callback).await.status, 200);
}

#[tokio::test]
async fn a_state_of_another_configuration_is_refused() {
    let rows: [fn(&mut serde_json::Value); 6] = [
        |data| {
            let another = "http://127.0.0.1:9/token".into();
            data["downstreams"]["github"]["token_endpoint"] = another;
        },
        |data| {
            let another = "http://127.0.0.1:9/authorize".into();
            data["downstreams"]["github"]["authorization_endpoint"] = another;
        },
        |data| data["downstreams"]["github"]["client_id"] = "other".into(),
        |data| data["downstreams"]["github"]["scopes"] = serde_json::json!(["repo"]),
        |data| data["connect"]["sign_in"][0]["client_id"] = "other".into(),
        |data| {
            let url = data["connect"]["url"].as_str().unwrap().replace("127.0.0.1", "localhost");
            data["connect"]["url"] = url.into();
        },
    ];
    let server = Server::start().await;
    for (index, change) in rows.into_iter().enumerate() {
        let link = server.link_for("alice").await;
        let mut browser = Browser::of(&server, "alice");
        let sign_in = browser.walk_to_page("signed-in", &link.url).await;
        let mut other = Browser::of(&server, "alice");
        let callback = other.walk_to_page("callback", &link.url).await;
        let settings =
            || super::settings(&server.issuer, &server.github, &server.origin, &server.folder);
        let mut data = settings();
        change(&mut data);
        server.auth.reload(serde_json::from_value(data).unwrap()).unwrap();
        let asked = (server.issuer.requests().token, server.github.token_requests());
        for url in [&link.url, &sign_in] {
            assert_eq!(browser.get(url).await.status, 400, "{index}: {url}");
        }
        assert_eq!(other.get(&callback).await.status, 400, "{index}: {callback}");
        assert_eq!((server.issuer.requests().token, server.github.token_requests()), asked);
        server.auth.reload(serde_json::from_value(settings()).unwrap()).unwrap();
        // As it was, everything goes on.
        assert_eq!(browser.get(&sign_in).await.status, 302, "{index}");
    }
}

#[tokio::test]
async fn an_answer_counts_once() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let mut browser = Browser::of(&server, "alice");
    let callback = browser.walk_to_page("callback", &link.url).await;
    assert_eq!(browser.get(&callback).await.status, 200);
    assert_eq!(browser.get(&callback).await.status, 400);
    // With a code of somebody else's as well.
    let other = callback.replace("code=", "code=x");
    assert_eq!(browser.get(&other).await.status, 400);
    assert_eq!(server.github.token_requests(), 1);
}

#[tokio::test]
async fn a_state_that_was_changed_or_has_ended_or_is_of_another_step_is_refused() {
    let server = Server::with(|data| {
        let github = data["downstreams"]["github"].clone();
        data["downstreams"]["gitlab"] = github;
    })
    .await;
    let link = server.link_for("alice").await;
    let mut browser = Browser::of(&server, "alice");
    let callback = browser.walk_to_page("callback", &link.url).await;
    let state = link.url.split_once("state=").unwrap().1;
    let (url, origin) = (&link.url, &server.origin);
    let changed = format!("{}A{}", &url[..url.len() - 9], &url[url.len() - 8..]);
    for refused in [
        changed,
        url[..url.len() - 1].to_owned(),
        format!("{url}&state={state}"),
        url.replace("/github?", "/gitlab?"),
        format!("{origin}/connect/github"),
        format!("{origin}/connect/github?state="),
        format!("{origin}/connect/github/callback?code=1&state={state}"),
        format!("{origin}/connect/github/signed-in?code=1&state={state}"),
        callback.replace("/github/callback", "/gitlab/callback"),
        callback.replace("/github/callback", "/github/signed-in"),
    ] {
        let page = browser.get(&refused).await;
        assert_eq!(page.status, 400, "{refused}: {}", page.body);
    }
    server.clock.advance(600);
    assert_eq!(browser.get(&callback).await.status, 400);
    assert_eq!(browser.get(url).await.status, 400);
    assert_eq!(server.github.token_requests(), 0);
}

#[tokio::test]
async fn the_code_of_another_flow_connects_nothing() {
    let server = Server::start().await;
    let mut attacker = Browser::of(&server, "bob");
    server.github.sign_in_as("bob-at-github");
    let theirs = server.link_for("bob").await;
    let stolen = attacker.walk_to_page("callback", &theirs.url).await;
    let code_of = |url: &str| {
        let code = url.split_once("code=").unwrap().1;
        code.split('&').next().unwrap().to_owned()
    };
    let mut browser = Browser::of(&server, "alice");
    let link = server.link_for("alice").await;
    let callback = browser.walk_to_page("callback", &link.url).await;
    let injected = callback.replace(&code_of(&callback), &code_of(&stolen));
    // PKCE: the code is bound to the verifier of the other flow.
    assert_eq!(browser.get(&injected).await.status, 502);
    assert!(!server.is_connected("alice").await);
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_not_taken_to_this_one() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    for changed in ["iss=https%3A%2F%2Fevil.example", "iss=", "iss2=x"] {
        let mut browser = Browser::of(&server, "alice");
        let answer = browser.walk_to_page("signed-in", &link.url).await;
        let (before, _) = answer.split_once("iss=").unwrap();
        let page = browser.get(&format!("{before}{changed}")).await;
        assert_eq!(page.status, 400, "{changed}: {}", page.body);
    }
    assert!(!server.is_connected("alice").await);
}

#[tokio::test]
async fn nothing_in_a_request_says_where_a_browser_is_sent_or_what_a_page_says() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let more = "&redirect_uri=https%3A%2F%2Fevil.example&next=https%3A%2F%2Fevil.example&return_to=//evil.example";
    let mut browser = Browser::of(&server, "alice");
    let page = browser.get(&format!("{}{more}", link.url)).await;
    let location = page.location.unwrap();
    assert!(location.starts_with(server.issuer.issuer()), "{location}");
    assert!(!location.contains("evil"), "{location}");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert_eq!(page.headers["cache-control"], "no-store");
    // The provider's words are not shown.
    server.github.refuse(true);
    let refused = browser.walk(&link.url).await;
    assert_eq!(refused.status, 403);
    assert!(!refused.body.contains("denied"), "{}", refused.body);
    let policy = refused.headers["content-security-policy"].to_str().unwrap();
    for part in ["default-src", "base-uri", "form-action", "frame-ancestors"] {
        assert!(policy.contains(&format!("{part} 'none'")), "{policy}");
    }
    assert_eq!(refused.headers["x-frame-options"], "DENY");
    let script = format!("{}/connect/github/callback?error=%3Cscript%3E&state=x", server.origin);
    let page = browser.get(&script).await;
    assert!(page.status == 400 && !page.body.contains("script"), "{}", page.body);
}

#[tokio::test]
async fn the_cookie_is_for_our_pages_alone() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let page = Browser::of(&server, "alice").get(&link.url).await;
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    let posted = reqwest::Client::new().post(&link.url).send().await.unwrap();
    assert_eq!(posted.status(), 405);
}

#[tokio::test]
async fn a_vault_that_was_changed_gives_nothing_and_heals_by_a_new_grant() {
    let server = Server::start().await;
    server.connect("alice").await;
    server.github.sign_in_as("bob-at-github");
    server.connect("bob").await;
    let mut grants = Vec::new();
    for entry in std::fs::read_dir(&server.folder).unwrap() {
        let grant = entry.unwrap().path();
        let file = std::fs::read_dir(&grant).unwrap().next().unwrap().unwrap().path();
        grants.push(file);
    }
    assert_eq!(grants.len(), 2);
    let texts: Vec<String> =
        grants.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    // Each other's; the beginning alone; nothing readable.
    let changes = [
        (texts[1].clone(), texts[0].clone()),
        (texts[0][..40].to_owned(), texts[1][..40].to_owned()),
        ("{}".to_owned(), "\u{0}".to_owned()),
    ];
    for (first, second) in changes {
        std::fs::write(&grants[0], first).unwrap();
        std::fs::write(&grants[1], second).unwrap();
        assert!(!server.is_connected("alice").await && !server.is_connected("bob").await);
    }
    server.connect("alice").await;
    assert!(server.is_connected("alice").await && !server.is_connected("bob").await);
}

#[tokio::test]
async fn another_key_or_another_provider_opens_nothing() {
    let server = Server::start().await;
    server.connect("alice").await;
    let caller = server.caller("alice").await;
    let rows: [fn(&mut serde_json::Value); 3] = [
        |data| data["handle_keys"] = serde_json::json!([OTHER_KEY]),
        |data| {
            data["downstreams"]["github"]["token_endpoint"] = "http://127.0.0.1:9/token".into();
        },
        |data| data["downstreams"]["github"]["client_id"] = "other".into(),
    ];
    for change in rows {
        let other = server.another_instance(change);
        let error = other.downstream("github").token_for(&caller).await.unwrap_err();
        assert_eq!(error.code(), "downstream_authorization_required");
    }
    let rotated = server.another_instance(|data| {
        data["handle_keys"] = serde_json::json!([OTHER_KEY, super::KEY]);
    });
    assert!(rotated.downstream("github").token_for(&caller).await.is_ok());
}

#[tokio::test]
async fn a_caller_who_was_revoked_gets_no_grant_of_theirs() {
    use mcp_auth::revocation::Revocation;
    let server = Server::start().await;
    server.connect("alice").await;
    let caller = server.caller("alice").await;
    // The issuer goes by the real time, which may be ahead of the clock.
    server.clock.advance(30);
    server.auth.revoke(Revocation::of_subject(server.issuer.issuer(), "alice"));
    let error = server.github().token_for(&caller).await.unwrap_err();
    assert_eq!(error.code(), "downstream_sign_in_again");
}

#[tokio::test]
async fn a_user_whose_access_is_taken_back_on_the_way_connects_nothing() {
    let server = Server::start().await;
    let link = server.link_for("alice").await;
    let mut browser = Browser::of(&server, "alice");
    let on_the_way = browser.walk_to_page("callback", &link.url).await;
    let issuer = server.issuer.issuer();
    server.auth.revoke(mcp_auth::revocation::Revocation::of_subject(issuer, "alice"));
    let asked = server.github.token_requests();
    for url in [&link.url, &on_the_way] {
        assert_eq!(browser.get(url).await.status, 400, "{url}");
    }
    assert_eq!(server.github.token_requests(), asked);
    // Others go on.
    server.connect("bob").await;
}
