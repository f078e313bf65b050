//! Why a token is accepted or refused, for people.

use dev_issuer::{Broken, Mint};
use mcp_auth::explanation::{CheckOutcome, TokenExplanation};
use mcp_auth::{Config, Introspection, McpAuth, ScopePolicy};
use serde_json::json;

use crate::support::{Harness, RESOURCE};

type Change = fn(Mint) -> Mint;

/// What is said of a token by a server with this configuration.
async fn explain(server: &Harness, config: &Config, token: &str) -> TokenExplanation {
    let auth = McpAuth::builder(config.clone()).clock(server.clock.clone()).build().unwrap();
    auth.explain_token("/mcp", token).await.unwrap()
}

fn failed(explanation: &TokenExplanation) -> Vec<&str> {
    let checks = explanation.checks.iter();
    checks.filter(|one| one.outcome == CheckOutcome::Failed).map(|one| one.name).collect()
}

fn config(server: &Harness) -> Config {
    Config::new(RESOURCE, server.issuer.issuer()).unwrap().with_required_scopes(["mcp"])
}

#[tokio::test]
async fn every_check_is_named_also_behind_one_that_failed() {
    let server = Harness::start().await;
    let config = config(&server);
    let rows: [(Change, &str, &[&str]); 12] = [
        (|mint| mint, "ok", &[]),
        (|mint| mint.expires_in(-100), "expired", &["exp"]),
        (|mint| mint.without("exp"), "missing_claim", &["exp"]),
        (|mint| mint.audience("https://other.example"), "wrong_audience", &["aud"]),
        (|mint| mint.expires_in(-100).audience("x"), "expired", &["exp", "aud"]),
        (
            |mint| mint.broken(Broken::Signature).expires_in(-100).claim("typ", "ID"),
            "bad_signature",
            &["signature", "kind", "exp"],
        ),
        (|mint| mint.issuer("https://other.example"), "unknown_issuer", &["iss"]),
        (|mint| mint.header("typ", "logout+jwt"), "wrong_type", &["typ"]),
        (|mint| mint.header("kid", "unknown"), "unknown_key", &["signature"]),
        (|mint| mint.claim("cnf", json!({ "jkt": "x" })), "sender_constrained", &["cnf"]),
        (|mint| mint.broken(Broken::AlgorithmNone), "algorithm_not_allowed", &["form"]),
        (|mint| mint.broken(Broken::Truncated), "malformed", &["form"]),
    ];
    for (change, code, expected) in rows {
        let token = change(server.mint()).sign();
        let explanation = explain(&server, &config, &token).await;
        assert_eq!(explanation.code, code);
        assert_eq!(explanation.accepted, code == "ok");
        assert_eq!(failed(&explanation), expected, "{explanation:#?}");
        // The same decision as for a request.
        assert_eq!(server.call(&token).await.code(), code);
    }
}

#[tokio::test]
async fn what_is_configured_beyond_is_explained_too() {
    let server = Harness::start().await;
    let mut config = config(&server);
    let issuer = &mut config.resources[0].authorization_servers[0];
    issuer.required_claims.insert("tid".to_owned(), vec![json!("acme")]);
    issuer.require_at_jwt = true;
    issuer.require_subject = true;
    issuer.algorithms = vec![mcp_auth::settings::Algorithm::Es256];
    issuer.introspection = Some(Introspection::new("dev", "dev"));
    let good = server.mint().claim("tid", "acme");
    let explanation = explain(&server, &config, &good.clone().sign()).await;
    assert_eq!((explanation.code, failed(&explanation)), ("ok", vec![]));
    assert!(explanation.checks.iter().any(|one| one.name == "required_claims"));
    let explanation = explain(&server, &config, &server.mint().sign()).await;
    assert_eq!(failed(&explanation), ["required_claims"]);
    let explanation = explain(&server, &config, &good.clone().without("sub").sign()).await;
    assert_eq!((explanation.code, failed(&explanation)), ("missing_claim", vec!["sub"]));
    let jwt = good.clone().header("typ", "JWT").algorithm(dev_issuer::Algorithm::Es384).sign();
    assert_eq!(failed(&explain(&server, &config, &jwt).await), ["alg", "typ"]);
    let explanation = explain(&server, &config, &good.opaque()).await;
    assert_eq!((explanation.code, explanation.checks[0].name), ("ok", "introspection"));
    let explanation = explain(&server, &config, "no-such-token").await;
    assert_eq!((explanation.code, failed(&explanation)), ("inactive", vec!["introspection"]));
}

