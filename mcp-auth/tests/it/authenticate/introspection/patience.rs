//! When an endpoint is asked: not while it wants to be left alone, and also while the keys cannot be had.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::http::header::RETRY_AFTER;
use dev_issuer::DevIssuer;
use mcp_auth::clock::Clock as _;
use mcp_auth::settings::IntrospectionMethod;
use mcp_auth::{Config, Introspection};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::with;
use crate::support::hostile::{Hostile, Reply};
use crate::support::scripted::{JSON, Scripted};
use crate::support::{Answer, Harness, RESOURCE, TestClock};

fn good() -> Value {
    json!({ "active": true, "client_id": "c", "aud": RESOURCE })
}

/// The status, and for how long the client is told to wait.
fn told(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status.as_u16(), answer.header("retry-after"))
}

async fn asking(endpoint: &Scripted) -> Harness {
    let mut introspection = Introspection::new("dev", "dev");
    introspection.endpoint = Some(endpoint.url.clone());
    let issuer = DevIssuer::start().await.unwrap();
    Harness::around(issuer, |config| with(config, introspection))
}

#[tokio::test]
async fn an_endpoint_that_asks_for_patience_is_left_alone_and_clients_are_told() {
    // Seconds that it asks for, and what clients are told; five minutes are the most.
    let rows = [
        (429, "120", 120),
        (503, "120", 120),
        (429, "3600", 300),
        (503, "99999999999999999999", 300),
    ];
    for (status, asked_for, pause) in rows {
        let endpoint = Scripted::start("").await;
        let server = asking(&endpoint).await;
        endpoint.says_with(status, RETRY_AFTER, asked_for);
        let text = pause.to_string();
        assert_eq!(told(&server.call("first").await), (503, Some(&*text)), "{status} {asked_for}");
        endpoint.says(200, JSON, good());
        for index in 0..50 {
            let answer = server.call(&format!("opaque-{index}")).await;
            assert_eq!(told(&answer), (503, Some(&*text)), "{status} {asked_for}");
        }
        assert_eq!(endpoint.count(), 1);
        server.clock.advance(pause - 20);
        assert_eq!(told(&server.call("opaque-1").await), (503, Some("20")));
        server.clock.advance(19);
        assert_eq!(told(&server.call("opaque-1").await), (503, Some("5")), "never less than that");
        assert_eq!(endpoint.count(), 1);
        server.clock.advance(1);
        assert_eq!(server.call("opaque-1").await.code(), "ok");
        // Its keys are at another place, which was not asked to be left alone.
        assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
    }
}

#[tokio::test]
async fn an_endpoint_that_names_no_time_is_asked_again_at_once() {
    let rows = [(429, "0"), (503, "-1"), (503, "later"), (500, "120"), (401, "120"), (200, "120")];
    for (status, retry_after) in rows {
        let endpoint = Scripted::start("").await;
        let server = asking(&endpoint).await;
        endpoint.says_with(status, RETRY_AFTER, retry_after);
        let answer = server.call("first").await;
        assert_eq!(told(&answer), (503, Some("5")), "{status} {retry_after}");
        endpoint.says(200, JSON, good());
        assert_eq!(server.call("second").await.code(), "ok", "{status} {retry_after}");
    }
}

#[tokio::test]
async fn a_user_who_asks_userinfo_too_often_holds_up_nobody_else() {
    // A 503 is the endpoint's own, and a 429 that of the token that signed in there.
    for (status, expected) in [(429, "ok"), (503, "unavailable")] {
        let endpoint = Scripted::start("").await;
        let issuer = DevIssuer::start().await.unwrap();
        let server = Harness::around(issuer, |config| {
            let mut introspection = Introspection::new("dev", "dev");
            introspection.method = IntrospectionMethod::DangerousUserinfo;
            introspection.endpoint = Some(endpoint.url.clone());
            with(config, introspection)
        });
        endpoint.says_with(status, RETRY_AFTER, "120");
        assert_eq!(server.call("mallory").await.status.as_u16(), 503, "{status}");
        endpoint.says(200, JSON, json!({ "sub": "alice", "client_id": "c" }));
        assert_eq!(server.call("alice").await.code(), expected, "{status}");
    }
}

#[tokio::test]
async fn a_pause_is_of_one_endpoint_and_not_of_others() {
    let (busy, idle) = (Scripted::start("").await, Scripted::start(good()).await);
    busy.says_with(429, RETRY_AFTER, "60");
    let issuer = DevIssuer::start().await.unwrap();
    let server = Harness::around(issuer, |config| {
        let mut introspection = Introspection::new("dev", "dev");
        introspection.endpoint = Some(busy.url.clone());
        introspection.token_prefixes = vec!["busy_".to_owned()];
        let mut config = with(config, introspection);
        let mut other = mcp_auth::AuthorizationServer::new("https://other.example");
        let mut introspection = Introspection::new("dev", "dev");
        introspection.endpoint = Some(idle.url.clone());
        other.introspection = Some(introspection);
        config.resources[0].authorization_servers.push(other);
        config
    });
    assert_eq!(told(&server.call("busy_1").await), (503, Some("60")));
    assert_eq!(server.call("idle_1").await.code(), "ok");
    assert_eq!(told(&server.call("busy_2").await), (503, Some("60")));
    assert_eq!((busy.count(), idle.count()), (1, 1));
}

