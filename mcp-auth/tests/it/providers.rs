//! Tokens as providers issue them, with two strings of configuration and with a provider's profile.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axum::Router;
use axum::routing::post;
use dev_issuer::{Algorithm, DevIssuer, Mint};
use mcp_auth::clock::Clock;
use mcp_auth::presets::Provider as Preset;
use mcp_auth::{AuthInfo, AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::{Value, json};

use crate::support::log::Log;
use crate::support::scripted::{JSON, Scripted};
use crate::support::{request, send};

struct FixedClock(u64);

impl Clock for FixedClock {
    fn unix_seconds(&self) -> u64 {
        self.0
    }
}

fn fixture(file: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/providers");
    serde_json::from_slice(&fs::read(folder.join(file)).unwrap()).unwrap()
}

/// The issuer that the provider's own metadata names.
fn issuer_of(provider: &str) -> String {
    let names = ["openid-configuration.json", "oauth-authorization-server.json"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/providers");
    let name = names.into_iter().find(|name| folder.join(provider).join(name).exists()).unwrap();
    fixture(&format!("{provider}/{name}"))["issuer"].as_str().unwrap().to_owned()
}

/// The token of a fixture: its header and claims, with one of our keys.
fn token(issuer: &DevIssuer, fixture: &Value) -> String {
    if fixture["format"] == "opaque" {
        return fixture["value"].as_str().unwrap().to_owned();
    }
    let header = fixture["header"].as_object().unwrap();
    let algorithm = Algorithm::ALL.iter().find(|one| header["alg"] == one.as_str()).unwrap();
    let bare: Mint = ["sub", "iat", "exp", "jti", "client_id", "iss"]
        .into_iter()
        .filter(|name| fixture["claims"].get(name).is_none())
        .fold(issuer.mint().algorithm(*algorithm).subject("nobody-here"), Mint::without);
    let mint = match header.get("typ") {
        Some(typ) => bare.header("typ", typ.clone()),
        None => bare.without_header("typ"),
    };
    let claims = fixture["claims"].as_object().unwrap();
    claims.iter().fold(mint, |mint, (name, value)| mint.claim(name, value.clone())).sign()
}

/// What a handler sees, or the code of the refusal.
async fn outcome(config: Config, now: u64, token: &str) -> Result<Value, String> {
    let path = "/mcp";
    let seen = async |auth: AuthInfo| {
        axum::Json(json!({
            "scopes": auth.scopes(), "client_id": auth.client_id(), "subject": auth.subject(),
            "claims": auth.claims(),
        }))
    };
    let auth = McpAuth::builder(config).clock(FixedClock(now)).build().unwrap();
    let app = Router::new().route(path, post(seen)).layer(auth.layer());
    let headers = [("authorization", &*format!("Bearer {token}"))];
    let answer = send(app, request("POST", path, &headers)).await;
    match answer.code() {
        "ok" => Ok(answer.json()),
        code => Err(code.to_owned()),
    }
}

#[tokio::test]
async fn tokens_in_the_shapes_of_providers_are_decided_as_expected() {
    let issuer = DevIssuer::start().await.unwrap();
    let expectations = fixture("expectations.json");
    let now = expectations["now"].as_u64().unwrap();
    let cases = expectations["cases"].as_array().unwrap();
    assert!(cases.len() >= 40);
    let mut providers = BTreeSet::new();
    let endpoint = Scripted::start("").await;
    for case in cases {
        let file = case["file"].as_str().unwrap();
        let provider = file.split('/').next().unwrap();
        providers.insert(provider);
        let token_fixture = fixture(file);
        let token = token(&issuer, &token_fixture);
        let jwks = reqwest::get(issuer.jwks_uri()).await.unwrap().json::<Value>().await.unwrap();
        let config = |profile: &Value| -> Config {
            let mut server = json!({ "issuer": issuer_of(provider), "jwks": jwks });
            if let Some(answer) = case["introspection"].as_str().filter(|_| !profile.is_null()) {
                endpoint.says(200, JSON, fixture(answer));
                server["introspection"] = json!({ "endpoint": endpoint.url, "client_id": "us",
                    "client_secret": "secret" });
            }
            for (name, value) in profile["server"].as_object().into_iter().flatten() {
                server[name] = value.clone();
            }
            let audiences = profile["audiences"].as_array().cloned().unwrap_or_default();
            serde_json::from_value(json!({ "resources": [{
                "resource": expectations["resource"], "audiences": audiences,
                "authorization_servers": [server],
            }] }))
            .unwrap()
        };
        let default = outcome(config(&Value::Null), now, &token).await;
        assert_eq!(default.is_ok(), case["default"] == "accept", "{file}: {default:?}");
        let mut accepted = default.ok();
        if let Some(expected) = case.get("with_profile") {
            let outcome = outcome(config(&case["profile"]), now, &token).await;
            assert_eq!(outcome.is_ok(), expected == "accept", "{file} with profile: {outcome:?}");
            accepted = accepted.or(outcome.ok());
        }
        let Some(seen) = accepted else { continue };
        if case["introspection"].is_null() {
            assert_eq!(seen["claims"], token_fixture["claims"], "{file}: every claim is readable");
        }
        for (name, value) in case["expect"].as_object().into_iter().flatten() {
            if name != "roles" {
                assert_eq!(seen[name], *value, "{file}: {name}");
            }
        }
    }
    let all = ["asgardeo", "auth0", "entra", "keycloak", "logto", "okta"];
    assert_eq!(providers.into_iter().collect::<Vec<_>>(), all);
}

const NOW: u64 = 1_800_000_000;
const RESOURCE: &str = "https://mcp.example.com/mcp";
const ISSUER: &str = "https://as.example.com";

struct Provider {
    issuer: DevIssuer,
    settings: Value,
}

impl Provider {
    async fn with(settings: Value) -> Self {
        Self { issuer: DevIssuer::start().await.unwrap(), settings }
    }

    fn mint(&self) -> Mint {
        let mint = self.issuer.mint().issued_at(NOW).issuer(ISSUER).audience(RESOURCE);
        mint.subject("alice").client_id("app").scope("read")
    }

    async fn decide(&self, mint: Mint) -> Result<Value, String> {
        let token = mint.sign();
        let jwks = reqwest::get(self.issuer.jwks_uri()).await.unwrap();
        let mut server = json!({ "issuer": ISSUER, "jwks": jwks.json::<Value>().await.unwrap() });
        for (name, value) in self.settings.as_object().unwrap() {
            server[name] = value.clone();
        }
        let resource = json!({ "resource": RESOURCE, "authorization_servers": [server] });
        let config = serde_json::from_value(json!({ "resources": [resource] })).unwrap();
        outcome(config, NOW, &token).await
    }

    async fn code(&self, mint: Mint) -> String {
        self.decide(mint).await.err().unwrap_or("ok".to_owned())
    }
}

#[tokio::test]
async fn another_iss_of_the_same_issuer_is_accepted_and_not_advertised() {
    let other = "https://sts.example.com/tenant/";
    let provider = Provider::with(json!({ "token_issuers": [other] })).await;
    assert_eq!(provider.code(provider.mint().issuer(other)).await, "ok");
    assert_eq!(provider.code(provider.mint()).await, "ok");
    assert_eq!(
        provider.code(provider.mint().issuer("https://sts.example.com/tenant")).await,
        "unknown_issuer"
    );
}

#[tokio::test]
async fn accepted_clients_need_no_audience_and_nothing_else_is_given_up() {
    let provider = Provider::with(json!({ "dangerous_accept_clients": ["app"] })).await;
    let mint = || provider.mint();
    let rows = [
        (mint().audience("app"), "ok"),
        (mint().claim("aud", json!([])), "ok"),
        (mint().without("aud"), "ok"),
        (mint().without("aud").client_id("other"), "missing_claim"),
        (mint().audience("app").client_id("other"), "wrong_audience"),
        (mint().audience("app").without("client_id").claim("azp", "app"), "ok"),
        (mint().audience("app").expires_in(-3600), "expired"),
        // An ID token, whose audience is the client too.
        (
            mint().audience("app").without("client_id").without("scope").claim("azp", "app"),
            "wrong_audience",
        ),
        (mint().audience("app").claim("typ", "ID"), "wrong_type"),
        (mint().audience("app").claim("cnf", json!({})), "sender_constrained"),
    ];
    for (mint, expected) in rows {
        assert_eq!(provider.code(mint).await, expected);
    }
}

#[tokio::test]
async fn scopes_come_from_more_claims_and_get_their_prefix() {
    let settings = json!({
        "scope_claims": ["permissions", "/realm_access/roles", "cognito:groups"],
        "scope_prefix": "api://notes/",
    });
    let provider = Provider::with(settings).await;
    let mint = provider
        .mint()
        .scope("Read api://notes/Write openid")
        .claim("permissions", json!(["p:1", "two words", 7]))
        .claim("realm_access", json!({ "roles": { "admin": {}, "not": false } }))
        .claim("cognito:groups", "staff ops");
    let seen = provider.decide(mint).await.unwrap();
    let expected = [
        "api://notes/Read",
        "api://notes/Write",
        "api://notes/openid",
        "p:1",
        "admin",
        "staff",
        "ops",
    ];
    assert_eq!(seen["scopes"], json!(expected));
}

#[tokio::test]
async fn required_claims_must_have_one_of_their_values() {
    let settings = json!({ "required_claims": { "tid": ["a", "b"], "/org/level": [1, true] } });
    let provider = Provider::with(settings).await;
    let mint = || provider.mint().claim("org", json!({ "level": 1 }));
    for (mint, expected) in [
        (mint().claim("tid", "b"), "ok"),
        (mint().claim("tid", "c"), "claim_not_accepted"),
        (mint(), "claim_not_accepted"),
        (mint().claim("tid", json!(["a"])), "claim_not_accepted"),
        (mint().claim("tid", "a").claim("org", json!({ "level": 2 })), "claim_not_accepted"),
    ] {
        assert_eq!(provider.code(mint).await, expected);
    }
}

#[tokio::test]
async fn a_key_of_another_issuer_on_the_same_host_verifies_nothing() {
    let provider = Provider::with(json!({})).await;
    let jwks = reqwest::get(provider.issuer.jwks_uri()).await.unwrap();
    let jwks = jwks.json::<Value>().await.unwrap();
    for (owner, expected) in
        [("https://as.example.com", "ok"), ("https://as.example.com/other", "no key in the set")]
    {
        let mut labelled = jwks.clone();
        labelled["keys"][0]["issuer"] = json!(owner);
        let server = json!({ "issuer": ISSUER, "jwks": labelled });
        let resource = json!({ "resource": RESOURCE, "authorization_servers": [server] });
        let config: Config = serde_json::from_value(json!({ "resources": [resource] })).unwrap();
        let outcome = match config.check() {
            Ok(()) => outcome(config, NOW, &provider.mint().sign()).await.map(|_| "ok".to_owned()),
            Err(error) => Ok(error.to_string()),
        };
        assert!(outcome.as_ref().unwrap().contains(expected), "{owner}: {outcome:?}");
    }
}

#[test]
fn settings_that_would_match_nothing_are_faults() {
    let config: Config = serde_json::from_value(json!({ "resources": [{
        "resource": RESOURCE,
        "authorization_servers": [
            { "issuer": "https://a.example", "token_issuers": ["https://b.example", "https://a.example"] },
            { "issuer": "https://b.example", "scope_prefix": "" },
            { "issuer": "https://c.example", "required_claims": { "tid": [] } },
        ],
    }] }))
    .unwrap();
    let faults = config.check().unwrap_err().faults;
    let starts = [
        "resources[0].authorization_servers[0].token_issuers: \"https://b.example\" is there twice",
        "resources[0].authorization_servers[0].token_issuers: \"https://a.example\" is there twice",
        "resources[0].authorization_servers[1]: an empty text",
        "resources[0].authorization_servers[2].required_claims",
    ];
    for start in starts {
        assert!(faults.iter().any(|fault| fault.starts_with(start)), "{start}: {faults:#?}");
    }
}

/// Tokens that real servers issued, with their own keys, at the time of the capture.
#[tokio::test]
async fn captured_tokens_verify_at_their_time() {
    // The others are good.
    let refused = [
        ("dpop", "sender_constrained"),
        ("hs256", "algorithm_not_allowed"),
        ("jwe", "malformed"),
        ("opaque", "malformed"),
        ("future-nbf", "not_yet_valid"),
        ("other-resource", "wrong_audience"),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures");
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for server in ["logto", "oidc-provider", "oidc-provider-path"] {
        let read = |file: &str| -> Value {
            serde_json::from_slice(&fs::read(folder.join(server).join(file)).unwrap()).unwrap()
        };
        let metadata = read("metadata.json");
        let mut files: Vec<_> = fs::read_dir(folder.join(server))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        for file in files.iter().filter(|file| file.starts_with("token-")) {
            let token = &read(file)["access_token"];
            let jwks =
                if file.contains("-rsa") { "jwks-after-rotation-to-rsa.json" } else { "jwks.json" };
            let config = serde_json::from_value(json!({ "resources": [{
                "resource": "http://127.0.0.1:3000/mcp",
                "authorization_servers": [{ "issuer": metadata["issuer"], "metadata": metadata, "jwks": read(jwks) }],
            }] }))
            .unwrap();
            let now = token["claims"]["iat"].as_u64().unwrap_or(NOW) + 1;
            let decided = outcome(config, now, token["raw"].as_str().unwrap()).await;
            let code = decided.as_ref().err().map_or("ok", String::as_str);
            let by_name =
                refused.iter().find(|(part, _)| file.contains(part)).map(|(_, code)| *code);
            let expected = match (by_name, &token["format"], &token["claims"]["aud"]) {
                (Some(code), ..) => code,
                (None, format, _) if format == "opaque" => "malformed",
                // Logto's tokens for an organization name it and not the resource.
                (None, _, aud) if aud.as_str().is_some_and(|aud| aud.starts_with("urn:")) => {
                    "wrong_audience"
                }
                _ => "ok",
            };
            assert_eq!(code, expected, "{server}/{file}");
            *counts.entry(format!("{server} {code}")).or_default() += 1;
            if let Ok(seen) = decided {
                assert_eq!(seen["claims"], token["claims"], "{server}/{file}");
            }
        }
    }
    assert!(counts["logto ok"] >= 8 && counts["oidc-provider ok"] >= 15, "{counts:?}");
}

/// What real servers said of opaque tokens, at the time of the capture; plain and signed.
#[tokio::test]
async fn captured_answers_to_introspection_are_believed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures");
    let endpoint = Scripted::start("").await;
    for server in ["oidc-provider", "oidc-provider-path"] {
        let read = |file: &str| -> Value {
            serde_json::from_slice(&fs::read(folder.join(server).join(file)).unwrap()).unwrap()
        };
        let (captured, metadata) = (read("introspection.json"), read("metadata.json"));
        let now = captured["active"]["iat"].as_u64().unwrap() + 1;
        let decide = async |is_signed: bool| {
            let introspection = json!({ "endpoint": endpoint.url, "client_id": "rs",
                "client_secret": "secret", "signed_response": is_signed });
            let trusted = json!({ "issuer": metadata["issuer"], "metadata": metadata,
                "jwks": read("jwks.json"), "introspection": introspection });
            let resource = json!({ "resource": "http://127.0.0.1:3000/mcp",
                "authorization_servers": [trusted] });
            let config = serde_json::from_value(json!({ "resources": [resource] })).unwrap();
            outcome(config, now, "opaque").await
        };
        endpoint.says(200, JSON, &captured["active"]);
        assert_eq!(decide(false).await.unwrap()["client_id"], "cc-opaque");
        endpoint.says(200, JSON, &captured["unknown"]);
        assert_eq!(decide(false).await.unwrap_err(), "inactive");
        endpoint.says(400, JSON, &captured["jwt"]["body"]);
        assert_eq!(decide(false).await.unwrap_err(), "unavailable");
        let media_type = "application/token-introspection+jwt; charset=utf-8";
        endpoint.says(200, media_type, captured["signed"]["raw"].as_str().unwrap());
        assert_eq!(decide(true).await.unwrap()["client_id"], "cc-opaque");
    }
}

/// Every key set is usable, whatever it holds beside.
#[test]
fn key_sets_of_providers_are_read() {
    for provider in ["asgardeo", "auth0", "entra", "keycloak", "logto", "okta"] {
        let server = json!({ "issuer": issuer_of(provider), "jwks": fixture(&format!("{provider}/jwks.json")) });
        let resource = json!({ "resource": RESOURCE, "authorization_servers": [server] });
        let config: Config = serde_json::from_value(json!({ "resources": [resource] })).unwrap();
        assert_eq!(config.check(), Ok(()), "{provider}");
    }
}

/// The presets, against what the fixtures of the same provider say.
#[tokio::test]
async fn presets_accept_the_tokens_of_their_provider() {
    let (tenant, application) =
        ("8c6f1e2a-3b4d-4c5e-9f60-7a8b9c0d1e2f", "11112222-bbbb-3333-cccc-4444dddd5555");
    let rows = [
        (
            "auth0",
            Preset::auth0("example-tenant.us.auth0.com"),
            vec!["access-token", "access-token.m2m"],
        ),
        (
            "keycloak",
            Preset::keycloak("https://sso.example.com/", "example-tenant"),
            vec!["access-token", "access-token.service-account"],
        ),
        (
            "logto",
            Preset::logto("https://example-tenant.logto.app"),
            vec!["access-token", "access-token.rs256"],
        ),
        ("asgardeo", Preset::asgardeo("example-tenant"), vec!["access-token", "access-token.m2m"]),
        (
            "okta",
            Preset::okta("https://example-tenant.okta.com", "default"),
            vec!["access-token", "access-token.groups"],
        ),
        (
            "entra",
            Preset::entra(tenant, application),
            vec!["access-token", "access-token.v1", "access-token.app-only"],
        ),
    ];
    let issuer = DevIssuer::start().await.unwrap();
    let now = fixture("expectations.json")["now"].as_u64().unwrap();
    for (provider, server, files) in rows {
        let issuers = [vec![server.issuer.clone()], server.token_issuers.clone()].concat();
        assert!(issuers.contains(&issuer_of(provider)), "{provider}: {issuers:?}");
        for file in files {
            let token_fixture = fixture(&format!("{provider}/{file}.json"));
            let token = token(&issuer, &token_fixture);
            let jwks =
                reqwest::get(issuer.jwks_uri()).await.unwrap().json::<Value>().await.unwrap();
            let mut server = server.clone();
            server.server_type = mcp_auth::settings::ServerType::Any;
            server.jwks = jwks.as_object().cloned();
            let config =
                Config::default().protect_resource(ProtectedResource::new(RESOURCE, [server]));
            let seen = outcome(config, now, &token).await;
            assert!(seen.is_ok(), "{provider}/{file}: {seen:?}");
            if (provider, file) == ("entra", "access-token") {
                let scopes =
                    ["Tools.Read", "Tools.Call"].map(|name| format!("api://{application}/{name}"));
                assert_eq!(seen.unwrap()["scopes"], json!(scopes));
            }
        }
    }
}

#[test]
fn presets_that_cannot_name_this_server_in_aud_warn_when_a_server_is_made() {
    let warned = [
        (Preset::fusionauth("https://f.example", "https://f.example", "the-app"), "the-app"),
        (Preset::stytch("x.customers.stytch.com", "project-live-1"), "project-live-1"),
        (Preset::zitadel("x.zitadel.cloud", "123@notes"), "123@notes"),
        (Preset::onelogin("x", "the-client"), "the-client"),
    ];
    for (server, name) in warned {
        let log = log_of_server_with(server);
        assert!(log.contains("WARN") && log.contains(name), "{name}: {log}");
    }
    let quiet = [
        Preset::auth0("tenant.eu.auth0.com"),
        Preset::keycloak("https://sso.example.com", "realm"),
        // The application is this server itself.
        Preset::entra(
            "00000000-0000-0000-0000-000000000001",
            "00000000-0000-0000-0000-000000000002",
        ),
    ];
    for server in quiet {
        let issuer = server.issuer.clone();
        let log = log_of_server_with(server);
        assert!(!log.contains("WARN"), "{issuer}: {log}");
    }
}

/// What is logged while a server is made that trusts this one.
fn log_of_server_with(server: AuthorizationServer) -> String {
    Log::start();
    Log::take();
    let resource = ProtectedResource::new("https://mcp.example.com/mcp", [server]);
    McpAuth::new(Config::default().protect_resource(resource)).unwrap();
    Log::take()
}
