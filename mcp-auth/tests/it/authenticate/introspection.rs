//! Opaque tokens: only their issuer can tell what they are.

mod answers;
mod chain;
mod clients;
mod connections;
mod patience;
mod places;
mod streams;
mod vendors;

use dev_issuer::{DevIssuer, Mint, Mode};
use futures_util::future::join_all;
use mcp_auth::{Config, Introspection};
use serde_json::{Value, json};

use crate::support::{Harness, RESOURCE};

type Change = fn(Mint) -> Mint;

/// A server that asks the development issuer.
async fn server(change: impl FnOnce(&mut Introspection)) -> Harness {
    asking(DevIssuer::start().await.unwrap(), change)
}

fn asking(issuer: DevIssuer, change: impl FnOnce(&mut Introspection)) -> Harness {
    let mut introspection = Introspection::new("dev", "dev");
    change(&mut introspection);
    Harness::around(issuer, |config| with(config.with_required_scopes(["mcp"]), introspection))
}

fn with(mut config: Config, introspection: Introspection) -> Config {
    config.resources[0].authorization_servers[0].introspection = Some(introspection);
    config
}

#[tokio::test]
async fn the_caller_behind_an_opaque_token_is_known() {
    let server = server(|_| {}).await;
    let token = server.mint().claim("tenant", "acme").opaque();
    let answer = server.call(&token).await;
    assert_eq!(answer.code(), "ok");
    let seen = answer.json();
    assert_eq!(seen["subject"], "alice");
    assert_eq!(seen["client_id"], "test-client");
    assert_eq!(seen["issuer"], server.issuer.issuer());
    assert_eq!(seen["audience"], json!([RESOURCE]));
    assert_eq!(seen["scopes"], json!(["mcp"]));
    assert_eq!(seen["claims"]["tenant"], "acme");
    assert_eq!(seen["authorization"], false, "the token is not handed on");
    let without_scope = server.mint().without("scope").opaque();
    let answer = server.call(&without_scope).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "insufficient_scope"));
}

#[tokio::test]
async fn an_answer_is_kept_for_its_time_and_not_past_exp() {
    let server = server(|_| {}).await;
    let asked = || server.issuer.requests().introspect;
    let (long, short) = (server.mint().opaque(), server.mint().expires_in(40).opaque());
    for _ in 0..3 {
        assert_eq!(server.call(&long).await.code(), "ok");
        assert_eq!(server.call(&short).await.code(), "ok");
    }
    assert_eq!(asked(), 2);
    server.clock.advance(41);
    assert_eq!(server.call(&long).await.code(), "ok");
    assert_eq!(asked(), 2, "still kept");
    // Within the tolerance; it is asked about each time.
    assert_eq!(server.call(&short).await.code(), "ok");
    assert_eq!(server.call(&short).await.code(), "ok");
    assert_eq!(asked(), 4);
    server.clock.advance(60);
    assert_eq!(server.call(&long).await.code(), "ok");
    assert_eq!(asked(), 5, "too old");
    let answer = server.call(&short).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "expired"));
}

#[tokio::test]
async fn a_server_may_ask_about_every_request() {
    let server = server(|one| one.cache_max_age = std::time::Duration::ZERO).await;
    let token = server.mint().opaque();
    for expected in 1..4 {
        assert_eq!(server.call(&token).await.code(), "ok");
        assert_eq!(server.issuer.requests().introspect, expected);
    }
    server.issuer.revoke(&token);
    assert_eq!(server.call(&token).await.code(), "inactive");
}

