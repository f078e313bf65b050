//! What an endpoint can say, and what of it is believed.

use axum::http::StatusCode;
use dev_issuer::{Broken, DevIssuer, Mint};
use mcp_auth::Introspection;
use serde_json::{Value, json};

use super::with;
use crate::support::scripted::{JSON, Scripted};
use crate::support::{Harness, RESOURCE};

async fn asking(endpoint: &Scripted, change: impl FnOnce(&mut Introspection)) -> Harness {
    let mut introspection = Introspection::new("dev", "dev");
    introspection.endpoint = Some(endpoint.url.clone());
    change(&mut introspection);
    Harness::around(DevIssuer::start().await.unwrap(), |config| with(config, introspection))
}

#[tokio::test]
async fn only_what_is_clear_is_believed() {
    let endpoint = Scripted::start("").await;
    let server = asking(&endpoint, |_| {}).await;
    let good = format!(r#""client_id":"c","aud":"{RESOURCE}""#);
    let rows = [
        (200, format!(r#"{{"active":true,{good}}}"#), "ok"),
        (200, r#"{"active":true}"#.to_owned(), "missing_claim"),
        (200, r#"{"active":false}"#.to_owned(), "inactive"),
        (200, format!(r#"{{"active":"true",{good}}}"#), "unavailable"),
        (200, format!(r#"{{"active":1,{good}}}"#), "unavailable"),
        (200, format!(r#"{{{good}}}"#), "unavailable"),
        (200, format!(r#"{{"active":false,"active":true,{good}}}"#), "unavailable"),
        (200, format!(r#"{{"active":true,"aud":"x",{good}}}"#), "unavailable"),
        (
            200,
            format!(r#"{{"active":true,"iss":"https://other.example",{good}}}"#),
            "unknown_issuer",
        ),
        (200, format!(r#"{{"active":true,"iss":7,{good}}}"#), "unknown_issuer"),
        (200, format!(r#"{{"active":true,"token_type":"bearer",{good}}}"#), "ok"),
        (200, format!(r#"{{"active":true,"token_type":"DPoP",{good}}}"#), "sender_constrained"),
        (200, format!(r#"{{"active":true,"token_type":"refresh_token",{good}}}"#), "wrong_type"),
        (200, format!(r#"{{"active":true,"nonce":"n","aud":"{RESOURCE}"}}"#), "wrong_type"),
        (200, format!(r#"{{"active":true,"exp":1e300,{good}}}"#), "malformed"),
        (200, format!(r#"{{"active":true,"exp":-1,{good}}}"#), "malformed"),
        (200, format!(r#"{{"active":true,"exp":1,{good}}}"#), "expired"),
        (200, format!(r#"{{"active":true,"nbf":4000000000,{good}}}"#), "not_yet_valid"),
        (200, format!(r#"{{"active":true,"aud":[["{RESOURCE}"]],"scope":"a"}}"#), "malformed"),
        (200, format!(r#"{{"active":true,"aud":["{RESOURCE}x"],"scope":"a"}}"#), "wrong_audience"),
        (
            200,
            format!(r#"{{"active":true,"a":{}1{},{good}}}"#, "[".repeat(40), "]".repeat(40)),
            "unavailable",
        ),
        (200, format!("\u{feff}{{\"active\":true,{good}}}"), "unavailable"),
        (200, format!(r#"{{"active":true,{good}}} {{}}"#), "unavailable"),
        (200, format!(r#"{{"\u0061ctive":false,"active":true,{good}}}"#), "unavailable"),
        (200, format!(r#"{{"Active":true,{good}}}"#), "unavailable"),
        (200, format!(r#"[{{"active":true,{good}}}]"#), "unavailable"),
        (200, "<html>".to_owned(), "unavailable"),
        (200, String::new(), "unavailable"),
        (302, format!(r#"{{"active":true,{good}}}"#), "unavailable"),
        (400, r#"{"error":"invalid_token"}"#.to_owned(), "inactive"),
        (400, r#"{"error":"unsupported_token_type"}"#.to_owned(), "unavailable"),
        (400, r#"{"error":"invalid_request"}"#.to_owned(), "unavailable"),
        (401, format!(r#"{{"active":true,{good}}}"#), "unavailable"),
        (429, String::new(), "unavailable"),
        (500, r#"{"active":false}"#.to_owned(), "unavailable"),
    ];
    for (index, (status, body, expected)) in rows.into_iter().enumerate() {
        endpoint.says(status, JSON, &body);
        let answer = server.call(&format!("opaque-{index}")).await;
        assert_eq!(answer.code(), expected, "{status} {body}");
        let is_503 = answer.status == StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(is_503, expected == "unavailable");
    }
}

#[tokio::test]
async fn tokens_of_accepted_clients_need_no_audience() {
    let endpoint =
        Scripted::start(json!({ "active": true, "client_id": "c", "scope": "mcp" })).await;
    let mut introspection = Introspection::new("dev", "dev");
    introspection.endpoint = Some(endpoint.url.clone());
    let server = Harness::around(DevIssuer::start().await.unwrap(), |config| {
        let mut config = with(config, introspection);
        config.resources[0].authorization_servers[0].dangerous_accept_clients =
            vec!["c".to_owned()];
        config
    });
    assert_eq!(server.call("one").await.code(), "ok");
    endpoint.says(200, JSON, json!({ "active": true, "client_id": "d", "scope": "mcp" }));
    assert_eq!(server.call("two").await.code(), "missing_claim");
}

#[tokio::test]
async fn a_signed_answer_is_verified_and_no_other_accepted() {
    const SIGNED: &str = "application/token-introspection+jwt";
    let endpoint = Scripted::start("").await;
    let server = asking(&endpoint, |one| one.signed_response = true).await;
    let answer = json!({ "active": true, "client_id": "c", "aud": RESOURCE });
    let signed = |change: fn(Mint) -> Mint| {
        let mint = server.issuer.mint().audience("dev").header("typ", "token-introspection+jwt");
        change(mint.claim("token_introspection", answer.clone())).sign()
    };
    let rows = [
        (SIGNED, signed(|mint| mint), "ok"),
        (SIGNED, signed(|mint| mint.audiences(["x", "dev"])), "ok"),
        (JSON, answer.to_string(), "unavailable"),
        (JSON, signed(|mint| mint), "unavailable"),
        (SIGNED, answer.to_string(), "unavailable"),
        (SIGNED, signed(|mint| mint.header("typ", "JWT")), "unavailable"),
        (SIGNED, signed(|mint| mint.header("typ", "at+jwt")), "unavailable"),
        (SIGNED, signed(|mint| mint.audience("another-client")), "unavailable"),
        (SIGNED, signed(|mint| mint.without("aud")), "unavailable"),
        (SIGNED, signed(|mint| mint.issuer("https://other.example")), "unavailable"),
        (SIGNED, signed(|mint| mint.broken(Broken::Signature)), "unavailable"),
        (SIGNED, signed(|mint| mint.broken(Broken::ForeignKey)), "unavailable"),
        (SIGNED, signed(|mint| mint.broken(Broken::AlgorithmNone)), "unavailable"),
        (SIGNED, signed(|mint| mint.claim("token_introspection", Value::Null)), "unavailable"),
        (
            SIGNED,
            signed(|mint| mint.claim("token_introspection", json!({ "active": false }))),
            "inactive",
        ),
    ];
    for (index, (media_type, body, expected)) in rows.into_iter().enumerate() {
        endpoint.says(200, media_type, body);
        assert_eq!(server.call(&format!("opaque-{index}")).await.code(), expected, "{index}");
    }
    assert_eq!(endpoint.last().header("accept"), SIGNED);
}

#[tokio::test]
async fn the_development_issuer_signs_its_answers() {
    let server = super::server(|one| one.signed_response = true).await;
    assert_eq!(server.call(&server.mint().opaque()).await.code(), "ok");
    assert_eq!(server.call("no-such-token").await.code(), "inactive");
}

#[tokio::test]
async fn a_signed_answer_is_no_access_token() {
    let server = super::server(|_| {}).await;
    let mint = server.mint().header("typ", "token-introspection+jwt");
    assert_eq!(server.call(&mint.sign()).await.code(), "wrong_type");
}
