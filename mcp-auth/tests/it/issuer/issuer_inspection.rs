//! What an inspection tells of an issuer: the same as verification makes of it.

mod providers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{Request, Response, StatusCode};
use dev_issuer::{DevIssuer, MetadataLocation, Mode};
use futures_util::future::{BoxFuture, ready};
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::inspection::{FaultKind, IssuerReport, Level, ProviderCheckOutcome, Suitability};
use mcp_auth::settings::ServerType;
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::{Map, Value, json};

use crate::support::{Harness, RESOURCE};

/// Answers with documents by URL, and with 404 where there is none.
#[derive(Clone, Default)]
struct Documents {
    by_url: HashMap<String, String>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Documents {
    fn with(mut self, url: impl Into<String>, document: &Value) -> Self {
        self.by_url.insert(url.into(), document.to_string());
        self
    }

    fn with_text(mut self, url: &str, text: &str) -> Self {
        self.by_url.insert(url.to_owned(), text.to_owned());
        self
    }
}

impl HttpClient for Documents {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let url = request.uri().to_string();
        let mut response = Response::new(Bytes::new());
        match self.by_url.get(&url) {
            Some(document) => *response.body_mut() = Bytes::from(document.clone()),
            None => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        self.asked.lock().unwrap().push(url);
        Box::pin(ready(Ok(response)))
    }
}

fn config(server: impl Into<AuthorizationServer>) -> Config {
    Config::default().protect_resource(ProtectedResource::new(RESOURCE, [server]))
}

async fn inspect(server: impl Into<AuthorizationServer>) -> IssuerReport {
    one(McpAuth::builder(config(server)).inspect_issuers().await.unwrap())
}

async fn inspect_through(http: Documents, server: impl Into<AuthorizationServer>) -> IssuerReport {
    let builder = McpAuth::builder(config(server)).http_client(http);
    one(builder.inspect_issuers().await.unwrap())
}

fn one(reports: Vec<IssuerReport>) -> IssuerReport {
    assert_eq!(reports.len(), 1);
    reports.into_iter().next().unwrap()
}

fn members(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// For each place: whether it is used, and what kind of fault it has.
fn places(report: &IssuerReport) -> Vec<(bool, Option<FaultKind>)> {
    let kind =
        |place: &mcp_auth::inspection::MetadataPlace| place.fault.as_ref().map(|fault| fault.kind);
    report.places.iter().map(|place| (place.is_used, kind(place))).collect()
}

fn suitability(report: &IssuerReport) -> Vec<Suitability> {
    report.revisions.iter().map(|revision| revision.suitability).collect()
}

#[tokio::test]
async fn a_healthy_issuer_suits_every_revision() {
    let issuer = DevIssuer::start().await.unwrap();
    let report = inspect(issuer.issuer()).await;
    assert!(report.can_verify(), "{:?}", report.keys);
    assert_eq!(places(&report), [(true, None), (false, None)]);
    assert_eq!(report.keys.jwks_uri, Some(issuer.jwks_uri()));
    assert_eq!(suitability(&report), [Suitability::Suits; 4], "{:#?}", report.revisions);
    let latest = &report.revisions[3];
    let unknown = latest.checks.iter().find(|check| check.outcome == ProviderCheckOutcome::Unknown);
    assert_eq!(unknown.unwrap().code, "resource_indicators");
    assert_eq!(report.configuration.rust.unwrap().matches(issuer.issuer()).count(), 1);
}

#[tokio::test]
async fn verification_uses_the_place_that_the_report_names() {
    for place in [
        MetadataLocation::OAuthInserted,
        MetadataLocation::OpenIdInserted,
        MetadataLocation::OpenIdAppended,
        MetadataLocation::OAuthAppended,
    ] {
        for server_type in [ServerType::Any, ServerType::Oidc, ServerType::Oauth] {
            let issuer =
                DevIssuer::builder().path("/t").metadata_at([place]).start().await.unwrap();
            let mut server = AuthorizationServer::new(issuer.issuer());
            server.server_type = server_type;
            let report = inspect(server.clone()).await;
            let harness = Harness::around(issuer, |_| config(server));
            let verified = harness.call(&harness.mint().sign()).await.code() == "ok";
            assert_eq!(report.can_verify(), verified, "{place:?} {server_type:?}");
            let used = report.places.iter().filter(|place| place.is_used).count();
            assert_eq!(used == 1, verified, "{place:?} {server_type:?}");
            assert!(report.metadata.is_some(), "clients find it");
        }
    }
}

#[tokio::test]
async fn clients_of_a_revision_need_metadata_where_that_revision_looks() {
    use Suitability::{DoesNotSuit, Suits};
    let rows = [
        (MetadataLocation::OAuthInserted, [Suits; 4]),
        (MetadataLocation::OpenIdInserted, [Suits, DoesNotSuit, Suits, Suits]),
        (MetadataLocation::OpenIdAppended, [Suits, DoesNotSuit, Suits, Suits]),
        (MetadataLocation::OAuthAppended, [Suits, DoesNotSuit, DoesNotSuit, DoesNotSuit]),
    ];
    for (place, expected) in rows {
        let issuer = DevIssuer::builder().path("/t").metadata_at([place]).start().await.unwrap();
        assert_eq!(suitability(&inspect(issuer.issuer()).await), expected, "{place:?}");
    }
}

#[tokio::test]
async fn every_place_says_what_is_wrong_there() {
    let issuer = "https://as.example/t";
    let other = json!({ "issuer": "https://as.example/t/", "jwks_uri": "https://as.example/keys" });
    let no_keys = json!({ "issuer": issuer });
    let http = Documents::default()
        .with_text("https://as.example/.well-known/oauth-authorization-server/t", "<html>")
        .with("https://as.example/.well-known/openid-configuration/t", &other)
        .with("https://as.example/t/.well-known/openid-configuration", &no_keys);
    let report = inspect_through(http.clone(), issuer).await;
    let kinds =
        [FaultKind::NotJson, FaultKind::OtherIssuer, FaultKind::Unusable, FaultKind::NoDocument];
    assert_eq!(places(&report), kinds.map(|kind| (false, Some(kind))));
    let reason = |index: usize| report.places[index].fault.clone().unwrap().reason;
    assert!(reason(1).contains("only by a slash"), "{}", reason(1));
    assert!(reason(2).contains("`jwks_uri` is missing"), "{}", reason(2));
    assert!(!report.can_verify() && report.metadata.is_none());
    // Clients of 2025-03-26 have default endpoints without it.
    let expected = [Suitability::SuitsWithGaps, Suitability::DoesNotSuit];
    assert_eq!(suitability(&report)[..2], expected);
    assert_eq!(suitability(&report)[2..], [Suitability::DoesNotSuit; 2]);

    // Verification was told the same.
    let auth = McpAuth::builder(config(issuer)).http_client(http.clone()).build().unwrap();
    let unavailable = auth.ready().await.unwrap_err().reason;
    for place in report.places {
        let line = format!("{}: {}", place.url, place.fault.unwrap().reason);
        assert!(unavailable.contains(&line), "{line} in {unavailable}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_offline_cannot_be_reached() {
    let issuer = DevIssuer::start().await.unwrap();
    issuer.set_mode(Mode::Garbage);
    let report = inspect(issuer.issuer()).await;
    assert_eq!(places(&report)[0], (false, Some(FaultKind::NotJson)));
    issuer.shutdown().await;
    let report = inspect(issuer.issuer()).await;
    assert_eq!(places(&report), [(false, Some(FaultKind::Unreachable)); 2]);
    assert!(!report.can_verify());
}

#[tokio::test]
async fn each_key_says_why_it_is_of_no_use() {
    let issuer = "https://as.example";
    let metadata = json!({ "issuer": issuer, "jwks_uri": "https://as.example/keys" });
    let good = json!({ "kty": "EC", "crv": "P-256", "kid": "good", "alg": "ES256", "use": "sig",
        "issuer": "https://tenant.example",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
    let keys = json!({ "keys": [
        good,
        { "kty": "oct", "kid": "secret", "k": "AAAA" },
        { "kty": "RSA", "kid": "short", "n": "AQAB", "e": "AQAB" },
        { "kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB" },
        "not a key",
    ] });
    let http = Documents::default()
        .with("https://as.example/.well-known/oauth-authorization-server", &metadata)
        .with("https://as.example/keys", &keys);
    let report = inspect_through(http.clone(), issuer).await;
    assert!(report.can_verify());
    let faults: Vec<_> = report.keys.keys.iter().map(|key| key.fault.clone()).collect();
    assert_eq!(faults[0], None);
    let parts = ["unsupported `kty`", "2048", "not a key for verifying", "the key is a string"];
    for (fault, part) in faults[1..].iter().zip(parts) {
        assert!(fault.as_ref().unwrap().contains(part), "{fault:?}");
    }
    let key = &report.keys.keys[0];
    assert_eq!((key.kid.as_deref(), key.crv.as_deref()), (Some("good"), Some("P-256")));
    assert_eq!(key.issuer.as_deref(), Some("https://tenant.example"));
    assert_eq!(key.algorithms, report.keys.algorithms);
    assert_eq!(report.keys.keys[2].bits, Some(17));
    assert!(report.keys.keys[3].is_for_encryption());
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("f83OJ3D2") && !text.contains("AAAA"), "no key material: {text}");

    let mut server = AuthorizationServer::new(issuer);
    server.algorithms = vec![mcp_auth::settings::Algorithm::Rs256];
    let fault = inspect_through(http, server).await.keys.fault;
    assert!(fault.unwrap().contains("`algorithms`"));
}

#[tokio::test]
async fn a_key_set_that_cannot_be_used_is_told_from_one_that_is_not_there() {
    let issuer = "https://as.example";
    let metadata = json!({ "issuer": issuer, "jwks_uri": "https://as.example/keys" });
    let with = |text: &str| {
        Documents::default()
            .with("https://as.example/.well-known/oauth-authorization-server", &metadata)
            .with_text("https://as.example/keys", text)
    };
    for (text, part) in [
        ("<html>", "not JSON"),
        ("{}", "`keys` is missing"),
        (r#"{"keys":"x"}"#, "`keys` is a string, an array is needed"),
        ("[]", "the key set is an array, an object is needed"),
        (r#"{"keys":[]}"#, "it is empty"),
        (r#"{"keys":[{"kty":"oct"}]}"#, "unsupported `kty`"),
    ] {
        let report = inspect_through(with(text), issuer).await;
        let fault = report.keys.fault.unwrap();
        assert!(fault.contains(part), "{fault}");
        assert_eq!(report.keys.jwks_uri.as_deref(), Some("https://as.example/keys"));
    }
}

#[tokio::test]
async fn a_document_cannot_lead_into_the_network_around() {
    let private = members(json!({ "jwks_uri": "https://10.0.0.1/keys" }));
    let issuer = DevIssuer::builder().metadata_override(private).start().await.unwrap();
    let fault = inspect(issuer.issuer()).await.keys.fault.unwrap();
    assert!(fault.contains("10.0.0.1 is not a public address"), "{fault}");
}

#[tokio::test]
async fn endpoints_that_are_not_secure_and_a_flow_that_is_missing_do_not_suit() {
    let wrong = json!({
        "token_endpoint": "http://as.example/token",
        "response_types_supported": ["token"],
        "code_challenge_methods_supported": ["plain"],
    });
    let issuer = DevIssuer::builder().metadata_override(members(wrong)).start().await.unwrap();
    let report = inspect(issuer.issuer()).await;
    let lacks = |revision: usize| {
        let checks = report.revisions[revision].checks.iter();
        let lacks = checks.filter(|check| {
            check.level == Level::Must && check.outcome == ProviderCheckOutcome::NotMet
        });
        lacks.map(|check| check.code).collect::<Vec<_>>()
    };
    assert_eq!(lacks(1), ["https"]);
    assert_eq!(lacks(2), ["https", "pkce_s256"]);
}

#[tokio::test]
async fn what_is_given_by_hand_is_judged_without_a_network() {
    let jwks = json!({ "keys": [{ "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }] });
    let mut server = AuthorizationServer::new("https://as.example");
    server.jwks = Some(members(jwks));
    let report = inspect_through(Documents::default(), server).await;
    assert!(report.can_verify() && report.keys.jwks_uri.is_none());
    assert!(report.places.iter().all(|place| !place.is_used));
}

#[tokio::test]
async fn an_issuer_of_opaque_tokens_needs_no_keys() {
    let issuer = "https://as.example";
    let metadata =
        json!({ "issuer": issuer, "introspection_endpoint": "https://as.example/introspect" });
    let http = Documents::default()
        .with("https://as.example/.well-known/oauth-authorization-server", &metadata);
    let introspecting: AuthorizationServer = serde_json::from_value(json!({
        "issuer": issuer,
        "introspection": { "client_id": "server", "client_secret": "hush" },
    }))
    .unwrap();
    let report = inspect_through(http.clone(), introspecting).await;
    assert!(report.can_verify() && report.keys.keys.is_empty(), "{:?}", report.keys);
    assert!(!serde_json::to_string(&report).unwrap().contains("hush"));
    assert!(!inspect_through(http, issuer).await.can_verify(), "its tokens would be JWTs");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_a_fault_and_asks_nobody() {
    let http = Documents::default();
    let builder = McpAuth::builder(config("http://as.example")).http_client(http.clone());
    let error = builder.inspect_issuers().await.unwrap_err();
    assert!(error.faults[0].contains("must use https"), "{error}");
    assert!(http.asked.lock().unwrap().is_empty());
}
