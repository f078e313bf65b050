//! No member name has a meaning of its own, wherever JSON of a stranger is read.

use mcp_auth::errors::TokenError;
use mcp_auth::policy::Requirement;
use mcp_auth::{AuthInfo, Introspection, Principal, ScopePolicy};
use serde_json::{Value, json};

use crate::support::hostile::{Hostile, Reply};
use crate::support::policy_server::{PolicyServer, tool_call};
use crate::support::scripted::Scripted;
use crate::support::{Harness, RESOURCE};

const RAW: &str = "$serde_json::private::RawValue";

/// Objects that `serde_json` reads as something else than they are, or not at all.
fn reserved() -> Vec<Value> {
    vec![
        json!({ RAW: 5 }),
        json!({ RAW: "\"admin\"" }),
        json!({ RAW: "true", "more": 1 }),
        json!({ "first": 1, RAW: "true" }),
        json!({ "$serde_json::private::Number": "1" }),
        json!([[{ RAW: "{}" }]]),
        json!({ "a": { "b": [0, { RAW: "not JSON" }] } }),
    ]
}

/// Objects with names that mean something elsewhere, and nothing here.
fn plain() -> Vec<Value> {
    vec![
        json!({ "__proto__": { "admin": true } }),
        json!({ "constructor": { "prototype": 1 }, "toString": null }),
        json!({ "$ref": "#/a", "$oid": "1", "$date": 0, "$type": "x" }),
        json!({ "$__toml_private_datetime": "1979-05-27" }),
        json!({ "private::RawValue": "true", "": "", "\u{0}": "\u{0}" }),
        json!([1, -1, 0.5, 9_007_199_254_740_993_u64, u64::MAX, i64::MIN, 1e300]),
    ]
}

#[tokio::test]
async fn a_token_with_a_reserved_name_is_refused_and_every_other_one_is_read_alike() {
    let server = Harness::start().await;
    for nested in reserved() {
        let token = server.mint().claim("profile", nested.clone()).sign();
        let answer = server.call(&token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "malformed"), "{nested}");
        let opaque = server.mint().claim("roles", json!([nested])).sign();
        assert_eq!(server.call(&opaque).await.code(), "malformed", "{nested}");
    }
    let token = server.mint().claim(RAW, "{\"sub\":\"bob\"}").sign();
    assert_eq!(server.call(&token).await.code(), "malformed");
    for nested in plain() {
        let answer = server.call(&server.mint().claim("profile", nested.clone()).sign()).await;
        assert_eq!(answer.json()["claims"]["profile"], nested);
    }
}

#[tokio::test]
async fn an_answer_about_a_token_with_a_reserved_name_says_nothing() {
    let said = |more: &Value| json!({ "active": true, "sub": "alice", "aud": RESOURCE, "scope": "mcp", "more": more });
    let issuer = Scripted::start(said(&json!(null))).await;
    let mut introspection = Introspection::new("rs", "secret");
    introspection.endpoint = Some(issuer.url.clone());
    introspection.cache_max_age = std::time::Duration::ZERO;
    let server = Harness::with(|mut config| {
        config.resources[0].authorization_servers[0].introspection = Some(introspection);
        config
    })
    .await;
    assert_eq!(server.call("opaque").await.code(), "ok");
    for (index, more) in reserved().iter().enumerate() {
        issuer.says(200, "application/json", said(more));
        let answer = server.call(&format!("opaque-{index}")).await;
        assert_eq!(answer.status, 503, "{more}");
    }
    for (index, more) in plain().iter().enumerate() {
        issuer.says(200, "application/json", said(more));
        let answer = server.call(&format!("plain-{index}")).await;
        assert_eq!(answer.json()["claims"]["more"], *more);
    }
}

#[tokio::test]
async fn a_nested_name_makes_nobody_an_admin_or_a_person() {
    let policy = ScopePolicy::new()
        .require_for_tool("wipe", Requirement::default().roles(["admin"]))
        .require_for_tool("human", Requirement::default().caller(Principal::User));
    let server = PolicyServer::start(policy).await;
    for nested in reserved() {
        let mint = server.mint("mcp").subject("app").client_id("app");
        let token = mint.claim("roles", json!([nested])).claim("more", nested.clone()).sign();
        for tool in ["wipe", "human"] {
            let (answer, ran) = server.post(Some(&token), &[], tool_call(tool).to_string()).await;
            assert_eq!((answer.status.as_u16(), ran.len()), (401, 0), "{tool}: {nested}");
        }
    }
    // As a name that means nothing it is no role either.
    for nested in plain() {
        let mint = server.mint("mcp").subject("app").client_id("app");
        let token = mint.claim("roles", json!([nested])).sign();
        for tool in ["wipe", "human"] {
            let (answer, ran) = server.post(Some(&token), &[], tool_call(tool).to_string()).await;
            assert_eq!((answer.status.as_u16(), ran.len()), (403, 0), "{tool}: {nested}");
        }
    }
}

