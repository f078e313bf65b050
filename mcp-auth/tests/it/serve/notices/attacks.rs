//! What strangers send to where issuers tell something.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use dev_issuer::{Broken, DevIssuer, Mode};
use serde_json::json;

use super::{CAEP, EVENTS, FORM, LOGOUT, SECEVENT, Server, posted, told};
use crate::support::{RESOURCE, request};

#[tokio::test]
async fn only_a_post_of_the_right_form_is_read() {
    let server = Server::start().await;
    for path in [LOGOUT, EVENTS] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let token = server.access_token().sign();
            let bearer = format!("Bearer {token}");
            assert_eq!(server.code(&token).await, "ok");
            let headers = [("authorization", &*bearer), ("origin", "https://app.example")];
            let answer = server.send(request(method, path, &headers)).await;
            assert_eq!(answer.status.as_u16(), 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("POST"));
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    let logout = server.logout_token("l-1").sign();
    let event = server.security_event("e-1", &format!("{CAEP}session-revoked"), json!({})).sign();
    let form = format!("logout_token={logout}");
    let rows = [
        (LOGOUT, FORM, format!("{form}&{form}")),
        (LOGOUT, FORM, format!("{form}&logout%5Ftoken=x")),
        (LOGOUT, FORM, "logout_token=".to_owned()),
        (LOGOUT, FORM, "logout_token".to_owned()),
        (LOGOUT, FORM, String::new()),
        (LOGOUT, FORM, logout.clone()),
        (LOGOUT, FORM, format!("LOGOUT_TOKEN={logout}")),
        (LOGOUT, "application/json", form.clone()),
        (LOGOUT, "multipart/form-data", form.clone()),
        (LOGOUT, SECEVENT, logout.clone()),
        (LOGOUT, "application/x-www-form-urlencoded; charset=utf-16", form.clone()),
        (EVENTS, "application/jwt", event.clone()),
        (EVENTS, "", event.clone()),
        (EVENTS, FORM, format!("logout_token={event}")),
        (EVENTS, SECEVENT, String::new()),
        (EVENTS, SECEVENT, format!("{event} {event}")),
        (EVENTS, SECEVENT, format!("{event}.{event}")),
    ];
    for (path, content_type, body) in rows {
        let answer = server.post(path, content_type, body).await;
        assert_eq!(told(&answer), (400, "invalid_request".to_owned()), "{path} {content_type}");
    }
    let mut twice = posted(EVENTS, SECEVENT, event.clone());
    twice.headers_mut().append("content-type", FORM.parse().unwrap());
    assert_eq!(server.send(twice).await.status.as_u16(), 400);
    let mut encoded = posted(EVENTS, SECEVENT, event.clone());
    encoded.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(server.send(encoded).await.status.as_u16(), 400);
    // None of them had an effect: both are still good.
    let form = format!("x=1&{form}&y=%C3%A9");
    assert_eq!(
        server
            .post(LOGOUT, "application/x-www-form-urlencoded; charset=UTF-8", form)
            .await
            .status
            .as_u16(),
        200
    );
    assert_eq!(server.push(format!("{event}\n")).await.status.as_u16(), 202);
}

#[tokio::test]
async fn a_long_body_is_refused_whether_it_says_so_or_not() {
    let server = Server::start().await;
    for (path, content_type) in [(LOGOUT, FORM), (EVENTS, SECEVENT)] {
        let long = "a".repeat(16 * 1024 + 1);
        assert_eq!(server.post(path, content_type, long.clone()).await.status.as_u16(), 413);
        let pieces = futures_util::stream::iter(
            long.into_bytes()
                .chunks(1000)
                .map(|one| Ok::<_, std::io::Error>(one.to_vec()))
                .collect::<Vec<_>>(),
        );
        let head = Request::post(path).header("content-type", content_type);
        let streamed = head.body(Body::from_stream(pieces)).unwrap();
        assert_eq!(server.send(streamed).await.status.as_u16(), 413);
    }
}

#[tokio::test]
async fn no_broken_notice_is_carried_out() {
    let server = Server::start().await;
    let token = server.access_token().claim("sid", "s-1").sign();
    for broken in Broken::ALL {
        // These are wrong as access tokens, in claims that notices have no use for.
        if matches!(broken, Broken::SenderConstrained) {
            continue;
        }
        let logout = server.logout_token(broken.as_str()).broken(*broken);
        let logout = if *broken == Broken::IdToken { logout.without("events") } else { logout };
        let answer = server.log_out(&logout.sign()).await;
        assert_eq!(answer.status.as_u16(), 400, "{}", broken.as_str());
        let revoked = format!("{CAEP}session-revoked");
        let event = server.security_event(broken.as_str(), &revoked, json!({})).broken(*broken);
        let event = if *broken == Broken::IdToken { event.without("events") } else { event };
        let answer = server.push(event.sign()).await;
        assert_eq!(answer.status.as_u16(), 400, "{}", broken.as_str());
    }
    assert_eq!(server.code(&token).await, "ok");
}

