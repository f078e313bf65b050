//! Where a token and our secrets are sent, and where not.

use axum::Router;
use axum::http::header;
use dev_issuer::DevIssuer;
use mcp_auth::{AuthorizationServer, Config, Introspection, McpAuth, ProtectedResource};
use serde_json::json;
use tokio::net::TcpListener;

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
