//! What an endpoint does with the connections on which it is asked.

use dev_issuer::DevIssuer;
use futures_util::future::join_all;
use mcp_auth::Introspection;
use serde_json::json;

use super::with;
use crate::support::kept_connections::{KeptConnections, Manner};
use crate::support::{Harness, RESOURCE};

/// An endpoint for which tokens that begin with `good` are active.
async fn endpoint(manner: Manner) -> KeptConnections {
    KeptConnections::start(manner, |_| {
        |_: &str, body: &str| {
            let token = body.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap();
            let is_active = token.starts_with("good");
            let answer = json!({ "active": is_active, "sub": token, "aud": RESOURCE });
            Some(answer.to_string())
        }
    })
    .await
}

async fn asking(endpoint: &KeptConnections) -> Harness {
    let mut introspection = Introspection::new("dev", "dev");
    introspection.endpoint = Some(format!("{}/ask", endpoint.origin));
    let issuer = DevIssuer::start().await.unwrap();
    Harness::around(issuer, |config| with(config, introspection))
}

#[tokio::test]
async fn an_endpoint_that_closes_the_connections_that_it_kept_is_asked_all_the_same() {
    let endpoint = endpoint(Manner::ClosesOnReuse).await;
    let server = asking(&endpoint).await;
    // One after the other, and at once.
    for index in 0..20 {
        assert_eq!(server.call(&format!("good-{index}")).await.code(), "ok");
        assert_eq!(server.call(&format!("bad-{index}")).await.code(), "inactive");
    }
    let tokens: Vec<_> = (0..100).map(|index| format!("good-at-once-{index}")).collect();
    for answer in join_all(tokens.iter().map(|token| server.call(token))).await {
        assert_eq!(answer.code(), "ok");
    }
    assert_eq!(endpoint.requests(), 140, "each question is sent once");
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_taken_for_that_of_the_next_token() {
    const GOOD: &str = r#"{"active":true,"sub":"mallory","aud":"https://mcp.example.com/mcp"}"#;
    for manner in [Manner::AnswersTwice(GOOD), Manner::AnswersTwiceAtOnce(GOOD)] {
        let endpoint = endpoint(manner.clone()).await;
        let server = asking(&endpoint).await;
        for index in 0..20 {
            assert_eq!(server.call(&format!("one-{index}")).await.code(), "inactive", "{manner:?}");
        }
        let tokens: Vec<_> = (0..300).map(|index| format!("bad-{index}")).collect();
        for answer in join_all(tokens.iter().map(|token| server.call(token))).await {
            assert_eq!(answer.code(), "inactive", "{manner:?}");
        }
        // Nor is the one that was asked for lost.
        let answer = server.call("good-alice").await;
        assert_eq!((answer.code(), &answer.json()["subject"]), ("ok", &json!("good-alice")));
    }
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_on_a_fresh_connection_is_asked_once() {
    for manner in [Manner::NeverAnswers, Manner::BreaksOff] {
        let endpoint = endpoint(manner.clone()).await;
        let server = asking(&endpoint).await;
        let answer = server.call("good-one").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "unavailable"), "{manner:?}");
        assert_eq!(endpoint.requests(), 1, "{manner:?}");
    }
}
