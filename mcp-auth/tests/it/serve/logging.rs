//! One structured event per decision, with what was compared, and never a token.

use std::error::Error;
use std::fmt::Write as _;

use axum::Router;
use axum::routing::post;
use dev_issuer::{Broken, DevIssuer};
use mcp_auth::policy::{AccessRequest, Verdict};
use mcp_auth::{AuthInfo, Authorizer, Config, McpAuth, ScopePolicy};
use serde_json::{Value, json};

use crate::support::log::Log;
use crate::support::policy_server::{PolicyServer, message};
use crate::support::{Harness, RESOURCE, request, send};

/// A stranger may write a long text into every place that a request has; no event repeats it.
#[tokio::test]
async fn no_event_repeats_a_long_text() {
    Log::start();
    let server = PolicyServer::start(ScopePolicy::new().require_for_tool("t", ["s"])).await;
    let long = format!("\u{9b}1m\u{202e}{}", "x".repeat(10_000));
    let plain = "x".repeat(10_000);
    let mint = || server.mint("mcp");
    let tokens = [
        mint().audience(&long).sign(),
        mint().audiences(vec![long.clone(); 50]).sign(),
        mint().issuer(&long).sign(),
        mint().header("kid", long.clone()).sign(),
        mint().header("alg", long.clone()).sign(),
        mint().header("typ", long.clone()).sign(),
        mint().subject(&long).sign(),
        plain.clone(),
    ];
    let mut requests = Vec::new();
    for token in &tokens {
        requests
            .push((vec![("authorization", format!("Bearer {token}"))], message("ping", json!({}))));
    }
    let good = format!("Bearer {}", mint().sign());
    for header in
        ["origin", "host", "mcp-method", "mcp-name", "mcp-protocol-version", "accept", "x-other"]
    {
        let headers = vec![("authorization", good.clone()), (header, plain.clone())];
        requests.push((headers, message("ping", json!({}))));
    }
    for (method, params) in [
        (&*long, json!({})),
        ("tools/call", json!({ "name": long })),
        ("resources/read", json!({ "uri": format!("n://{long}") })),
        ("tasks/get", json!({ "taskId": long })),
        ("tools/call", json!({ "name": "t", "arguments": { long.clone(): long } })),
        ("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": long } })),
    ] {
        requests.push((vec![("authorization", good.clone())], message(method, params)));
    }
    Log::take();
    for (headers, body) in requests {
        let mut request = axum::http::Request::post(format!("/mcp?q={plain}"))
            .header("content-type", "application/json");
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let request = request.body(axum::body::Body::from(body.to_string())).unwrap();
        server.harness.send(request).await;
        let log = Log::take();
        let events: Vec<_> = log.lines().filter(|line| line.contains("mcp_auth")).collect();
        assert!(!events.is_empty());
        for event in events {
            assert!(!event.contains(&"x".repeat(65)), "{event}");
            assert!(!event.contains(['\u{9b}', '\u{202e}', '\u{1b}']), "{event:?}");
            assert!(event.len() < 2000, "{} characters", event.len());
        }
    }
}

