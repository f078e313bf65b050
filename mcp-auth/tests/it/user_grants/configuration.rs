//! What is wrong with a configuration is said at the start.

use mcp_auth::{Config, McpAuth};
use serde_json::{Value, json};

use super::Server;

#[tokio::test]
async fn what_cannot_work_is_a_fault_with_its_name() {
    let server = Server::start().await;
    let good = super::settings(&server.issuer, &server.github, &server.origin, &server.folder);
    let faults = |data: &Value| {
        let config: Config = serde_json::from_value(data.clone()).unwrap();
        match McpAuth::new(config) {
            Ok(_) => Vec::new(),
            Err(error) => error.faults().iter().map(|fault| fault.path.clone()).collect(),
        }
    };
    assert_eq!(faults(&good), Vec::<String>::new());
    let rows = [
        ("/connect", json!(null), "connect"),
        ("/handle_keys", json!([]), "handle_keys"),
        ("/connect/url", json!("http://mcp.example.com/connect"), "connect.url"),
        ("/connect/url", json!("https://mcp.example.com"), "connect.url"),
        ("/connect/url", json!("https://mcp.example.com/mcp"), "connect.url"),
        ("/connect/url", json!("https://mcp.example.com/a?b"), "connect.url"),
        // Paths of pages that are something else's already, as some router reads them.
        ("/resources/0/resource", json!("https://mcp.example.com/connect"), "connect.url"),
        ("/resources/0/resource", json!("https://mcp.example.com/Connect/GitHub/"), "connect.url"),
        (
            "/resources/0/resource",
            json!("https://mcp.example.com/connect/github/signed-in"),
            "connect.url",
        ),
        ("/logout_path", json!("/connect/github/callback"), "connect.url"),
        ("/shared_signals_path", json!("/connect/github"), "connect.url"),
        ("/connect/url", json!("https://mcp.example.com/.well-known"), "connect.url"),
        ("/connect/url", json!("https://mcp.example.com/.Well-Known/a"), "connect.url"),
        ("/connect/folder", json!(null), "connect.folder"),
        ("/connect/folder", json!("/proc/no/such"), "connect.folder"),
        ("/connect/sign_in", json!([]), "connect.sign_in"),
        ("/connect/sign_in/0/issuer", json!("https://x.example"), "connect.sign_in[0].issuer"),
        ("/connect/sign_in/0/client_id", json!(""), "connect.sign_in[0].client_id"),
        (
            "/downstreams/github/authorization_endpoint",
            json!(null),
            "downstreams.github.authorization_endpoint",
        ),
        (
            "/downstreams/github/authorization_endpoint",
            json!("http://github.example/a"),
            "downstreams.github.authorization_endpoint",
        ),
        ("/downstreams/github/audience", json!(["a"]), "downstreams.github.audience"),
        ("/downstreams/github/target", json!({}), "downstreams.github.target"),
    ];
    for (place, value, fault) in rows {
        let mut data = good.clone();
        *data.pointer_mut(place).unwrap_or(&mut Value::Null) = value.clone();
        if data.pointer(place).is_none() && !place.starts_with("/downstreams/") {
            data[place.trim_start_matches('/')] = value.clone();
        } else if data.pointer(place).is_none() {
            data["downstreams"]["github"][place.rsplit('/').next().unwrap()] = value.clone();
        }
        let found = faults(&data);
        assert!(found.iter().any(|path| path == fault), "{place} {value}: {found:?}");
    }
    // Its first page would be the last one of another API.
    let mut data = good.clone();
    data["downstreams"]["github/callback"] = data["downstreams"]["github"].clone();
    assert!(faults(&data).iter().any(|path| path == "downstreams.github/callback"));
    // A token of the other server could name a user who has a grant.
    let mut data = good.clone();
    let mut other = data["resources"][0].clone();
    other["resource"] = json!("https://mcp.example.com/other");
    other["authorization_servers"] =
        json!([{ "issuer": "https://any.example", "dangerous_accept_any_issuer": true }]);
    data["resources"].as_array_mut().unwrap().push(other);
    assert!(faults(&data).iter().any(|path| path == "connect"));
}

#[tokio::test]
async fn a_page_without_a_route_takes_a_restart() {
    let server = Server::start().await;
    let good = super::settings(&server.issuer, &server.github, &server.origin, &server.folder);
    let faults = |data: &Value| {
        let config: Config = serde_json::from_value(data.clone()).unwrap();
        match server.auth.reload(config) {
            Ok(()) => Vec::new(),
            Err(error) => error.faults().iter().map(|fault| fault.path.clone()).collect(),
        }
    };
    assert_eq!(faults(&good), Vec::<String>::new());
    let mut moved = good.clone();
    moved["connect"]["url"] = json!(format!("{}/accounts", server.origin));
    let mut more = good.clone();
    more["downstreams"]["gitlab"] = good["downstreams"]["github"].clone();
    for data in [&moved, &more] {
        assert_eq!(faults(data), ["connect.url"; 3]);
    }
    // What is in force still is.
    server.connect("alice").await;
    let mut less = good.clone();
    less["connect"] = json!(null);
    less["downstreams"] = json!({});
    assert_eq!(faults(&less), Vec::<String>::new());
    // A layer around everything has each page.
    let everywhere = server.another_instance(|_| {});
    let _ = (everywhere.protect(crate::support::echo()), everywhere.layer());
    assert!(everywhere.reload(serde_json::from_value(moved).unwrap()).is_ok());
}
