//! What is wrong with the configuration of an API is said at start, all of it.

use mcp_auth::{Config, McpAuth};
use serde_json::{Value, json};

use crate::support::RESOURCE;
use crate::support::log::Log;

const ISSUER: &str = "https://as.example";

/// The faults of an API that is configured so, each without where it is.
fn faults(change: Value) -> Vec<String> {
    let mut api =
        json!({ "issuer": ISSUER, "client_id": "c", "client_secret": "s", "audience": ["a"] });
    for (name, value) in change.as_object().unwrap() {
        api[name] = value.clone();
    }
    let config: Config = serde_json::from_value(json!({
        "resources": [{ "resource": RESOURCE, "authorization_servers": [ISSUER] }],
        "downstreams": { "reports": api },
    }))
    .unwrap();
    let found = McpAuth::new(config).err();
    let found = found.map(|error| error.faults().to_vec()).unwrap_or_default();
    found.iter().map(|fault| fault.path.replace("downstreams.reports.", "")).collect()
}

#[test]
fn every_fault_is_named_by_its_setting() {
    let none = json!(null);
    let target = json!({ "token_endpoint": "https://as.other.example/token", "client_id": "c", "client_secret": "s" });
    for (change, expected) in [
        (json!({}), vec![]),
        (json!({ "issuer": none }), vec!["issuer", "subject_issuers"]),
        (json!({ "issuer": "https://other.example" }), vec!["issuer"]),
        (json!({ "token_endpoint": "https://as.example/t" }), vec!["downstreams.reports"]),
        (
            json!({ "issuer": none, "token_endpoint": "http://as.example/t", "subject_issuers": [ISSUER] }),
            vec!["token_endpoint"],
        ),
        (json!({ "subject_issuers": ["https://other.example"] }), vec!["subject_issuers"]),
        (json!({ "client_id": "" }), vec!["client_id"]),
        (json!({ "client_secret": none }), vec!["client_secret"]),
        (json!({ "auth_method": "private_key_jwt" }), vec!["private_key_file"]),
        (json!({ "audience": [] }), vec!["audience"]),
        (json!({ "audience": [""] }), vec!["audience"]),
        (json!({ "scopes": ["a\"b"] }), vec!["scopes"]),
        (json!({ "api": ["http://reports.example.com"] }), vec!["api"]),
        (json!({ "api": ["reports"] }), vec!["api"]),
        (json!({ "target": target }), vec!["target"]),
        (json!({ "grant": "client_credentials", "allow_machines": true }), vec!["allow_machines"]),
        (
            json!({ "grant": "on_behalf_of", "actor_token": "client_credentials" }),
            vec!["actor_token", "scopes"],
        ),
        (json!({ "grant": "id_jag" }), vec!["target"]),
        (
            json!({ "grant": "id_jag", "token_endpoint": "https://as.example/t", "target": target }),
            vec!["downstreams.reports"],
        ),
        (json!({ "grant": "id_jag", "audience": [], "target": target }), vec!["audience"]),
        (
            json!({ "grant": "id_jag", "target": { "token_endpoint": "x", "client_id": "" } }),
            vec!["target.token_endpoint", "target.client_id", "target.client_secret"],
        ),
        (json!({ "grant": "client_credentials", "auth_method": "none" }), vec!["auth_method"]),
    ] {
        assert_eq!(faults(change.clone()), expected, "{change}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    for api in [json!({ "grant": "password" }), json!({ "scope": "a" }), json!({ "grants": [] })] {
        let whole = json!({ "downstreams": { "x": api } });
        assert!(serde_json::from_value::<Config>(whole).is_err(), "{api}");
    }
}

#[test]
fn single_scopes_of_entra_id_warn_when_a_server_is_made() {
    Log::start();
    let entra = "https://login.microsoftonline.com/8c6f1e2a-3b4d-4c5e-9f60-7a8b9c0d1e2f/v2.0";
    for (issuer, grant, scopes, warns) in [
        (entra, "on_behalf_of", "api://reports/Read", true),
        (entra, "on_behalf_of", "api://reports/.default", false),
        (entra, "client_credentials", "api://reports/Read", false),
        ("https://login.microsoftonline.com.example/x", "on_behalf_of", "reports:read", false),
        (ISSUER, "on_behalf_of", "reports:read", false),
    ] {
        let config: Config = serde_json::from_value(json!({
            "resources": [{ "resource": RESOURCE, "authorization_servers": [issuer] }],
            "downstreams": { "reports": { "grant": grant, "issuer": issuer, "client_id": "c",
                "client_secret": "s", "scopes": [scopes] } },
        }))
        .unwrap();
        Log::take();
        McpAuth::new(config).unwrap();
        let text = Log::take();
        let is_there = text.contains("WARN") && text.contains("/.default");
        assert_eq!(is_there, warns, "{grant} {scopes} {text}");
    }
}
