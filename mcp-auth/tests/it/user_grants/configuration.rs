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
        if data.pointer(place).is_none() {
            data["downstreams"]["github"][place.rsplit('/').next().unwrap()] = value.clone();
        }
        let found = faults(&data);
        assert!(found.iter().any(|path| path == fault), "{place} {value}: {found:?}");
    }
    // A token of the other server could name a user who has a grant.
    let mut data = good.clone();
    let mut other = data["resources"][0].clone();
    other["resource"] = json!("https://mcp.example.com/other");
    other["authorization_servers"] =
        json!([{ "issuer": "https://any.example", "dangerous_accept_any_issuer": true }]);
    data["resources"].as_array_mut().unwrap().push(other);
    assert!(faults(&data).iter().any(|path| path == "connect"));
}
