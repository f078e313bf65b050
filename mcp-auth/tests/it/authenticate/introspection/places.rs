//! Where a token and our secrets are sent, and where not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::any;
use dev_issuer::DevIssuer;
use mcp_auth::settings::{ClientAuthMethod, IntrospectionMethod};
use mcp_auth::{AuthorizationServer, Config, Introspection, McpAuth, ProtectedResource};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::with;
use crate::support::scripted::Scripted;
use crate::support::{Harness, RESOURCE};

#[tokio::test]
async fn metadata_cannot_send_tokens_into_our_network_or_over_plain_http() {
    let rows = [
        ("https://10.255.255.1/ask", "not a public address"),
        ("https://169.254.169.254/latest", "not a public address"),
        ("https://[::ffff:10.0.0.1]/ask", "not a public address"),
        ("https://localhost/ask", "not a public address"),
        ("http://as.example/ask", "must use https"),
        ("file:///etc/passwd", "starts with https"),
    ];
    for (endpoint, expected) in rows {
        let metadata = Scripted::start(
            json!({ "issuer": "https://as.example", "introspection_endpoint": endpoint }),
        );
        let metadata = metadata.await;
        let mut server = AuthorizationServer::new("https://as.example");
        server.metadata_url = Some(metadata.url.clone());
        server.introspection = Some(Introspection::new("us", "secret"));
        let resource = ProtectedResource::new(RESOURCE, [server]);
        let auth = McpAuth::new(Config::default().protect_resource(resource)).unwrap();
        let error = auth.authenticate("opaque").await.unwrap_err();
        assert_eq!(error.code(), "unavailable");
        assert!(error.to_string().contains(expected), "{endpoint}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_to_another_origin_gets_neither_token_nor_secret() {
    let other = Scripted::start(json!({ "active": true, "client_id": "c", "aud": RESOURCE })).await;
    let location = [(header::LOCATION, other.url.clone())];
    let status = axum::http::StatusCode::TEMPORARY_REDIRECT;
    let app = Router::new().fallback(async move || (status, location));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut introspection = Introspection::new("us", "secret");
    introspection.endpoint = Some(format!("http://{}/", listener.local_addr().unwrap()));
    let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let issuer = DevIssuer::start().await.unwrap();
    let server = Harness::around(issuer, |config| with(config, introspection));
    assert_eq!(server.call("opaque").await.code(), "unavailable");
    assert_eq!(other.count(), 0);
    task.abort();
}

/// Redirects `/` with this status to `/moved`, where everything is active.
async fn moved(status: u16) -> (String, Arc<AtomicUsize>, AbortHandle) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let answer = async move |body: String| {
        counted.fetch_add(1, Ordering::Relaxed);
        let asked_for = body.contains("token=opaque") && body.contains("client_id=us");
        let sub = if asked_for { "asked for" } else { "of no token" };
        json!({ "active": true, "client_id": "c", "sub": sub, "aud": RESOURCE }).to_string()
    };
    let redirect = async move || {
        (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, "/moved")], "{\"active\":true}")
    };
    let app = Router::new().route("/moved", any(answer)).fallback(redirect);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, asked, task.abort_handle())
}

#[tokio::test]
async fn only_a_redirect_that_repeats_the_question_is_followed() {
    let rows = [
        (301, "unavailable"),
        (302, "unavailable"),
        (303, "unavailable"),
        (300, "unavailable"),
        (304, "unavailable"),
        (307, "ok"),
        (308, "ok"),
    ];
    for (status, expected) in rows {
        let (url, asked, task) = moved(status).await;
        let mut introspection = Introspection::new("us", "secret");
        introspection.auth_method = ClientAuthMethod::ClientSecretPost;
        introspection.endpoint = Some(url.clone());
        let issuer = DevIssuer::start().await.unwrap();
        let server = Harness::around(issuer.clone(), |config| with(config, introspection));
        let answer = server.call("opaque").await;
        assert_eq!(answer.code(), expected, "{status}");
        assert_eq!(asked.load(Ordering::Relaxed), usize::from(expected == "ok"), "{status}");
        if expected == "ok" {
            assert_eq!(answer.json()["subject"], "asked for");
        } else {
            assert!(answer.error.unwrap().to_string().contains(&status.to_string()));
        }
        // UserInfo is asked with a GET that has the token in its head.
        let mut userinfo = Introspection::default();
        userinfo.method = IntrospectionMethod::DangerousUserinfo;
        userinfo.endpoint = Some(url);
        let server = Harness::around(issuer, |config| with(config, userinfo));
        assert_eq!(server.call("opaque").await.code(), expected, "{status}");
        task.abort();
    }
}

#[tokio::test]
async fn whoever_is_asked_about_tokens_is_ready_without_keys() {
    let with_endpoint = json!({ "issuer": "https://as.example", "introspection_endpoint": "https://as.example/ask" });
    let unusable = json!({ "issuer": "https://other.example" });
    // What the metadata says, whether the endpoint is configured, whether tokens are introspected.
    let rows = [
        (&with_endpoint, false, true, true),
        (&unusable, true, true, true),
        (&unusable, false, true, false),
        (&unusable, false, false, false),
        (&with_endpoint, false, false, false),
    ];
    for (document, is_configured, is_introspected, expected) in rows {
        let metadata = Scripted::start(document.clone()).await;
        let mut server = AuthorizationServer::new("https://as.example");
        server.metadata_url = Some(metadata.url.clone());
        if is_introspected {
            let mut introspection = Introspection::new("us", "secret");
            introspection.endpoint = is_configured.then(|| "https://as.example/ask".to_owned());
            server.introspection = Some(introspection);
        }
        let resource = ProtectedResource::new(RESOURCE, [server]);
        let auth = McpAuth::new(Config::default().protect_resource(resource)).unwrap();
        let is_ready = auth.ready().await.is_ok();
        assert_eq!(is_ready, expected, "{document} {is_configured} {is_introspected}");
    }
}
