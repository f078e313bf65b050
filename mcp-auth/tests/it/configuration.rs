//! A configuration that cannot work fails at construction, whole.

use axum::body::Bytes;
use axum::http::{Request, Response};
use futures_util::future::{BoxFuture, ready};
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::policy::{AccessRequest, Verdict};
use mcp_auth::{Authorizer, Config, McpAuth, ProtectedResource, ScopePolicy};
use serde_json::json;

#[test]
fn a_missing_configuration_is_refused() {
    let error = McpAuth::new(Config::default()).err().unwrap();
    assert_eq!(error.faults, ["resources: at least one is needed"]);
}

#[test]
fn every_fault_is_named_at_once() {
    let config: Config = serde_json::from_value(json!({
        "clock_tolerance": 3600,
        "max_token_bytes": 0,
        "max_token_claims": 0,
        "max_token_depth": 128,
        "max_token_header_bytes": 0,
        "key_max_age": 600,
        "key_max_stale": 60,
        "fetch_timeout": 0,
        "resources": [
            { "resource": "http://mcp.example.com/mcp", "authorization_servers": [] },
            { "resource": "https://mcp.example.com/a#b", "authorization_servers": [""],
              "required_scopes": ["quo\"te"], "scopes_supported": ["x"] },
        ],
    }))
    .unwrap();
    let error = McpAuth::new(config).err().unwrap();
    let expected = [
        "clock_tolerance: at most 300 seconds are allowed",
        "fetch_timeout: must be above 0",
        "key_max_stale: must not be below key_max_age",
        "max_token_bytes: must be above 0",
        "max_token_claims: must be above 0",
        "max_token_depth: must be 1 to 127",
        "max_token_header_bytes: must be above 0",
        "resources[0].resource: \"http://mcp.example.com/mcp\" must use https; http is for loopback hosts only",
        "resources[0].authorization_servers: at least one is needed",
        "resources[1].resource: \"https://mcp.example.com/a#b\" must not have a query or a fragment",
        "resources[1].authorization_servers[0].issuer: \"\" is missing",
        "resources[1].required_scopes: \"quo\\\"te\" is not a scope (RFC 6749 §3.3)",
        "resources[1].scopes_supported: must contain the required scopes",
    ];
    assert_eq!(error.faults, expected);
    for fault in expected {
        assert!(error.to_string().contains(fault));
    }
}

/// A path is no part of a text: the name of a tool may look like one.
#[test]
fn a_fault_is_a_path_and_a_reason() {
    struct OfficeHours;
    impl Authorizer for OfficeHours {
        fn authorize(
            &self,
            _: &AccessRequest<'_>,
        ) -> Result<Verdict, Box<dyn std::error::Error + Send + Sync>> {
            Ok(Verdict::Allow)
        }

        fn faults(&self) -> Vec<String> {
            vec!["no hours are set".to_owned()]
        }
    }
    let policy: ScopePolicy =
        serde_json::from_value(json!({ "tools": { "a]: b.c": { "roles": [] } } })).unwrap();
    let mut config = Config::new("https://h.example/mcp", "https://as.example").unwrap();
    config.resources[0].policy = Some(policy.clone());
    config.resources[0].audiences = vec![String::new()];
    let builder = McpAuth::builder(config).authorizer(policy).authorizer(OfficeHours);
    let error = builder.build().unwrap_err();
    let paths: Vec<&str> = error.faults().iter().map(|fault| &*fault.path).collect();
    let expected = [
        "authorizer.tools.a]: b.c.roles",
        "authorizer",
        "resources[0].audiences",
        "resources[0].policy.tools.a]: b.c.roles",
    ];
    assert_eq!(paths, expected);
    assert_eq!(error.faults()[1].reason, "no hours are set");
    let texts: Vec<String> = error.faults().iter().map(ToString::to_string).collect();
    assert_eq!(texts, error.faults);
}

#[test]
fn a_contradictory_issuer_is_refused() {
    let config: Config = serde_json::from_value(json!({
        "resources": [
            { "resource": "https://h.example/a", "authorization_servers": ["https://as.example"] },
            { "resource": "https://h.example/b", "authorization_servers": [
                { "issuer": "https://as.example", "metadata_url": "https://as.example/m" }
            ] },
        ],
    }))
    .unwrap();
    let error = McpAuth::new(config).err().unwrap();
    assert_eq!(
        error.faults,
        ["authorization_servers: \"https://as.example\" is configured in two ways"]
    );
}

#[test]
fn offline_access_cannot_be_required() {
    let config = Config::new("https://h.example/mcp", "https://as.example").unwrap();
    let error = McpAuth::new(config.with_required_scopes(["offline_access"])).err().unwrap();
    assert_eq!(error.faults, ["resources[0].required_scopes: `offline_access` cannot be required"]);
}

#[test]
fn two_resources_cannot_share_a_path() {
    let config = Config::new("https://a.example/mcp", "https://as.example")
        .unwrap()
        .protect_resource(ProtectedResource::new("https://b.example/mcp/", ["https://as.example"]));
    let error = McpAuth::new(config).err().unwrap();
    assert_eq!(error.faults, ["resources[1].resource: the path \"/mcp\" is taken by another"]);
}

#[test]
fn resources_differ_in_more_than_their_spelling() {
    let faults = |one: &str, other: &str| {
        let [one, other] = [one, other].map(|path| format!("https://h.example{path}"));
        let config = Config::new(&one, "https://as.example").unwrap();
        let other = ProtectedResource::new(&other, ["https://as.example"]);
        McpAuth::new(config.protect_resource(other)).err().map(|error| error.faults)
    };
    for other in ["/X", "/%78", "/%58", "/x;y", "//x", "/x//", "/./x", "/a/../x", "/x/."] {
        let found = faults("/x", other).unwrap_or_default();
        let fault = found.iter().find(|fault| fault.starts_with("resources[1].resource"));
        assert!(fault.is_some(), "{other}: {found:?}");
    }
    assert!(faults("/x/y", "/x//y").is_some());
    for other in ["/y", "/x/y", "/xy"] {
        assert_eq!(faults("/x", other), None, "{other}");
    }
}

/// A setting that nobody would heed is a fault and not a surprise.
#[test]
fn certificate_authorities_are_for_the_built_in_client() {
    struct Client;
    impl HttpClient for Client {
        fn send(&self, _: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
            Box::pin(ready(Err(HttpError::new("never"))))
        }
    }
    let mut config = Config::new("https://h.example/mcp", "https://as.example").unwrap();
    config.ca_files = vec![concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into()];
    let error = McpAuth::builder(config).http_client(Client).build().unwrap_err();
    let fault = error.faults.iter().find(|fault| fault.starts_with("ca_files: "));
    assert!(fault.is_some_and(|fault| fault.contains("does not use it")), "{error}");
}
