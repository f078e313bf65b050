//! Limits: what is as large as it may be is read, and what is one larger is not.

use mcp_auth::{Config, Introspection};
use serde_json::{Value, json};

use crate::support::Harness;

/// Why a token is refused by a server with these limits; `ok` when it is not.
async fn outcome(server: &Harness, token: &str, change: impl FnOnce(&mut Config)) -> &'static str {
    let mut config = Config::new(crate::support::RESOURCE, server.issuer.issuer()).unwrap();
    config.resources[0].authorization_servers[0].introspection =
        Some(Introspection::new("dev", "dev"));
    change(&mut config);
    let auth = mcp_auth::McpAuth::builder(config).clock(server.clock.clone()).build().unwrap();
    match auth.authenticate(token).await {
        Ok(_) => "ok",
        Err(error) => error.code(),
    }
}

#[tokio::test]
async fn a_token_may_be_as_long_as_it_is_said() {
    let server = Harness::start().await;
    for token in [server.mint().sign(), server.mint().opaque()] {
        for (spare, code) in [(1, "ok"), (0, "ok"), (-1, "malformed"), (-2, "malformed")] {
            let limit = token.len().checked_add_signed(spare).unwrap();
            let found = outcome(&server, &token, |config| config.max_token_bytes = limit).await;
            assert_eq!(found, code, "{spare} {token}");
        }
    }
    let token = server.mint().sign();
    let header = token.split('.').next().unwrap().len();
    for (spare, code) in [(1, "ok"), (0, "ok"), (-1, "malformed")] {
        let limit = header.checked_add_signed(spare).unwrap();
        let found = outcome(&server, &token, |config| config.max_token_header_bytes = limit).await;
        assert_eq!(found, code, "{spare}");
    }
}

#[tokio::test]
async fn claims_may_be_as_many_and_as_deep_as_it_is_said() {
    let server = Harness::start().await;
    let members = |count: usize| {
        let members = (0..count).map(|at| (format!("m{at}"), json!(at)));
        Value::Object(members.collect())
    };
    // The largest object is the one that is measured.
    for (count, code) in [(29, "ok"), (30, "ok"), (31, "malformed"), (300, "malformed")] {
        let token = server.mint().claim("many", members(count)).sign();
        let found = outcome(&server, &token, |config| config.max_token_claims = 30).await;
        assert_eq!(found, code, "{count}");
    }
    let nested = |depth: usize| (1..depth).fold(json!([]), |inside, _| json!([inside]));
    // All of it is inside of the object that the claims are.
    for (depth, code) in [(1, "ok"), (7, "ok"), (8, "malformed"), (20, "malformed")] {
        let token = server.mint().claim("deep", nested(depth)).sign();
        let found = outcome(&server, &token, |config| config.max_token_depth = 8).await;
        assert_eq!(found, code, "{depth}");
    }
}

#[tokio::test]
async fn a_token_is_good_until_the_second_in_which_it_expires() {
    let server = Harness::start().await;
    // A minute of tolerance.
    let rows = [
        (json!({ "exp": 1 }), "ok"),
        (json!({ "exp": -59 }), "ok"),
        (json!({ "exp": -60 }), "expired"),
        (json!({ "exp": -61 }), "expired"),
        (json!({ "nbf": 59 }), "ok"),
        (json!({ "nbf": 60 }), "ok"),
        (json!({ "nbf": 61 }), "not_yet_valid"),
        (json!({ "iat": 60 }), "ok"),
        (json!({ "iat": 61 }), "not_yet_valid"),
    ];
    let now = i64::try_from(mcp_auth::clock::Clock::unix_seconds(&server.clock)).unwrap();
    for (times, code) in rows {
        let mut mint = server.mint();
        for (name, after) in times.as_object().unwrap() {
            mint = mint.claim(name, now + after.as_i64().unwrap());
        }
        // The second time it is known already.
        let token = mint.sign();
        for _ in 0..2 {
            assert_eq!(outcome(&server, &token, |_| {}).await, code, "{times}");
            assert_eq!(server.call(&token).await.code(), code, "{times}");
        }
    }
}

#[tokio::test]
async fn a_token_that_was_seen_expires_to_the_second() {
    let server = Harness::start().await;
    let expires = mcp_auth::clock::Clock::unix_seconds(&server.clock) + 100;
    let token = server.mint().claim("exp", expires).sign();
    for (advance, code) in [(0, "ok"), (100, "ok"), (59, "ok"), (1, "expired"), (1, "expired")] {
        server.clock.advance(advance);
        assert_eq!(server.call(&token).await.code(), code);
    }
}