#[tokio::test]
async fn a_revoked_token_is_refused_when_the_answer_is_too_old() {
    let server = server(|_| {}).await;
    let token = server.mint().opaque();
    assert_eq!(server.call(&token).await.code(), "ok");
    server.issuer.revoke(&token);
    server.clock.advance(60);
    let answer = server.call(&token).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "inactive"));
    assert!(answer.challenge().unwrap().contains(r#"error="invalid_token""#));
}

#[tokio::test]
async fn a_refusal_is_kept_for_a_moment() {
    let server = server(|_| {}).await;
    let asked = || server.issuer.requests().introspect;
    for _ in 0..10 {
        assert_eq!(server.call("no-such-token").await.code(), "inactive");
    }
    assert_eq!(asked(), 1);
    server.clock.advance(5);
    assert_eq!(server.call("no-such-token").await.code(), "inactive");
    assert_eq!(asked(), 2);
    let elsewhere = server.mint().audience("https://other.example/mcp").opaque();
    for _ in 0..3 {
        assert_eq!(server.call(&elsewhere).await.code(), "wrong_audience");
    }
    assert_eq!(asked(), 3);
}

#[tokio::test]
async fn a_token_that_is_too_early_is_good_in_time() {
    let server = server(|_| {}).await;
    let issued_at = mcp_auth::clock::Clock::unix_seconds(&server.clock) + 65;
    let token = server.mint().claim("iat", issued_at).opaque();
    assert_eq!(server.call(&token).await.code(), "not_yet_valid");
    server.clock.advance(5);
    assert_eq!(server.call(&token).await.code(), "ok");
}

#[tokio::test]
async fn all_who_come_with_one_token_ask_once() {
    let server = server(|_| {}).await;
    let (good, bad) = (server.mint().opaque(), "no-such-token");
    let calls = (0..100).map(|index| server.call(if index % 2 == 0 { &good } else { bad }));
    for (index, answer) in join_all(calls).await.iter().enumerate() {
        assert_eq!(answer.code(), if index % 2 == 0 { "ok" } else { "inactive" });
    }
    assert_eq!(server.issuer.requests().introspect, 2);
}

#[tokio::test]
async fn an_outage_is_a_503_and_whoever_was_here_goes_on() {
    let server = server(|_| {}).await;
    let seen = server.mint().opaque();
    assert_eq!(server.call(&seen).await.code(), "ok");
    for mode in [Mode::Offline, Mode::Garbage, Mode::Status(500), Mode::Status(401)] {
        server.issuer.set_mode(mode);
        let answer = server.call(&server.mint().opaque()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "unavailable"), "{mode:?}");
        assert!(answer.header("retry-after").is_some() && answer.challenge().is_none());
        assert_eq!(server.call(&seen).await.code(), "ok");
    }
    server.issuer.set_mode(Mode::Online);
    assert_eq!(server.call(&server.mint().opaque()).await.code(), "ok", "at once");
}

#[tokio::test]
async fn an_issuer_that_hangs_is_given_up() {
    let issuer = DevIssuer::start().await.unwrap();
    let server = Harness::around(issuer, |mut config| {
        config.fetch_timeout = std::time::Duration::from_secs(2);
        with(config, Introspection::new("dev", "dev"))
    });
    assert_eq!(server.call(&server.mint().opaque()).await.code(), "ok");
    server.issuer.set_mode(Mode::Hang);
    let tokens: Vec<_> = (0..20).map(|_| server.mint().opaque()).collect();
    for answer in join_all(tokens.iter().map(|token| server.call(token))).await {
        assert_eq!(answer.code(), "unavailable");
    }
}

#[tokio::test]
async fn what_the_issuer_says_is_checked_like_a_token() {
    let server = server(|_| {}).await;
    let rows: [(Change, &str); 10] = [
        (|mint| mint.audiences(["https://other.example", RESOURCE]), "ok"),
        (|mint| mint.audience("https://other.example/mcp"), "wrong_audience"),
        (|mint| mint.without("aud"), "missing_claim"),
        (|mint| mint.without("exp").without("iss").without("sub"), "ok"),
        (|mint| mint.claim("cnf", json!({ "jkt": "x" })), "sender_constrained"),
        (|mint| mint.claim("typ", "Refresh"), "wrong_type"),
        (|mint| mint.claim("token_use", "refresh_token"), "wrong_type"),
        (|mint| mint.claim("token_use", "access_token"), "ok"),
        (|mint| mint.claim("aud", 7), "unavailable"),
        (|mint| mint.claim("scope", json!({})), "unavailable"),
    ];
    for (change, expected) in rows {
        let token = change(server.mint()).opaque();
        assert_eq!(server.call(&token).await.code(), expected);
    }
}

#[tokio::test]
async fn a_jwt_is_asked_about_only_where_that_is_wanted() {
    let server = server(|_| {}).await;
    let token = server.mint().sign();
    assert_eq!(server.call(&token).await.code(), "ok");
    assert_eq!(server.issuer.requests().introspect, 0);

    let server = asking(server.issuer.clone(), |one| one.also_jwts = true);
    let asked = || server.issuer.requests().introspect;
    for _ in 0..3 {
        assert_eq!(server.call(&token).await.code(), "ok");
    }
    assert_eq!(asked(), 1);
    let forged = server.mint().broken(dev_issuer::Broken::Signature).sign();
    assert_eq!(server.call(&forged).await.code(), "bad_signature");
    assert_eq!(asked(), 1, "only about what was verified");
    server.issuer.revoke(&token);
    server.clock.advance(60);
    assert_eq!(server.call(&token).await.code(), "inactive");
}

