//! What tools, prompts and resource handlers know about their caller, and what they do not.

use std::collections::HashMap;

use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use rmcp::model::ErrorCode;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientServiceExt as _, ServiceError};

use super::{Kind, Server, call, lifecycles};

#[tokio::test]
async fn callers_take_turns_and_each_sees_themselves() {
    for lifecycle in lifecycles() {
        let server = Server::start("/mcp").await;
        let alice = server.connect_as("alice", lifecycle.clone()).await;
        let bob = server.connect_as("bob", lifecycle).await;
        for kind in Kind::ALL {
            for _ in 0..2 {
                assert_eq!(kind.ask(&alice).await.unwrap(), "alice", "{kind:?}");
                assert_eq!(kind.ask(&bob).await.unwrap(), "bob", "{kind:?}");
            }
        }
    }
}

/// Every pair of requests is inside the handlers at the same time: none answers before both are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_at_the_same_time_are_not_mixed_up() {
    let server = Server::with("/mcp", 2, |auth, mcp| auth.protect(mcp)).await;
    for (of_alice, of_bob) in pairs(lifecycles()) {
        let alice = server.connect_as("alice", of_alice).await;
        let bob = server.connect_as("bob", of_bob).await;
        for (first, second) in pairs(Kind::ALL) {
            let seen = tokio::try_join!(first.ask(&alice), second.ask(&bob)).unwrap();
            assert_eq!((&*seen.0, &*seen.1), ("alice", "bob"), "{first:?} and {second:?} at once");
        }
    }
}

#[tokio::test]
async fn a_tool_sees_the_request_without_its_token() {
    for (lifecycle, has_session) in lifecycles().into_iter().zip([true, false]) {
        let server = Server::start("/mcp").await;
        let token = server.token("bob");
        let trace = (HeaderName::from_static("x-trace"), HeaderValue::from_static("42"));
        let config = StreamableHttpClientTransportConfig::with_uri(&*server.resource)
            .auth_header(&*token)
            .custom_headers(HashMap::from([trace]));
        let transport = StreamableHttpClientTransport::from_config(config);
        let client = ().serve_with_lifecycle(transport, lifecycle).await.unwrap();

        let request = call(&client, "http_request").await.unwrap();
        let headers: Vec<_> = request["headers"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|name| name.as_str())
            .collect();
        assert!(headers.contains(&"x-trace"), "{headers:?}");
        assert_eq!(headers.contains(&"mcp-session-id"), has_session, "{headers:?}");
        assert!(!headers.contains(&"authorization"), "{headers:?}");
        assert!(!request["debug"].as_str().unwrap().contains(&token));
    }
}

#[tokio::test]
async fn the_layer_around_a_nested_service_protects_it_too() {
    let server = Server::with("/mcp", 1, |auth, mcp| {
        let protected = Router::new().nest_service("/mcp", mcp).layer(auth.layer());
        protected.merge(auth.metadata_router())
    })
    .await;
    for lifecycle in lifecycles() {
        let bob = server.connect_as("bob", lifecycle.clone()).await;
        for kind in Kind::ALL {
            assert_eq!(kind.ask(&bob).await.unwrap(), "bob", "{kind:?}");
        }
        let refused = server.connect(reqwest::Client::new(), lifecycle).await.err().unwrap();
        assert!(refused.is_authorization_required(), "{refused:?}");
    }
}

#[tokio::test]
async fn a_server_without_protection_answers_with_an_error_that_says_so() {
    let server = Server::with("/mcp", 1, |_, mcp| Router::new().nest_service("/mcp", mcp)).await;
    for lifecycle in lifecycles() {
        let client = server.connect_as("bob", lifecycle).await;
        for kind in Kind::ALL {
            let refused = kind.ask(&client).await.unwrap_err();
            let ServiceError::McpError(error) = refused else { panic!("{kind:?}: {refused:?}") };
            assert_eq!(error.code, ErrorCode::INTERNAL_ERROR, "{kind:?}");
            assert!(error.message.contains("McpAuth::protect()"), "{kind:?}: {error}");
        }
        call(&client, "http_request").await.expect("the others go on");
    }
}

/// Every one with every one.
fn pairs<T: Clone, const N: usize>(all: [T; N]) -> impl Iterator<Item = (T, T)> {
    let others = all.clone();
    all.into_iter().flat_map(move |one| others.clone().map(|other| (one.clone(), other)))
}