/// A server that asks at the endpoint that the metadata of a hostile issuer names.
fn asking_where_metadata_says(hostile: &Hostile, endpoint: &Scripted) -> Harness {
    let metadata = json!({
        "issuer": hostile.origin,
        "jwks_uri": format!("{}/jwks", hostile.origin),
        "introspection_endpoint": endpoint.url,
    });
    hostile.reply("/.well-known/oauth-authorization-server", Reply::json(&metadata));
    hostile.harness(|config: Config| with(config, Introspection::new("dev", "dev")))
}

#[tokio::test]
async fn opaque_tokens_are_asked_about_while_the_keys_cannot_be_had() {
    let faults = [
        Reply::json(&json!({ "keys": [] })),
        Reply::json(&json!({ "keys": [{ "kty": "oct", "k": "AA" }] })),
        Reply::new("404 Not Found", &[], ""),
        Reply::new("503 Service Unavailable", &["retry-after: 120"], ""),
        Reply::new("200 OK", &[], "<html>"),
        Reply::Reset,
        Reply::Hang,
    ];
    for fault in faults {
        let (hostile, endpoint) = (Hostile::start().await, Scripted::start(good()).await);
        let server = asking_where_metadata_says(&hostile, &endpoint);
        hostile.reply("/jwks", fault.clone());
        for index in 0..10 {
            let answer = server.call(&format!("opaque-{index}")).await;
            assert_eq!(answer.code(), "ok", "{fault:?}");
        }
        assert_eq!(endpoint.count(), 10);
        if !matches!(fault, Reply::Hang) {
            assert_eq!(server.call(&hostile.token(&server)).await.code(), "unavailable");
        }
        // For ever, as long as there is metadata.
        for index in 0..8 {
            server.clock.advance(1_000);
            assert_eq!(server.call(&format!("later-{index}")).await.code(), "ok", "{fault:?}");
        }
    }
}

#[tokio::test]
async fn keys_are_in_use_while_the_endpoint_cannot_be_asked() {
    let (hostile, endpoint) = (Hostile::start().await, Scripted::start("").await);
    let server = asking_where_metadata_says(&hostile, &endpoint);
    endpoint.says_with(503, RETRY_AFTER, "120");
    assert_eq!(told(&server.call("opaque").await), (503, Some("120")));
    assert_eq!(server.call(&hostile.token(&server)).await.code(), "ok");
}

#[tokio::test]
async fn metadata_that_is_too_old_names_no_endpoint() {
    let (hostile, endpoint) = (Hostile::start().await, Scripted::start(good()).await);
    let server = asking_where_metadata_says(&hostile, &endpoint);
    hostile.reply("/jwks", Reply::json(&json!({ "keys": [] })));
    assert_eq!(server.call("first").await.code(), "ok");
    hostile.reply_everywhere(Reply::Reset);
    server.clock.advance(Config::default().key_max_stale.as_secs() + 1);
    assert_eq!(server.call("second").await.code(), "unavailable");
    assert_eq!(endpoint.count(), 1);
}

/// An endpoint that takes 100 seconds for each answer, by the clock of the server that asks.
async fn slow_endpoint(answer: Value) -> (Harness, tokio::task::AbortHandle) {
    let clock: Arc<OnceLock<TestClock>> = Arc::default();
    let asked_by = clock.clone();
    let app = Router::new().fallback(async move || {
        asked_by.get().unwrap().advance(100);
        answer.to_string()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut introspection = Introspection::new("dev", "dev");
    introspection.endpoint = Some(format!("http://{}/", listener.local_addr().unwrap()));
    let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let issuer = DevIssuer::start().await.unwrap();
    let server = Harness::around(issuer, |config| with(config, introspection));
    assert!(clock.set(server.clock.clone()).is_ok());
    (server, task.abort_handle())
}

#[tokio::test]
async fn times_are_compared_with_the_time_after_the_question() {
    let now = TestClock::new().unix_seconds();
    let rows = [
        ("exp", now + 30, "expired"),
        ("exp", now + 300, "ok"),
        ("nbf", now + 120, "ok"),
        ("iat", now + 120, "ok"),
        ("nbf", now + 300, "not_yet_valid"),
    ];
    for (name, time, expected) in rows {
        let mut answer = good();
        answer[name] = json!(time);
        let (server, task) = slow_endpoint(answer).await;
        assert_eq!(server.call("opaque").await.code(), expected, "{name} {time}");
        task.abort();
    }
}