#[tokio::test]
async fn every_decision_is_one_event_with_expected_and_actual() {
    Log::start();
    let server = Harness::start().await;
    let secret = "a-private-claim-value";
    let mint = || server.mint().claim("email", secret).subject("private-subject");

    let rows = [
        (mint().sign(), "code=\"allowed\"", vec![]),
        (
            mint().audience("https://other.example/mcp").sign(),
            "code=\"wrong_audience\"",
            vec![
                r#"expected=["https://mcp.example.com/mcp"]"#,
                r#"actual=["https://other.example/mcp"]"#,
            ],
        ),
        (
            mint().issuer("https://evil.example").sign(),
            "code=\"unknown_issuer\"",
            vec![r#"actual="https://evil.example""#],
        ),
        (
            mint().issuer(format!("{}/", server.issuer.issuer())).sign(),
            "code=\"unknown_issuer\"",
            vec!["differs only by a slash at the end"],
        ),
        (mint().expires_in(-100).sign(), "code=\"expired\"", vec!["exp after"]),
        (mint().broken(Broken::Signature).sign(), "code=\"bad_signature\"", vec![]),
        (
            mint().scope("other").sign(),
            "code=\"insufficient_scope\"",
            vec!["expected=\"mcp\"", "actual=\"other\""],
        ),
        (
            mint().header("kid", "x\ninjected=\"line\"").sign(),
            "code=\"unknown_key\"",
            vec![r#"actual="x\ninjected=\"line\"""#],
        ),
        ("not.a.token".to_owned(), "code=\"malformed\"", vec![]),
        (
            mint().header("typ", "logout+jwt").sign(),
            "code=\"wrong_type\"",
            vec![r#"actual=header `typ` "logout+jwt""#],
        ),
        (
            mint().header("typ", "x\ninjected=\"line\"").sign(),
            "code=\"wrong_type\"",
            vec![r#"header `typ` "x\ninjected=\"line\"""#],
        ),
        (
            mint().claim("sub", 7).sign(),
            "code=\"malformed\"",
            vec!["claims: `sub` is a number, a string is needed"],
        ),
        (
            mint().claim("aud", serde_json::json!([RESOURCE, null])).sign(),
            "code=\"malformed\"",
            vec!["claims: an item of `aud` is null, a string is needed"],
        ),
        (
            mint().header("kid", 7).sign(),
            "code=\"malformed\"",
            vec!["header: `kid` is a number, a string is needed"],
        ),
        (
            mint().claim("exp", serde_json::json!(null)).sign(),
            "code=\"missing_claim\"",
            vec!["exp"],
        ),
    ];
    for (token, code, values) in rows {
        Log::take();
        let answer = server.call(&token).await;
        let text = Log::take();
        let decisions: Vec<_> =
            text.lines().filter(|line| line.contains("mcp_auth::decision")).collect();
        assert_eq!(decisions.len(), 1, "{text}");
        assert!(decisions[0].contains(code), "{code} in {text}");
        assert!(values.iter().all(|value| decisions[0].contains(value)), "{values:?} in {text}");

        let mut seen = text;
        write!(seen, "{:?} {:?} {answer:?}", answer.headers, answer.body).unwrap();
        for part in token.split('.').filter(|part| part.len() > 8) {
            assert!(!seen.contains(part), "a part of the token in {seen}");
        }
        if answer.status != 200 {
            assert!(!seen.contains(secret) && !seen.contains("private-subject"), "{seen}");
        }
    }
    Log::take();
    server.send(request("POST", "/mcp?access_token=secret-in-query", &[])).await;
    server.send(request("POST", "/mcp", &[("authorization", "Bearer se cret")])).await;
    let text = Log::take();
    assert_eq!(text.matches("code=\"invalid_request\"").count(), 2, "{text}");
    assert!(!text.contains("secret-in-query") && !text.contains("se cret"), "{text}");
}

#[tokio::test]
async fn with_a_policy_the_log_says_what_was_called_and_which_rule_refused_it() {
    Log::start();
    let policy = ScopePolicy::new().require_for_tool("wipe", ["notes:write"]).deny_undeclared();
    let server = PolicyServer::start(policy).await;
    let token = server.mint("notes:read").sign();
    let secret = "a-private-argument";
    for (tool, fields) in [
        ("wipe", [r#"methods=["tools/call wipe"]"#, r#"rules=["tools.wipe"]"#]),
        ("other\nline", [r"methods=", r#"rules=["deny_undeclared"]"#]),
    ] {
        let params = json!({ "name": tool, "arguments": { "text": secret } });
        Log::take();
        server.post(Some(&token), &[], message("tools/call", params).to_string()).await;
        let text = Log::take();
        let decisions: Vec<_> =
            text.lines().filter(|line| line.contains("mcp_auth::decision")).collect();
        assert_eq!(decisions.len(), 1, "{text}");
        assert!(fields.iter().all(|field| decisions[0].contains(field)), "{text}");
        assert!(!text.contains(secret), "{text}");
    }
}

/// Forbids every tool, and quotes what it was called with.
struct Quoting;

impl Authorizer for Quoting {
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        let AccessRequest { operation, .. } = *request;
        let arguments = operation.arguments().ok_or("no arguments")?;
        let note = arguments.get("note").and_then(Value::as_str).ok_or("no note")?;
        Ok(Verdict::forbidden(note.to_owned()))
    }
}

#[tokio::test]
async fn what_a_rule_says_is_escaped_once_and_stays_in_its_field() {
    Log::start();
    let policy = ScopePolicy::new();
    let server =
        PolicyServer::with(policy, |config| config, |builder| builder.authorizer(Quoting)).await;
    let token = server.mint("mcp").sign();
    let rows = [
        ("plain words", r#"actual="plain words""#),
        ("says \"no\"", r#"actual="says \"no\"""#),
        ("x\" code=\"allowed", r#"actual="x\" code=\"allowed""#),
        ("a\nline", r#"actual="a\nline""#),
        ("b\\c\u{202e}", r#"actual="b\\c\u{202e}""#),
    ];
    for (note, field) in rows {
        let params = json!({ "name": "read", "arguments": { "note": note } });
        Log::take();
        server.post(Some(&token), &[], message("tools/call", params).to_string()).await;
        let text = Log::take();
        assert!(text.contains(field), "{field} in {text}");
        assert_eq!(text.matches(" code=\"policy_denied\"").count(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_scope_that_a_handler_asks_for_is_refused_in_one_line() {
    Log::start();
    let issuer = DevIssuer::start().await.unwrap();
    let auth = McpAuth::new(Config::new(RESOURCE, issuer.issuer()).unwrap()).unwrap();
    let handler = async |auth: AuthInfo| auth.require(["notes:write"]);
    let app = Router::new().route("/mcp", post(handler)).layer(auth.layer());
    let token = issuer.mint().audience(RESOURCE).scope("notes:read").sign();
    for _ in 0..2 {
        Log::take();
        let headers = [("authorization", &*format!("Bearer {token}"))];
        let answer = send(app.clone(), request("POST", "/mcp", &headers)).await;
        let challenge = answer.challenge().unwrap();
        assert!(challenge.contains("scope=\"notes:write\""), "{challenge}");
        let text = Log::take();
        assert_eq!(text.matches("code=\"insufficient_scope\"").count(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_provider_that_binds_no_audience_gets_the_better_way_the_setting_and_its_price() {
    Log::start();
    let server = Harness::start().await;
    let rows = [
        (server.mint().without("aud").sign(), "a resource (an API) at the provider"),
        (server.mint().audience("account").sign(), "Audience mapper"),
        (server.mint().audiences(["account", "realm-management"]).sign(), "Audience mapper"),
    ];
    for (token, better) in rows {
        Log::take();
        server.call(&token).await;
        let text = Log::take();
        for part in [
            better,
            "`dangerous_accept_clients`",
            "`dangerousAcceptClients`",
            "for other servers too",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    for audience in [format!("{RESOURCE}/"), format!("{RESOURCE}//")] {
        Log::take();
        server.call(&server.mint().audiences([audience.as_str(), "other"]).sign()).await;
        let text = Log::take();
        assert!(text.contains("differs only by a slash") && text.contains("`audiences`"), "{text}");
    }
    Log::take();
    server.call(&server.mint().audience("https://other.example").sign()).await;
    assert!(!Log::take().contains("hint"), "a token for another server is no such case");
}

#[test]
fn an_audience_that_a_whole_realm_has_warns() {
    Log::start();
    for of_server in [false, true] {
        let mut config = Config::new(RESOURCE, "https://k.example/realms/r").unwrap();
        let resource = &mut config.resources[0];
        match of_server {
            true => resource.authorization_servers[0].audiences = vec!["account".to_owned()],
            false => resource.audiences = vec!["account".to_owned()],
        }
        Log::take();
        McpAuth::new(config).unwrap();
        let text = Log::take();
        assert!(text.contains("WARN") && text.contains("\"account\""), "{text}");
    }
}

#[test]
fn rules_that_were_added_in_code_warn_as_configured_ones_do() {
    Log::start();
    let config = Config::new(RESOURCE, "https://as.example").unwrap();
    let narrower = json!({ "resources": { "n://*": ["s"], "n://a/*": ["t"] } });
    let policy: ScopePolicy = serde_json::from_value(narrower).unwrap();
    Log::take();
    McpAuth::builder(config.clone()).authorizer(policy.clone()).build().unwrap();
    let text = Log::take();
    let warning = &policy.warnings()[0];
    assert!(text.contains("WARN") && text.contains(&format!("authorizer: {warning}")), "{text}");

    let silent: ScopePolicy = serde_json::from_value(json!({ "tools": { "t": ["s"] } })).unwrap();
    McpAuth::builder(config).authorizer(OwnRules).authorizer(silent).build().unwrap();
    assert_eq!(Log::take(), "", "rules of one's own warn of nothing unless they say so");
}

/// Rules with everything as it is by default.
struct OwnRules;

impl Authorizer for OwnRules {
    fn authorize(
        &self,
        _: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Verdict::Allow)
    }
}
