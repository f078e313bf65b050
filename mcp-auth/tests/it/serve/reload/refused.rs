//! A configuration that cannot be used changes nothing.

use axum::http::{Method, Request};
use mcp_auth::{Config, McpAuth};
use serde_json::json;

use super::{Change, Reloaded, SECOND, first, server_of};
use crate::support::log::Log;
use crate::support::{RESOURCE, echo};

#[tokio::test]
async fn a_fault_changes_nothing_and_is_logged() {
    Log::start();
    // Each would refuse the token, if any of it were used.
    let faults: [(Change, &str); 7] = [
        (|config, _| config["clock_tolerance"] = json!(1000), "clock_tolerance"),
        (|config, _| server_of(config)["jwks_file"] = json!("/nowhere/keys.json"), "jwks_file"),
        (|config, _| config["ca_files"] = json!(["/nowhere/ca.pem"]), "ca_files"),
        (|config, _| config["handle_keys"] = json!(["short"]), "handle_keys"),
        (|config, _| first(config)["policy"] = json!({ "tools": { "": ["a b"] } }), "policy"),
        (|config, _| config["resources"] = json!([]), "resources"),
        (
            |config, given| {
                let second =
                    json!({ "resource": "h", "authorization_servers": [given.issuer.issuer()] });
                config["resources"].as_array_mut().unwrap().push(second);
            },
            "resources[1].resource",
        ),
    ];
    let server = Reloaded::start().await;
    let token = server.mint().audience("urn:shared").sign();
    assert_eq!(server.status("/mcp", &token).await, 200);
    let mut stream = server.request(Method::GET, "/mcp", &token).send().await.unwrap();
    let asked = Request::get("/mcp").header("authorization", format!("Bearer {token}"));
    let (head, ()) = asked.body(()).unwrap().into_parts();
    for (change, place) in faults {
        Log::take();
        let mut config = server.config();
        first(&mut config)["audiences"] = json!([]);
        first(&mut config)["required_scopes"] = json!(["admin"]);
        change(&mut config, &server);
        let error = server.auth.reload(serde_json::from_value(config).unwrap()).unwrap_err();
        assert!(error.faults.iter().any(|fault| fault.contains(place)), "{place}: {error}");
        let log = Log::take();
        assert!(log.contains("is not replaced") && log.contains(place), "{place}: {log}");
        assert!(server.auth.decide_seen(&head).is_some(), "{place}");
        assert_eq!(server.status("/mcp", &token).await, 200, "{place}");
    }
    server.events.send("data: still\n\n".to_owned()).unwrap();
    let mut seen = String::new();
    while !seen.ends_with("still\n\n") {
        seen += str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn what_a_router_cannot_serve_is_a_fault() {
    let config = |resource: &str| Config::new(resource, "https://auth.example.com").unwrap();
    let auth = McpAuth::new(config(RESOURCE)).unwrap();
    let _router = auth.protect::<_, axum::body::Body>(echo());
    let error = auth.reload(config(SECOND)).unwrap_err();
    assert!(error.faults[0].starts_with("resources[0].resource: "), "{error}");
    assert!(error.to_string().contains("restart"), "{error}");
    for same_path in ["https://mcp.example.com/mcp/", "https://other.example.com/mcp"] {
        auth.reload(config(same_path)).unwrap();
    }
    // What takes every path has it as well.
    let _layer = auth.layer();
    auth.reload(config(SECOND)).unwrap();
}

#[cfg(feature = "rmcp3")]
#[tokio::test]
async fn a_host_that_the_server_was_not_told_of_is_a_fault() {
    let config = |resource: &str| Config::new(resource, "https://auth.example.com").unwrap();
    let auth = McpAuth::new(config(RESOURCE)).unwrap();
    auth.reload(config("https://other.example.com/mcp")).unwrap();
    let hosts = auth.streamable_http_config().allowed_hosts;
    assert!(hosts.contains(&"other.example.com".to_owned()));
    let error = auth.reload(config(RESOURCE)).unwrap_err();
    assert!(error.faults[0].contains("mcp.example.com"), "{error}");
}