#[tokio::test]
async fn neither_token_nor_secret_is_logged_or_shown() {
    use crate::support::log::Log;
    Log::start();
    let server = server(|one| one.client_secret = Some("wrong-secret-value".into())).await;
    let token = server.mint().claim("email", "private-claim").opaque();
    let answer = server.call(&token).await;
    assert_eq!(answer.code(), "unavailable");
    let log = Log::take();
    assert!(log.contains("is this client allowed to introspect?"), "{log}");
    let said = format!("{log}{:?}{}", answer.headers, String::from_utf8_lossy(&answer.body));
    for private in [&*token, "wrong-secret-value", "private-claim"] {
        assert!(!said.contains(private), "{said}");
    }
    let shown = format!("{:?}", Introspection::new("dev", "wrong-secret-value"));
    let written = serde_json::to_string(&Introspection::new("dev", "wrong-secret-value")).unwrap();
    assert!(!shown.contains("wrong-secret") && !written.contains("wrong-secret"));
}

/// The faults of a configuration with this introspection.
fn faults(introspection: Value) -> Vec<String> {
    let server = json!({ "issuer": "https://as.example", "introspection": introspection });
    let resource = json!({ "resource": RESOURCE, "authorization_servers": [server] });
    let config: Config = serde_json::from_value(json!({ "resources": [resource] })).unwrap();
    config.check().err().map(|error| error.faults).unwrap_or_default()
}

#[test]
fn a_secret_file_without_a_secret_is_a_fault_now_and_when_it_changes() {
    let file = std::env::temp_dir().join(format!("mcp-auth-secret-{}", std::process::id()));
    let with_file = json!({ "client_id": "a", "client_secret_file": file });
    let rows = [
        ("secret", true),
        ("", false),
        (" secret\n", true),
        ("\n", false),
        (" \r\n\t ", false),
        ("\u{2003}", false),
    ];
    for (text, is_secret) in rows {
        std::fs::write(&file, text).unwrap();
        let found = faults(with_file.clone());
        assert_eq!(found.is_empty(), is_secret, "{text:?}: {found:?}");
        if !is_secret {
            let expected = "introspection.client_secret_file: ";
            assert!(found[0].contains(expected) && found[0].ends_with("is empty"), "{found:?}");
        }
    }
    std::fs::remove_file(&file).unwrap();
    assert!(!faults(with_file).is_empty());
}

#[test]
fn settings_that_cannot_work_are_named() {
    let rows = [
        (json!({ "client_id": "a", "client_secret": "b" }), ""),
        (json!({ "client_id": "a", "auth_method": "none" }), ""),
        (json!({ "method": "google_tokeninfo" }), ""),
        (json!({ "client_secret": "b" }), ".client_id: must be set"),
        (json!({ "client_id": "a" }), ".client_secret: must be set"),
        (json!({ "client_id": "a", "client_secret": "" }), ".client_secret: must be set"),
        (
            json!({ "client_id": "a", "client_secret": "b", "client_secret_file": "c" }),
            ": `client_secret` and `client_secret_file` contradict",
        ),
        (json!({ "client_id": "a", "client_secret_file": "/no/such" }), ".client_secret_file: "),
        (json!({ "client_id": "a", "auth_method": "private_key_jwt" }), ".private_key_file: must"),
        (
            json!({ "client_id": "a", "auth_method": "private_key_jwt",
                "private_key_file": concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml") }),
            ".private_key_file: ",
        ),
        (
            json!({ "method": "github_check_token", "client_id": "a", "auth_method": "none" }),
            ".auth_method: GitHub asks for a client secret",
        ),
        (json!({ "client_id": "a", "auth_method": "tls_client_auth" }), ".certificate_file: must"),
        (
            json!({ "client_id": "a", "client_secret": "b", "endpoint": "http://as.example/i" }),
            ".endpoint: ",
        ),
        (
            json!({ "client_id": "a", "client_secret": "b", "token_prefixes": [""] }),
            ".token_prefixes: an empty prefix",
        ),
        (
            json!({ "method": "google_tokeninfo", "signed_response": true }),
            ".signed_response: only RFC 7662",
        ),
    ];
    for (introspection, expected) in rows {
        let faults = faults(introspection.clone());
        match expected {
            "" => assert!(faults.is_empty(), "{introspection}: {faults:?}"),
            _ => {
                let begin =
                    format!("resources[0].authorization_servers[0].introspection{expected}");
                assert!(faults.len() == 1 && faults[0].starts_with(&begin), "{faults:?} {begin}");
            }
        }
    }
}
