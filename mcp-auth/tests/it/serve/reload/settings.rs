//! Of every setting it is known whether it decides about tokens: one that does, and is changed, makes known tokens unknown.

use mcp_auth::{AuthorizationServer, Config, ProtectedResource};
use serde_json::{Value, json};

use super::{Reloaded, first, server_of};

/// The settings of an authorization server that decide, each with another value.
fn of_server(server: &Reloaded) -> Vec<(&'static str, Value)> {
    let issuer = server.issuer.issuer();
    let metadata = json!({ "issuer": issuer, "jwks_uri": server.issuer.jwks_uri() });
    let introspection = json!({ "client_id": "dev", "client_secret": "dev" });
    vec![
        ("issuer", json!(server.other_issuer.issuer())),
        ("server_type", json!("oidc")),
        ("metadata_url", json!(format!("{issuer}/.well-known/openid-configuration"))),
        ("metadata", metadata),
        ("jwks", server.foreign_keys.clone()),
        ("jwks_file", json!(null)),
        ("allowed_key_hosts", json!(["keys.internal"])),
        ("token_issuers", json!(["https://other.example.com"])),
        ("audiences", json!(["urn:other"])),
        ("dangerous_shared_audiences", json!(["urn:other"])),
        ("scope_claims", json!(["roles"])),
        ("scope_prefix", json!("api://")),
        ("required_claims", json!({ "tenant": ["acme"] })),
        ("principal_claim", json!({ "claim": "kind", "user": ["person"] })),
        ("default_principal", json!("user")),
        ("dangerous_accept_clients", json!(["app"])),
        ("dangerous_accept_any_issuer", json!(true)),
        ("introspection", introspection),
        ("token_header", json!("x-token")),
        ("algorithms", json!(["ES256"])),
        ("require_at_jwt", json!(true)),
        ("require_subject", json!(true)),
        ("dangerous_allow_http", json!(true)),
    ]
}

/// What it may tell.
const OF_SERVER_AND_NO_TOKEN: [&str; 2] = ["back_channel_logout", "shared_signals"];

/// Those of a resource that decide.
fn of_resource(server: &Reloaded) -> Vec<(&'static str, Value)> {
    vec![
        ("resource", json!("https://other.example.com/mcp")),
        ("authorization_servers", json!([server.other_issuer.issuer()])),
        ("audiences", json!(["urn:other"])),
        ("dangerous_accept_any_audience", json!(true)),
    ]
}

/// Those that a token is not looked at for: they are about what its caller may do, or what clients are told.
const OF_RESOURCE_AND_NO_TOKEN: [&str; 25] = [
    "required_scopes",
    "policy",
    "mirrored_arguments",
    "known_tasks_only",
    "dangerous_unbound_sessions",
    "seal_task_ids",
    "seal_request_state",
    "seal_event_ids",
    "challenge_style",
    "scopes_supported",
    "dangerous_advertise_offline_access",
    "resource_name",
    "resource_documentation",
    "resource_policy_uri",
    "resource_tos_uri",
    "localized",
    "jwks_uri",
    "resource_signing_alg_values_supported",
    "authorization_details_types_supported",
    "tls_client_certificate_bound_access_tokens",
    "dpop_signing_alg_values_supported",
    "dpop_bound_access_tokens_required",
    "signed_metadata",
    "allowed_origins",
    "allowed_hosts",
];

fn of_all() -> Vec<(&'static str, Value)> {
    vec![
        ("clock_tolerance", json!(1)),
        ("fetch_timeout", json!(2)),
        ("key_max_age", json!(60)),
        ("key_max_stale", json!(100_000)),
        ("max_token_bytes", json!(10_000)),
        ("max_token_claims", json!(100)),
        ("max_token_depth", json!(10)),
        ("max_token_header_bytes", json!(1000)),
        ("token_cache_bytes", json!(1_000_000)),
        ("token_cache_max_age", json!(100)),
    ]
}

