//! Verifiers of the user's: what is checked of their answers, and how a resource without metadata looks.

use axum::http::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use dev_issuer::Broken;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use mcp_auth::clock::Clock;
use mcp_auth::{AuthError, AuthInfo, Config, McpAuth, TokenVerifier};
use serde_json::{Value, json};

use crate::support::{Harness, RESOURCE, TestClock, echo, request, send};

/// Takes every token for one with these claims.
struct Says(Value);

impl TokenVerifier for Says {
    fn is_for(&self, _token: &str) -> bool {
        true
    }

    fn verify<'t>(&'t self, _token: &'t str) -> BoxFuture<'t, Result<AuthInfo, AuthError>> {
        let claims = self.0.as_object().unwrap().clone();
        ready(AuthInfo::from_verified_claims(claims).map_err(AuthError::from)).boxed()
    }
}

fn config() -> Config {
    Config::new(RESOURCE, "https://as.example").unwrap()
}

#[tokio::test]
async fn the_times_among_a_verifiers_claims_hold_to_the_second() {
    let clock = TestClock::new();
    let now = clock.unix_seconds();
    let rows = [
        (json!({ "sub": "a" }), "ok"),
        (json!({ "sub": "a", "exp": now + 1, "nbf": now }), "ok"),
        (json!({ "sub": "a", "exp": now }), "expired"),
        (json!({ "sub": "a", "exp": now - 1 }), "expired"),
        (json!({ "sub": "a", "exp": 0 }), "expired"),
        (json!({ "sub": "a", "nbf": now + 1 }), "not_yet_valid"),
        (json!({ "sub": "a", "nbf": now as f64 + 0.5 }), "not_yet_valid"),
        (json!({ "sub": "a", "nbf": now + 1, "exp": now + 9 }), "not_yet_valid"),
    ];
    for (claims, code) in rows {
        let builder = McpAuth::builder(config()).clock(clock.clone());
        let auth = builder.token_verifier(Says(claims.clone())).build().unwrap();
        let answer = send(auth.protect(echo()), request("POST", "/mcp", &[BEARER])).await;
        assert_eq!(answer.code(), code, "{claims}");
    }
}

const BEARER: (&str, &str) = ("authorization", "Bearer key_1");

#[tokio::test]
async fn hidden_metadata_is_served_nowhere_and_named_in_no_challenge() {
    let build = |hides: bool| {
        let builder = McpAuth::builder(config());
        let builder = if hides { builder.hide_resource_metadata() } else { builder };
        builder.build().unwrap()
    };
    for hides in [false, true] {
        let auth = build(hides);
        assert_eq!(auth.metadata_routes().is_empty(), hides);
        for path in
            ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]
        {
            let answer = send(auth.protect(echo()), request("GET", path, &[])).await;
            assert_eq!(answer.status == 200, !hides, "{path}");
        }
        for headers in [&[][..], &[BEARER]] {
            let answer = send(auth.protect(echo()), request("POST", "/mcp", headers)).await;
            let challenge = answer.headers[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
            assert_eq!(challenge.contains("resource_metadata"), !hides, "{challenge}");
            assert_eq!(challenge.trim_end(), challenge);
        }
    }
}

#[test]
fn the_token_of_a_request_is_read_as_the_decision_reads_it() {
    let auth = McpAuth::new(config()).unwrap();
    let rows = [
        (&["Bearer a.b"][..], Some("a.b")),
        (&["bearer   a.b"], Some("a.b")),
        (&["Bearer a b"], None),
        (&["Basic a"], None),
        (&["Bearer a", "Bearer a"], None),
        (&[], None),
    ];
    for (headers, token) in rows {
        let mut builder = Request::post("/mcp");
        for value in headers {
            builder = builder.header(AUTHORIZATION, *value);
        }
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        assert_eq!(auth.dangerous_bearer_token(&parts), token, "{headers:?}");
    }
}

#[tokio::test]
async fn a_key_hint_is_algorithm_and_key_id_and_nothing_else_that_a_token_says_of_its_key() {
    let server = Harness::start().await;
    let auth = McpAuth::new(config()).unwrap();
    let hint = auth.unverified_key_hint(&server.mint().header("kid", "one").sign()).unwrap();
    assert_eq!(
        (hint.algorithm.to_string().as_str(), hint.key_id.as_deref()),
        ("ES256", Some("one"))
    );
    let nameless = auth.unverified_key_hint(&server.mint().without_header("kid").sign()).unwrap();
    assert_eq!(nameless.key_id, None);
    let rows = [
        (server.mint().broken(Broken::AlgorithmNone).sign(), "algorithm_not_allowed"),
        (server.mint().broken(Broken::HmacWithPublicKey).sign(), "algorithm_not_allowed"),
        (server.mint().broken(Broken::CriticalHeader).sign(), "malformed"),
        (server.mint().broken(Broken::Truncated).sign(), "malformed"),
        ("key_1".to_owned(), "malformed"),
        (String::new(), "malformed"),
    ];
    for (token, code) in rows {
        assert_eq!(auth.unverified_key_hint(&token).unwrap_err().code(), code, "{token}");
    }
}
