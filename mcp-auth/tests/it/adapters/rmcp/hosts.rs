//! rmcp's own `Host` check lets through what the configuration names, and nothing else.

use std::net::SocketAddr;

use dev_issuer::DevIssuer;
use mcp_auth::{Config, McpAuth};
use serde_json::json;
use tokio::net::TcpListener;

use super::{mcp_service, serve};

/// A resource with a public name, as behind a proxy, and a second name that is configured.
async fn start(resource: &str) -> (SocketAddr, McpAuth, String) {
    let issuer = DevIssuer::start().await.unwrap();
    let mut config = Config::new(resource, issuer.issuer()).unwrap();
    config.resources[0].allowed_hosts = vec!["proxy.internal".to_owned()];
    let auth = McpAuth::new(config).unwrap();
    auth.ready().await.unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = serve(listener, auth.protect(mcp_service(&auth, 1)));
    (address, auth, issuer.mint().audience(resource).sign())
}

/// Initializes with this `Host`.
async fn initialize(address: SocketAddr, host: &str, token: &str) -> reqwest::Response {
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "0" },
        },
    });
    reqwest::Client::new()
        .post(format!("http://{address}/mcp"))
        .header("host", host)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(message.to_string())
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn known_hosts_pass() {
    let (address, _, token) = start("https://mcp.example.com/mcp").await;
    for host in [
        "mcp.example.com",
        "MCP.Example.com:443",
        "proxy.internal",
        "proxy.internal:8080",
        &address.to_string(),
        "localhost",
        "[::1]:3000",
    ] {
        assert_eq!(initialize(address, host, &token).await.status(), 200, "{host}");
    }

    let (address, _, token) = start("https://[2001:db8::1]:8443/mcp").await;
    for host in ["[2001:db8::1]:8443", "[2001:DB8::1]"] {
        assert_eq!(initialize(address, host, &token).await.status(), 200, "{host}");
    }
}

#[tokio::test]
async fn other_hosts_are_refused_whoever_calls() {
    let (address, _, token) = start("https://mcp.example.com/mcp").await;
    for host in [
        "evil.example",
        "evil.example:443",
        "example.com",
        "a.mcp.example.com",
        "mcp.example.com.evil.example",
        "mcp.example.com.",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "[2001:db8::1]",
        "0.0.0.0",
    ] {
        let refused = initialize(address, host, &token).await;
        assert_eq!(refused.status(), 403, "{host}");
        let refused = initialize(address, host, "garbage").await;
        assert_eq!(refused.status(), 401, "{host}: who is calling is asked first");
        let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains(r#"="https://mcp.example.com/.well-known/"#), "{challenge}");
    }
    for host in ["", "mcp.example.com, evil.example"] {
        let refused = initialize(address, host, &token).await;
        assert!(matches!(refused.status().as_u16(), 400 | 403), "{host:?}: {refused:?}");
    }
}

#[tokio::test]
async fn the_server_configuration_carries_the_hosts() {
    let (_, auth, _) = start("https://mcp.example.com/mcp").await;
    let mut hosts = auth.streamable_http_config().allowed_hosts;
    hosts.sort();
    assert_eq!(hosts, ["127.0.0.1", "::1", "localhost", "mcp.example.com", "proxy.internal"]);
}
