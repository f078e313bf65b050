//! What an endpoint can say, and what of it is believed.

use axum::http::StatusCode;
use dev_issuer::{Algorithm, Broken, DevIssuer, Mint};
use mcp_auth::Introspection;
use mcp_auth::clock::Clock as _;
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
        (200, format!(r#"{{"active":true,"iss":7,{good}}}"#), "unavailable"),
        (200, format!(r#"{{"active":true,"token_type":"bearer",{good}}}"#), "ok"),
        (200, format!(r#"{{"active":true,"token_type":"DPoP",{good}}}"#), "sender_constrained"),
        (200, format!(r#"{{"active":true,"token_type":"refresh_token",{good}}}"#), "wrong_type"),
        (200, format!(r#"{{"active":true,"nonce":"n","aud":"{RESOURCE}"}}"#), "wrong_type"),
        (200, format!(r#"{{"active":true,"exp":1e300,{good}}}"#), "unavailable"),
        (200, format!(r#"{{"active":true,"exp":-1,{good}}}"#), "unavailable"),
        (200, format!(r#"{{"active":true,"exp":1,{good}}}"#), "expired"),
        (200, format!(r#"{{"active":true,"nbf":4000000000,{good}}}"#), "not_yet_valid"),
        (200, format!(r#"{{"active":true,"aud":[["{RESOURCE}"]],"scope":"a"}}"#), "unavailable"),
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
async fn a_member_of_another_type_is_an_outage_and_not_a_bad_token() {
    let endpoint = Scripted::start("").await;
    let server = asking(&endpoint, |_| {}).await;
    let members = [
        ("exp", json!("4000000000")),
        ("exp", json!([4_000_000_000_u64])),
        ("exp", json!(true)),
        ("iat", json!("1")),
        ("nbf", json!({})),
        ("scope", json!(5)),
        ("scope", json!([5])),
        ("scp", json!({ "mcp": true })),
        ("aud", json!(5)),
        ("aud", json!({})),
        ("iss", json!([])),
        ("sub", json!(5)),
        ("client_id", json!(5)),
        ("azp", json!(["c"])),
        ("token_type", json!(["Bearer"])),
        ("token_use", json!(false)),
        ("typ", json!({})),
    ];
    for (index, (name, value)) in members.into_iter().enumerate() {
        let mut body = json!({ "active": true, "aud": RESOURCE, "client_id": "c" });
        body[name] = value.clone();
        endpoint.says(200, JSON, &body);
        let token = format!("opaque-{index}");
        let answer = server.call(&token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "unavailable"), "{name} {value}");
        assert!(answer.challenge().is_none() && answer.header("retry-after") == Some("5"));
        let reason = answer.error.unwrap().to_string();
        assert!(reason.contains("introspection: the answer cannot be used"), "{reason}");
        assert!(!reason.contains("JWT"), "{reason}");
        // It is not remembered.
        body[name] = Value::Null;
        body["aud"] = json!(RESOURCE);
        endpoint.says(200, JSON, &body);
        assert_eq!(server.call(&token).await.code(), "ok", "{name}");
    }
}

#[tokio::test]
async fn what_is_null_in_an_answer_is_not_there() {
    let endpoint = Scripted::start("").await;
    let server = asking(&endpoint, |_| {}).await;
    let spring = json!({
        "active": true, "aud": [RESOURCE], "client_id": "c", "sub": "alice", "scope": "mcp",
        "token_type": "Bearer", "exp": null, "iat": null, "nbf": null, "cnf": null, "iss": null,
        "jti": null, "username": null, "nonce": null, "events": null, "at_hash": null,
        "extra": { "kept": null },
    });
    endpoint.says(200, JSON, &spring);
    let answer = server.call("spring").await;
    assert_eq!(answer.code(), "ok");
    let claims = answer.json()["claims"].clone();
    assert_eq!((&claims["extra"], claims.get("exp")), (&json!({ "kept": null }), None));
    let rows = [
        ("aud", json!(null), "missing_claim"),
        ("active", json!(null), "unavailable"),
        ("cnf", json!({}), "sender_constrained"),
        ("cnf", json!({ "jkt": "x" }), "sender_constrained"),
        ("exp", json!(0), "expired"),
    ];
    for (index, (name, value, expected)) in rows.into_iter().enumerate() {
        let mut body = spring.clone();
        body[name] = value;
        endpoint.says(200, JSON, &body);
        assert_eq!(server.call(&format!("opaque-{index}")).await.code(), expected, "{name}");
    }
}

#[tokio::test]
async fn only_a_bearer_or_access_token_is_one_by_its_token_type() {
    let endpoint = Scripted::start("").await;
    let server = asking(&endpoint, |_| {}).await;
    let urn = "urn:ietf:params:oauth:token-type";
    let rows = [
        ("Bearer".to_owned(), "ok"),
        ("bearer".to_owned(), "ok"),
        (" BEARER ".to_owned(), "ok"),
        ("access_token".to_owned(), "ok"),
        (format!("{urn}:access_token"), "ok"),
        (format!(" {}:Access_Token", urn.to_uppercase()), "ok"),
        (format!("{urn}:refresh_token"), "wrong_type"),
        (format!("{}:Refresh_Token ", urn.to_uppercase()), "wrong_type"),
        (format!("{urn}:id_token"), "wrong_type"),
        (format!("{urn}:jwt"), "wrong_type"),
        (format!("{urn}:saml2"), "wrong_type"),
        (format!("{urn}:"), "wrong_type"),
        (format!("{urn}:{urn}:access_token"), "wrong_type"),
        ("refresh_token".to_owned(), "wrong_type"),
        ("N_A".to_owned(), "wrong_type"),
        ("bearer access_token".to_owned(), "wrong_type"),
        (String::new(), "wrong_type"),
        ("DPoP".to_owned(), "sender_constrained"),
        ("DPoP ".to_owned(), "sender_constrained"),
        ("\tdpop\n".to_owned(), "sender_constrained"),
        (format!("{urn}:DPoP"), "sender_constrained"),
        ("MAC ".to_owned(), "sender_constrained"),
    ];
    for (index, (token_type, expected)) in rows.into_iter().enumerate() {
        endpoint.says(
            200,
            JSON,
            json!({ "active": true, "aud": RESOURCE, "client_id": "c", "token_type": token_type }),
        );
        assert_eq!(
            server.call(&format!("opaque-{index}")).await.code(),
            expected,
            "{token_type:?}"
        );
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
async fn a_signed_answer_has_its_time_and_algorithm_as_any_jwt() {
    const SIGNED: &str = "application/token-introspection+jwt";
    let endpoint = Scripted::start("").await;
    let issuer = DevIssuer::builder().algorithm(Algorithm::Es256).start().await.unwrap();
    let protect = |algorithms: &[mcp_auth::settings::Algorithm]| {
        let mut introspection = Introspection::new("dev", "dev");
        introspection.endpoint = Some(endpoint.url.clone());
        introspection.signed_response = true;
        Harness::around(issuer.clone(), |config| {
            let mut config = with(config, introspection);
            config.resources[0].authorization_servers[0].algorithms = algorithms.to_vec();
            config
        })
    };
    let server = protect(&[]);
    let now = server.clock.unix_seconds();
    let answer = json!({ "active": true, "client_id": "c", "aud": RESOURCE });
    let signed = |change: &dyn Fn(Mint) -> Mint| {
        let mint = issuer.mint().audience("dev").header("typ", "token-introspection+jwt");
        change(mint.claim("token_introspection", answer.clone())).sign()
    };
    let rows = [
        (signed(&|mint| mint.without("exp")), "ok", ""),
        (signed(&|mint| mint.claim("exp", now - 30)), "ok", ""),
        (signed(&|mint| mint.claim("exp", now - 61)), "unavailable", "the signed answer expired"),
        (signed(&|mint| mint.claim("exp", 1)), "unavailable", "the signed answer expired"),
        (signed(&|mint| mint.claim("nbf", now + 30)), "ok", ""),
        (signed(&|mint| mint.claim("nbf", now + 90)), "unavailable", "not valid yet"),
        (signed(&|mint| mint.claim("iat", now + 90)), "unavailable", "not valid yet"),
        (signed(&|mint| mint.claim("exp", "4000000000")), "unavailable", "cannot be used"),
        (signed(&|mint| mint.claim("nbf", json!({}))), "unavailable", "cannot be used"),
        (signed(&|mint| mint.claim("iss", 7)), "unavailable", "cannot be used"),
        ("a.b.c.d.e".to_owned(), "unavailable", "encrypted"),
        ("opaque".to_owned(), "unavailable", "no signed JWT, though its media type says so"),
    ];
    for (index, (body, expected, reason)) in rows.into_iter().enumerate() {
        endpoint.says(200, SIGNED, body);
        let answer = server.call(&format!("opaque-{index}")).await;
        assert_eq!(answer.code(), expected, "{index}");
        let told = answer.error.map_or(String::new(), |error| error.to_string());
        assert!(told.contains(reason) && !told.contains("the provider issued"), "{index}: {told}");
    }
    endpoint.says(200, SIGNED, signed(&|mint| mint));
    use mcp_auth::settings::Algorithm::{Ed25519, Es256, Rs256};
    for (algorithms, expected) in [
        (vec![Es256], "ok"),
        (vec![Rs256, Es256], "ok"),
        (vec![Rs256], "unavailable"),
        (vec![Ed25519, Rs256], "unavailable"),
    ] {
        let answer = protect(&algorithms).call("opaque").await;
        assert_eq!(answer.code(), expected, "{algorithms:?}");
    }
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