#[tokio::test]
async fn a_token_is_explained_in_the_header_where_it_belongs() {
    let server = Harness::start().await;
    let mut config = config(&server);
    let issuer = &mut config.resources[0].authorization_servers[0];
    issuer.token_header = Some("Cf-Access-Jwt-Assertion".to_owned());
    issuer.introspection = Some(Introspection::new("dev", "dev"));
    for token in [server.mint().sign(), server.mint().opaque()] {
        let explanation = explain(&server, &config, &token).await;
        assert_eq!((explanation.code, failed(&explanation)), ("ok", vec![]));
        let auth = McpAuth::builder(config.clone()).clock(server.clock.clone()).build().unwrap();
        assert!(auth.authenticate(&token).await.is_err(), "that is for tokens in Authorization");
    }
    assert_eq!(explain(&server, &config, "garbage").await.code, "inactive");
}

#[tokio::test]
async fn operations_say_what_would_unlock_them() {
    let server = Harness::start().await;
    let mut config = config(&server);
    config.resources[0].policy = Some(
        ScopePolicy::new()
            .require_for_tool("read_note", ["notes:read"])
            .require_for_tool("delete_note", ["notes:write"])
            .require_for_resource("notes://{id}", ["notes:read"])
            .implies("notes:write", ["notes:read"]),
    );
    let token = server.mint().scope("mcp notes:read").sign();
    let explanation = explain(&server, &config, &token).await;
    let seen: Vec<_> = explanation
        .operations
        .iter()
        .map(|one| (one.name.as_deref().unwrap(), one.allowed, one.required.to_string()))
        .collect();
    assert_eq!(seen[0].0, "delete_note");
    assert!(!seen[0].1 && seen[0].2.contains("notes:write"), "{seen:?}");
    assert!(seen[1].1 && seen[1].0 == "read_note");
    assert!(seen[2].1 && seen[2].0 == "notes://{id}");
    let refused = explain(&server, &config, &server.mint().expires_in(-100).sign()).await;
    assert!(refused.operations.iter().all(|one| !one.allowed));
}

#[tokio::test]
async fn what_needs_no_token_is_allowed_as_requests_are() {
    let server = Harness::start().await;
    let mut config = config(&server);
    config.resources[0].policy = Some(
        ScopePolicy::new()
            .require_for_tool("about", mcp_auth::policy::Requirement::public())
            .require_for_tool("delete", ["notes:write"])
            .require_for_tool("search", mcp_auth::policy::Requirement::optional()),
    );
    let auth = McpAuth::builder(config.clone()).clock(server.clock.clone()).build().unwrap();
    let app = auth.protect(axum::routing::post(|| async {}));
    let tokens = [
        server.mint().sign(),
        server.mint().scope("other").sign(),
        server.mint().expires_in(-100).sign(),
    ];
    for token in tokens {
        for operation in explain(&server, &config, &token).await.operations {
            let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": { "name": operation.name } });
            let request = axum::http::Request::post("/mcp")
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/json");
            let request = request.body(call.to_string().into()).unwrap();
            let answer = crate::support::send(app.clone(), request).await;
            assert_eq!(answer.status == 200, operation.allowed, "{operation:?}");
            let code = if operation.allowed { "ok" } else { operation.code };
            assert_eq!(answer.code(), code, "{operation:?}");
        }
    }
}

#[tokio::test]
async fn neither_signature_nor_identity_is_in_it() {
    let server = Harness::start().await;
    let mint = server.mint().subject("private-subject").claim("email", "private@example.com");
    for token in [mint.clone().sign(), mint.broken(Broken::Signature).sign()] {
        let explanation = explain(&server, &config(&server), &token).await;
        let text = serde_json::to_string(&explanation).unwrap();
        let (_, signature) = token.rsplit_once('.').unwrap();
        for private in ["private", &token, signature] {
            assert!(!text.contains(private), "{text}");
        }
    }
}