const OF_ALL_AND_NO_TOKEN: [&str; 14] = [
    "resources",
    "ca_files",
    "max_body_bytes",
    "max_anonymous_body_bytes",
    "body_timeout",
    "handle_keys_file",
    "request_state_max_age",
    "logout_path",
    "shared_signals_path",
    "shared_store",
    "limits",
    "downstreams",
    "downstream_cache_entries",
    "connect",
];

fn names_of(settings: impl serde::Serialize) -> Vec<String> {
    let Value::Object(members) = serde_json::to_value(settings).unwrap() else { panic!() };
    let mut names: Vec<String> = members.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

/// A new setting needs a row above; where it decides about tokens, `Authenticator::take_over` must compare it.
#[tokio::test]
async fn every_setting_is_known_to_decide_about_tokens_or_not() {
    let server = Reloaded::start().await;
    let sorted = |deciding: Vec<(&'static str, Value)>, others: &[&str]| {
        let names = deciding.iter().map(|(name, _)| *name).chain(others.iter().copied());
        let mut all: Vec<String> = names.map(str::to_owned).collect();
        all.sort();
        all
    };
    let of_issuer = names_of(AuthorizationServer::default());
    assert_eq!(of_issuer, sorted(of_server(&server), &OF_SERVER_AND_NO_TOKEN));
    let resource = names_of(ProtectedResource::default());
    assert_eq!(resource, sorted(of_resource(&server), &OF_RESOURCE_AND_NO_TOKEN));
    assert_eq!(names_of(Config::default()), sorted(of_all(), &OF_ALL_AND_NO_TOKEN));
}

#[tokio::test]
async fn a_setting_that_decides_about_tokens_makes_known_ones_unknown() {
    let server = Reloaded::start().await;
    let token = server.mint().sign();
    let file = std::env::temp_dir().join(format!("reloaded-keys-{}.json", std::process::id()));
    std::fs::write(&file, server.foreign_keys.to_string()).unwrap();
    let mut rows: Vec<(&str, Value)> = Vec::new();
    let before = server.config();
    for (name, value) in of_server(&server) {
        let mut config = before.clone();
        server_of(&mut config)[name] = value;
        match name {
            "jwks_file" => server_of(&mut config)[name] = json!(file),
            "dangerous_accept_any_issuer" => {
                server_of(&mut config)["jwks"] = server.foreign_keys.clone();
            }
            _ => {}
        }
        rows.push((name, config));
    }
    for (name, value) in of_resource(&server) {
        let mut config = before.clone();
        first(&mut config)[name] = value;
        rows.push((name, config));
    }
    for (name, value) in of_all() {
        let mut config = before.clone();
        config[name] = value;
        rows.push((name, config));
    }
    for (name, config) in rows {
        server.reload(|_, _| {}).unwrap();
        server.auth.authenticate(&token).await.unwrap();
        assert!(server.auth.authenticate_seen(&token).is_some());
        server.auth.reload(serde_json::from_value(config).unwrap()).unwrap();
        assert!(server.auth.authenticate_seen(&token).is_none(), "{name}");
    }
    std::fs::remove_file(file).unwrap();
}

/// A file is compared by what is in it.
#[tokio::test]
async fn keys_in_a_file_that_changed_are_other_keys() {
    let server = Reloaded::start().await;
    let file = std::env::temp_dir().join(format!("reloaded-own-keys-{}.json", std::process::id()));
    let own_keys = reqwest::get(server.issuer.jwks_uri()).await.unwrap().text().await.unwrap();
    let reload = |keys: &str| {
        std::fs::write(&file, keys).unwrap();
        let mut config = server.config();
        server_of(&mut config)["jwks_file"] = json!(file);
        server.auth.reload(serde_json::from_value(config).unwrap()).unwrap();
    };
    let token = server.mint().sign();
    reload(&own_keys);
    server.auth.authenticate(&token).await.unwrap();
    reload(&own_keys);
    assert!(server.auth.authenticate_seen(&token).is_some());
    reload(&server.foreign_keys.to_string());
    assert!(server.auth.authenticate_seen(&token).is_none());
    assert!(server.auth.authenticate(&token).await.is_err());
    std::fs::remove_file(file).unwrap();
}