#[tokio::test]
async fn the_key_of_another_issuer_signs_nothing_here() {
    let server = Server::start().await;
    let other = DevIssuer::start().await.unwrap();
    let ours = server.issuer.issuer();
    let forged = Server::around(other, |_| {}).logout_token("l-1").issuer(ours).sign();
    let answer = server.log_out(&forged).await;
    assert_eq!(told(&answer), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_thousand_unknown_issuers_have_nothing_fetched() {
    let server = Server::start().await;
    server.issuer.set_mode(Mode::Offline);
    let before = server.issuer.requests();
    let revoked = format!("{CAEP}session-revoked");
    let mut seen = HashSet::new();
    for index in 0..1_000 {
        let issuer = format!("{}/{index}", server.issuer.issuer());
        let event = server.security_event("e", &revoked, json!({})).issuer(&issuer).sign();
        seen.insert(told(&server.push(event).await));
    }
    assert_eq!(seen, HashSet::from([(400, "invalid_issuer".to_owned())]));
    assert_eq!(server.issuer.requests(), before);
}

#[tokio::test]
async fn unknown_keys_have_the_budget_that_tokens_have() {
    let server = Server::start().await;
    let access_token = server.access_token().sign();
    assert_eq!(server.code(&access_token).await, "ok");
    let before = server.issuer.requests().jwks;
    for index in 0..50 {
        let forged = server.logout_token(&index.to_string()).broken(Broken::UnknownKeyId).sign();
        assert_eq!(server.log_out(&forged).await.status.as_u16(), 400);
    }
    assert!(server.issuer.requests().jwks <= before + 4);
    assert_eq!(server.code(&access_token).await, "ok");
}

#[tokio::test]
async fn a_flood_of_forged_ones_is_bounded_and_genuine_ones_are_not_counted() {
    let server = Server::start().await;
    for index in 0..300 {
        let token = server.logout_token(&format!("good-{index}")).sign();
        assert_eq!(server.log_out(&token).await.status.as_u16(), 200);
    }
    let forged = server.logout_token("forged").broken(Broken::Signature).sign();
    let mut statuses = Vec::new();
    for _ in 0..2_050 {
        statuses.push(server.log_out(&forged).await.status.as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 2_000);
    let answer = server.log_out(&forged).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("5")));
    // Calls to the resource go on meanwhile, and notices soon.
    let token = server.access_token().sign();
    assert_eq!(server.code(&token).await, "ok");
    server.clock.advance(5);
    assert_eq!(server.log_out(&server.logout_token("good").sign()).await.status.as_u16(), 200);
}

/// What is counted belongs to the issuer, and not to the configuration that is in force when a notice comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_forged_ones_amid_reloads_has_one_budget() {
    let server = Arc::new(Server::start().await);
    let genuine = server.logout_token("before").sign();
    assert_eq!(server.log_out(&genuine).await.status.as_u16(), 200);
    let forged = server.logout_token("forged").broken(Broken::Signature).sign();
    let mut senders = Vec::new();
    for _ in 0..4 {
        let (target, token) = (server.clone(), forged.clone());
        senders.push(tokio::spawn(async move {
            let mut read = 0;
            for _ in 0..510 {
                let status = target.log_out(&token).await.status.as_u16();
                assert!(matches!(status, 400 | 429), "{status}");
                read += usize::from(status == 400);
            }
            read
        }));
    }
    let access_token = server.access_token().sign();
    for number in 0..40 {
        server.reload(&format!("number {number}"));
        assert_eq!(server.code(&access_token).await, "ok");
        let status = server.log_out(&genuine).await.status.as_u16();
        assert_ne!(status, 200, "it was seen before, whatever the configuration");
    }
    let mut read = 0;
    for sender in senders {
        read += sender.await.unwrap();
    }
    // The genuine one that came again may have had room meanwhile, which it gave back.
    for _ in 0..10 {
        read += usize::from(server.log_out(&forged).await.status.as_u16() == 400);
    }
    assert_eq!(read, 2_000);
    server.reload("after");
    assert_eq!(server.log_out(&forged).await.status.as_u16(), 429);
    server.clock.advance(5);
    assert_eq!(server.log_out(&server.logout_token("after").sign()).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_notice_of_an_issuer_whose_keys_cannot_be_had_may_come_again() {
    let server = Server::start().await;
    server.issuer.set_mode(Mode::Offline);
    let token = server.logout_token("l-1").sign();
    let answer = server.log_out(&token).await;
    assert_eq!(answer.status.as_u16(), 503);
    assert!(answer.header("retry-after").is_some());
    server.issuer.set_mode(Mode::Online);
    assert_eq!(server.log_out(&token).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_notice_is_no_access_token() {
    let server = Server::start().await;
    let logout = server.logout_token_of_alice("l-1").audience(RESOURCE);
    let revoked = format!("{CAEP}session-revoked");
    let event = server.security_event("e-1", &revoked, json!({})).audience(RESOURCE);
    for token in [logout.sign(), event.sign()] {
        assert_eq!(server.code(&token).await, "wrong_type");
    }
}