#[test]
fn claims_of_own_verifiers_are_read_alike_or_refused() {
    for nested in reserved() {
        let claims = json!({ "iss": "i", "sub": "app", "client_id": "app", "more": nested });
        let refused = AuthInfo::from_verified_json(&claims.to_string());
        assert!(matches!(refused, Err(TokenError::Malformed { .. })), "{claims}");
        let refused = AuthInfo::from_verified_claims(claims.as_object().unwrap().clone());
        assert!(matches!(refused, Err(TokenError::Malformed { .. })), "{claims}");
    }
    for nested in plain() {
        let claims = json!({ "iss": "i", "sub": "app", "client_id": "app", "more": nested });
        let caller = AuthInfo::from_verified_json(&claims.to_string()).unwrap();
        assert_eq!(Value::Object(caller.claims().clone()), claims);
        assert_eq!(caller.principal(), Principal::Client);
        assert_eq!(caller.claim::<Value>("more"), Some(nested));
        let said: Value = serde_json::from_str(caller.json()).unwrap();
        assert_eq!((&said["claims"], &said["subject"]), (&claims, &json!("app")));
    }
    let odd = [
        "",
        "[]",
        "null",
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"sub":"a","more":{"x":1,"\u0078":2}}"#,
        r#"{"sub":"a","more":1e400}"#,
        r#"{"sub":"a","more":18446744073709551616}"#,
        r#"{"sub":"a","more":"\ud800"}"#,
        r#"{"sub":"a"} "#.trim_end_matches("} "),
        r#"{"sub":7}"#,
    ];
    for text in odd {
        let refused = AuthInfo::from_verified_json(text).map(|_| ());
        assert!(matches!(refused, Err(TokenError::Malformed { .. })), "{text}");
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    assert!(AuthInfo::from_verified_json(&deep).is_err());
}

#[test]
fn an_empty_subject_is_nobody() {
    let caller = AuthInfo::from_verified_json(r#"{"iss":"i","sub":""}"#).unwrap();
    assert_eq!((caller.subject(), caller.key()), (None, ("i", None)));
    assert_eq!(caller.claims()["sub"], "", "what the token says is shown");
}

#[test]
fn a_machine_without_a_subject_has_a_key_that_is_no_subjects() {
    let rows = [
        (r#"{"sub":"alice","client_id":"c"}"#, Some("alice")),
        (r#"{"client_id":"alice"}"#, Some("urn:mcp-auth:client:alice")),
        (r#"{"sub":"","azp":"alice"}"#, Some("urn:mcp-auth:client:alice")),
        (r#"{"sub":null,"client_id":"","cid":"alice"}"#, Some("urn:mcp-auth:client:alice")),
        (r#"{"client_id":"c","gty":"client_credentials"}"#, Some("urn:mcp-auth:client:c")),
        (r#"{"client_id":"alice/x:y"}"#, Some("urn:mcp-auth:client:alice/x:y")),
        // A subject that looks like one is another one.
        (
            r#"{"sub":"urn:mcp-auth:client:alice"}"#,
            Some("urn:mcp-auth:subject:urn:mcp-auth:client:alice"),
        ),
        (
            r#"{"sub":"urn:mcp-auth:subject:alice"}"#,
            Some("urn:mcp-auth:subject:urn:mcp-auth:subject:alice"),
        ),
        (r#"{"sub":"urn:other:client:alice"}"#, Some("urn:other:client:alice")),
        // Persons who share a client do not share a key.
        (r#"{"client_id":"c","idtyp":"user"}"#, None),
        (r#"{"client_id":"c","gty":["authorization_code"]}"#, None),
        (r#"{"client_id":""}"#, None),
        (r#"{"scope":"a"}"#, None),
    ];
    for (claims, expected) in rows {
        let mut with_issuer: serde_json::Map<_, _> = serde_json::from_str(claims).unwrap();
        with_issuer.insert("iss".to_owned(), "i".into());
        let caller = AuthInfo::from_verified_claims(with_issuer).unwrap();
        assert_eq!(caller.key(), ("i", expected.map(str::to_owned)), "{claims}");
        let described: Value = serde_json::from_str(caller.json()).unwrap();
        assert_eq!(described["key"], json!(["i", expected]), "{claims}");
    }
}

#[tokio::test]
async fn metadata_and_keys_with_two_meanings_are_not_used() {
    let hostile = Hostile::start().await;
    let good = hostile.keys().await.to_string();
    let texts = [
        good.replacen('{', &format!(r#"{{"{RAW}":"{{}}","#), 1),
        good.replacen('{', r#"{"more":{"$serde_json::private::Number":"1"},"#, 1),
        good.replacen('{', r#"{"keys":[],"#, 1),
        good.replacen('{', r#"{"k\u0065ys":[],"#, 1),
        good.replacen('{', r#"{"more":[{"a":1,"a":2}],"#, 1),
    ];
    for text in texts {
        hostile.reply("/jwks", Reply::new("200 OK", &["content-type: application/json"], &text));
        let server = hostile.harness(|config| config);
        let token = server.mint().issuer(&hostile.origin).sign();
        let answer = server.call(&token).await;
        assert_eq!(answer.status, 503, "{text}");
    }
}