#[tokio::test]
async fn nothing_but_the_checks_that_were_made_is_in_it() {
    const NAMES: [&str; 9] =
        ["form", "iss", "alg", "typ", "signature", "kind", "exp", "aud", "cnf"];
    let server = Harness::start().await;
    let config = config(&server);
    let expired = server.mint().expires_in(-100).sign();
    let no_rule = server.mint().scope("other").sign();
    let rows = [
        (server.mint().sign(), NAMES.to_vec()),
        (no_rule, NAMES.to_vec()),
        (expired, NAMES.to_vec()),
        (server.mint().issuer("https://other.example").sign(), NAMES[..5].to_vec()),
        ("garbage".to_owned(), vec!["form"]),
        ("a.b.c".to_owned(), vec!["form"]),
        (String::new(), vec!["form"]),
    ];
    for (token, mut names) in rows {
        let explanation = explain(&server, &config, &token).await;
        if names.len() == 5 {
            names.extend(["exp", "aud"]);
        }
        let made: Vec<_> = explanation.checks.iter().map(|one| one.name).collect();
        assert_eq!(made, names, "{explanation:#?}");
    }
}

#[tokio::test]
async fn the_type_of_a_token_is_told_as_it_was_compared() {
    let server = Harness::start().await;
    let rows = [
        ("at+jwt", true),
        ("application/at+jwt", true),
        ("JWT", false),
        ("jwt", false),
        ("application/JWT", false),
    ];
    for (typ, is_strict) in rows {
        for require_at_jwt in [false, true] {
            let mut config = config(&server);
            config.resources[0].authorization_servers[0].require_at_jwt = require_at_jwt;
            let token = server.mint().header("typ", typ).sign();
            let explanation = explain(&server, &config, &token).await;
            let check = explanation.checks.iter().find(|one| one.name == "typ").unwrap();
            if is_strict || !require_at_jwt {
                assert_eq!(check.outcome, CheckOutcome::Passed, "{typ} {check:?}");
                assert_eq!(check.actual, typ, "{check:?}");
                let accepted = if require_at_jwt { "at+jwt" } else { "at+jwt, JWT or none" };
                assert_eq!(check.expected, accepted, "{check:?}");
            } else {
                assert_eq!(check.outcome, CheckOutcome::Failed, "{typ} {check:?}");
                assert_eq!(check.actual, format!("header `typ` {typ:?}"), "{check:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_issuer_says_of_a_jwt_is_a_check_of_its_own() {
    let server = Harness::start().await;
    let mut config = config(&server);
    let mut introspection = Introspection::new("dev", "dev");
    introspection.also_jwts = true;
    let issuer = &mut config.resources[0].authorization_servers[0];
    issuer.introspection = Some(introspection);
    issuer.required_claims.insert("tid".to_owned(), vec![json!("acme")]);
    let good = server.mint().claim("tid", "acme");
    let (kept, revoked) = (good.clone().sign(), good.sign());
    server.issuer.revoke(&revoked);
    let rows = [
        (kept, "ok", vec![]),
        (revoked, "inactive", vec!["introspection"]),
        (server.mint().sign(), "claim_not_accepted", vec!["required_claims"]),
    ];
    for (token, code, names) in rows {
        let explanation = explain(&server, &config, &token).await;
        assert_eq!((explanation.code, failed(&explanation)), (code, names), "{explanation:#?}");
    }
}

#[tokio::test]
async fn a_member_of_a_wrong_type_is_named_with_both_types() {
    let server = Harness::start().await;
    let rows = [
        (server.mint().claim("sub", 7), "claims", "claims: `sub` is a number, a string is needed"),
        (
            server.mint().claim("aud", serde_json::json!(["a", {}])),
            "claims",
            "claims: an item of `aud` is an object, a string is needed",
        ),
        (
            server.mint().claim("exp", "soon"),
            "claims",
            "claims: `exp` is a string, a number is needed",
        ),
        (server.mint().header("typ", 7), "form", "header: `typ` is a number, a string is needed"),
    ];
    for (mint, name, actual) in rows {
        let explanation = explain(&server, &config(&server), &mint.sign()).await;
        assert_eq!(explanation.code, "malformed");
        let check = explanation.checks.iter().find(|one| one.name == name).unwrap();
        assert_eq!((check.outcome, &*check.actual), (CheckOutcome::Failed, actual));
    }
    let unset = server.mint().claim("exp", serde_json::Value::Null).sign();
    let explanation = explain(&server, &config(&server), &unset).await;
    assert_eq!(explanation.code, "missing_claim");
}
