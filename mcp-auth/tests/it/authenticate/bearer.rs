//! Every way of sending a token × every method: exact status, exact challenge, JSON body.

use dev_issuer::Broken;
use serde_json::json;

use crate::support::{Harness, METADATA_URL, request};

/// What is sent, and what must come back.
struct Row {
    name: &'static str,
    uri: &'static str,
    headers: Vec<String>,
    code: &'static str,
    status: u16,
    /// `error` and `error_description` of the challenge; `None` when it has none.
    challenge: Option<(&'static str, &'static str)>,
}

impl Row {
    fn token(name: &'static str, token: String, code: &'static str, why: &'static str) -> Self {
        let challenge = Some(("invalid_token", why));
        let headers = vec![format!("Bearer {token}")];
        Self { name, uri: "/mcp", headers, code, status: 401, challenge }
    }

    fn request(name: &'static str, headers: &[&str], why: &'static str) -> Self {
        let headers = headers.iter().map(|text| (*text).to_owned()).collect();
        let challenge = Some(("invalid_request", why));
        Self { name, uri: "/mcp", headers, code: "invalid_request", status: 400, challenge }
    }

    fn missing(name: &'static str, headers: &[&str]) -> Self {
        let headers = headers.iter().map(|text| (*text).to_owned()).collect();
        Self { name, uri: "/mcp", headers, code: "missing_token", status: 401, challenge: None }
    }

    fn expected_challenge(&self) -> String {
        let scope = r#"scope="mcp", "#;
        let metadata = format!(r#"resource_metadata="{METADATA_URL}""#);
        match self.challenge {
            None => format!("Bearer {scope}{metadata}"),
            Some((error, why)) => {
                let scope = if error == "invalid_request" { "" } else { scope };
                format!(r#"Bearer error="{error}", error_description="{why}", {scope}{metadata}"#)
            }
        }
    }
}

fn rows(server: &Harness) -> Vec<Row> {
    let malformed = "the Authorization header is not `Bearer` and one token";
    let several = "the request has more than one Authorization header";
    let good = server.mint().sign();
    let twice = format!("Bearer {good}");
    let in_query = Row {
        uri: "/mcp?access_token=a.b.c",
        ..Row::request(
            "token in the query string",
            &[],
            "an access token must not be sent in the query string",
        )
    };
    vec![
        Row::missing("no token", &[]),
        Row::missing("wrong scheme", &["Basic YWxpY2U6c2VjcmV0"]),
        Row::missing("no token after the scheme", &["Bearer"]),
        Row::missing("spaces after the scheme", &["bearer   "]),
        Row::missing("an empty header", &[""]),
        Row::request("a tab after the scheme", &["Bearer\ta.b.c"], malformed),
        Row::request("two words after the scheme", &["Bearer a b"], malformed),
        Row::request("two Authorization headers", &[&twice, &twice], several),
        in_query,
        Row::token("malformed", "abc".into(), "malformed", "the access token is malformed"),
        Row::token(
            "truncated",
            server.mint().broken(Broken::Truncated).sign(),
            "malformed",
            "the access token is malformed",
        ),
        Row::token(
            "expired",
            server.mint().expires_in(-61).sign(),
            "expired",
            "the access token expired",
        ),
        Row::token(
            "not yet valid",
            server.mint().not_before_in(120).sign(),
            "not_yet_valid",
            "the access token is not valid yet",
        ),
        Row::token(
            "wrong aud",
            server.mint().audience("https://other.example.com/mcp").sign(),
            "wrong_audience",
            "the access token was issued for another resource",
        ),
        Row::token(
            "no aud",
            server.mint().without("aud").sign(),
            "missing_claim",
            "a required claim is missing",
        ),
        Row::token(
            "wrong iss",
            server.mint().issuer("https://other.example.com").sign(),
            "unknown_issuer",
            "the issuer is not trusted here",
        ),
        Row::token(
            "no iss",
            server.mint().without("iss").sign(),
            "missing_claim",
            "a required claim is missing",
        ),
        Row::token(
            "no exp",
            server.mint().without("exp").sign(),
            "missing_claim",
            "a required claim is missing",
        ),
        Row::token(
            "ID token",
            server.mint().broken(Broken::IdToken).sign(),
            "wrong_type",
            "not an access token",
        ),
        Row::token(
            "cnf token",
            server.mint().broken(Broken::SenderConstrained).sign(),
            "sender_constrained",
            "the access token is bound to a key and needs its proof",
        ),
        Row::token(
            "alg: none",
            server.mint().broken(Broken::AlgorithmNone).sign(),
            "algorithm_not_allowed",
            "the signature algorithm is not allowed",
        ),
        Row::token(
            "HS256 with the public key",
            server.mint().broken(Broken::HmacWithPublicKey).sign(),
            "algorithm_not_allowed",
            "the signature algorithm is not allowed",
        ),
        Row::token(
            "unknown kid",
            server.mint().broken(Broken::UnknownKeyId).sign(),
            "unknown_key",
            "the signing key is unknown",
        ),
        Row::token(
            "bad signature",
            server.mint().broken(Broken::Signature).sign(),
            "bad_signature",
            "the signature does not verify",
        ),
        Row::token(
            "changed payload",
            server.mint().broken(Broken::Payload).sign(),
            "bad_signature",
            "the signature does not verify",
        ),
        Row::token(
            "foreign key",
            server.mint().broken(Broken::ForeignKey).sign(),
            "bad_signature",
            "the signature does not verify",
        ),
        Row::token(
            "key in the header",
            server.mint().broken(Broken::EmbeddedKey).sign(),
            "bad_signature",
            "the signature does not verify",
        ),
        Row::token(
            "crit",
            server.mint().broken(Broken::CriticalHeader).sign(),
            "malformed",
            "the access token is malformed",
        ),
        Row::token(
            "duplicate claim",
            server.mint().broken(Broken::DuplicateClaim).sign(),
            "malformed",
            "the access token is malformed",
        ),
        Row::token(
            "logout token",
            server.mint().header("typ", "logout+jwt").sign(),
            "wrong_type",
            "not an access token",
        ),
    ]
}

#[tokio::test]
async fn every_refusal_has_its_status_challenge_and_body() {
    let server = Harness::start().await;
    for row in rows(&server) {
        for method in ["GET", "POST", "DELETE"] {
            let headers: Vec<_> =
                row.headers.iter().map(|value| ("authorization", &**value)).collect();
            let answer = server.send(request(method, row.uri, &headers)).await;
            let name = format!("{method} with {}", row.name);
            assert_eq!(answer.code(), row.code, "{name}");
            assert_eq!(answer.status.as_u16(), row.status, "{name}");
            assert_eq!(answer.challenge(), Some(&*row.expected_challenge()), "{name}");
            let (error, why) =
                row.challenge.unwrap_or(("unauthorized", "an access token is required"));
            assert_eq!(
                answer.json(),
                json!({ "error": error, "error_description": why }),
                "{name}"
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
        }
    }
}

#[tokio::test]
async fn options_is_answered_before_authentication() {
    let server = Harness::start().await;
    for row in rows(&server) {
        let headers: Vec<_> = row.headers.iter().map(|value| ("authorization", &**value)).collect();
        let answer = server.send(request("OPTIONS", row.uri, &headers)).await;
        assert_eq!((answer.status.as_u16(), answer.challenge()), (204, None), "{}", row.name);
        assert_eq!(answer.header("allow"), Some("GET, POST, DELETE, OPTIONS"), "{}", row.name);
    }
}

#[tokio::test]
async fn a_valid_token_is_forwarded_without_its_header() {
    let server = Harness::start().await;
    let authorization = format!("Bearer {}", server.mint().sign());
    for method in ["GET", "POST", "DELETE"] {
        let answer =
            server.send(request(method, "/mcp", &[("authorization", &authorization)])).await;
        let seen = answer.json();
        assert_eq!((answer.status.as_u16(), answer.challenge()), (200, None), "{method}");
        assert_eq!(seen["authorization"], false, "{method}");
        assert_eq!(seen["subject"], "alice", "{method}");
        assert_eq!(seen["client_id"], "test-client", "{method}");
        assert_eq!(seen["issuer"], server.issuer.issuer(), "{method}");
        assert_eq!(seen["audience"], json!(["https://mcp.example.com/mcp"]), "{method}");
        assert_eq!(seen["claims"]["sub"], "alice", "{method}");
    }
}

#[tokio::test]
async fn a_missing_scope_is_a_403_that_names_all_of_them() {
    let server = Harness::with(|config| config.with_required_scopes(["mcp", "notes:read"])).await;
    let answer = server.call(&server.mint().scope("mcp").sign()).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (403, "insufficient_scope"));
    let expected = format!(
        "Bearer error=\"insufficient_scope\", error_description=\"the access token lacks a required scope\", \
         scope=\"mcp notes:read\", resource_metadata=\"{METADATA_URL}\""
    );
    assert_eq!(answer.challenge(), Some(&*expected));
    assert_eq!(answer.json()["error"], "insufficient_scope");
    let enough = server.mint().scope("notes:read other mcp").sign();
    assert_eq!(server.call(&enough).await.status, 200);
}

#[tokio::test]
async fn header_types_that_providers_send_are_accepted() {
    let server = Harness::start().await;
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "AT+JWT",
        "JWT",
        "jwt",
        "application/jwt",
        "application/JWT",
        "Application/Jwt",
    ] {
        assert_eq!(
            server.call(&server.mint().header("typ", typ).sign()).await.code(),
            "ok",
            "{typ}"
        );
    }
    assert_eq!(server.call(&server.mint().without_header("typ").sign()).await.code(), "ok");
    assert_eq!(server.call(&server.mint().header("typ", json!(null)).sign()).await.code(), "ok");
    for typ in [
        "JOSE",
        "dpop+jwt",
        "application/dpop+jwt",
        "secevent+jwt",
        "text/jwt",
        "application/application/jwt",
        "application/jwt; charset=utf-8",
        "application/",
        "",
    ] {
        assert_eq!(
            server.call(&server.mint().header("typ", typ).sign()).await.code(),
            "wrong_type",
            "{typ}"
        );
    }
}

#[tokio::test]
async fn rfc_9068_can_be_required() {
    let server = Harness::with(|mut config| {
        config.resources[0].authorization_servers[0].require_at_jwt = true;
        config
    })
    .await;
    assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
    assert_eq!(server.call(&server.mint().header("typ", "JWT").sign()).await.code(), "wrong_type");
    let with_prefix = server.mint().header("typ", "application/jwt").sign();
    assert_eq!(server.call(&with_prefix).await.code(), "wrong_type");
    assert_eq!(server.call(&server.mint().without_header("typ").sign()).await.code(), "wrong_type");
}

#[tokio::test]
async fn a_subject_can_be_required() {
    for (require_subject, code) in [(false, "ok"), (true, "missing_claim")] {
        let server = Harness::with(|mut config| {
            config.resources[0].authorization_servers[0].require_subject = require_subject;
            config
        })
        .await;
        assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
        for nameless in [
            server.mint().without("sub").sign(),
            server.mint().claim("sub", "").sign(),
            server.mint().claim("sub", json!(null)).sign(),
        ] {
            assert_eq!(server.call(&nameless).await.code(), code);
        }
    }
}

#[tokio::test]
async fn every_algorithm_verifies_and_can_be_narrowed() {
    let any = Harness::start().await;
    let only_rs256 = Harness::around(any.issuer.clone(), |mut config| {
        config.resources[0].authorization_servers[0].algorithms =
            vec![mcp_auth::settings::Algorithm::Rs256];
        config
    });
    for algorithm in dev_issuer::Algorithm::ALL {
        let token = any.mint().algorithm(*algorithm).sign();
        assert_eq!(any.call(&token).await.code(), "ok", "{algorithm}");
        let expected =
            if algorithm.to_string() == "RS256" { "ok" } else { "algorithm_not_allowed" };
        assert_eq!(only_rs256.call(&token).await.code(), expected, "{algorithm}");
        // Every new algorithm adds a key; the budget of key fetches fills with time.
        any.clock.advance(15);
        only_rs256.clock.advance(15);
    }
}

#[tokio::test]
async fn time_is_compared_with_tolerance() {
    let server = Harness::start().await;
    let token = server.mint().expires_in(30).sign();
    assert_eq!(server.call(&token).await.code(), "ok");
    server.clock.advance(30 + 50);
    assert_eq!(server.call(&token).await.code(), "ok");
    server.clock.advance(20);
    assert_eq!(server.call(&token).await.code(), "expired");
}

#[tokio::test]
async fn any_audience_is_accepted_where_that_is_asked_for_and_nothing_else_is_given_up() {
    let server = Harness::with(|mut config| {
        config.resources[0].dangerous_accept_any_audience = true;
        config
    })
    .await;
    let rows = [
        (server.mint().audience("https://other.example"), "ok"),
        (server.mint().without("aud"), "ok"),
        (server.mint().audience("https://other.example").expires_in(-3600), "expired"),
        (server.mint().audience("https://other.example").broken(Broken::IdToken), "wrong_type"),
        (server.mint().without("aud").claim("cnf", serde_json::json!({})), "sender_constrained"),
    ];
    for (mint, expected) in rows {
        assert_eq!(server.call(&mint.sign()).await.code(), expected);
    }
}

#[tokio::test]
async fn audiences_come_as_string_or_list_and_more_can_be_listed() {
    let server = Harness::with(|mut config| {
        config.resources[0].audiences = vec!["api://default".to_owned()];
        config
    })
    .await;
    let good = ["api://default", "https://mcp.example.com/mcp", "HTTPS://MCP.EXAMPLE.COM/mcp"];
    for audience in good {
        assert_eq!(
            server.call(&server.mint().audience(audience).sign()).await.code(),
            "ok",
            "{audience}"
        );
        let list = server.mint().audiences(["https://other.example", audience]);
        assert_eq!(server.call(&list.sign()).await.code(), "ok", "{audience}");
    }
    for audience in [
        "https://mcp.example.com/mcp/",
        "https://mcp.example.com/MCP",
        "https://mcp.example.com",
        "api://Default",
    ] {
        assert_eq!(
            server.call(&server.mint().audience(audience).sign()).await.code(),
            "wrong_audience",
            "{audience}"
        );
    }
}

#[tokio::test]
async fn a_token_longer_than_the_limit_is_refused_unread() {
    let server = Harness::start().await;
    let long = server.mint().claim("filler", "x".repeat(16 * 1024)).sign();
    assert_eq!(server.call(&long).await.code(), "malformed");
    let garbage = "a".repeat(1 << 20);
    assert_eq!(server.call(&garbage).await.code(), "malformed");
}

#[tokio::test]
async fn what_is_accepted_can_be_read_whole() {
    let server = Harness::with(|mut config| {
        config.max_token_depth = 127;
        config
    })
    .await;
    let nested = |depth| (0..depth).fold(serde_json::Value::Null, |inner, _| json!([inner]));
    let answer = server.call(&server.mint().claim("deep", nested(120)).sign()).await;
    assert_eq!((answer.code(), &answer.json()["claims"]["sub"]), ("ok", &json!("alice")));
    let answer = server.call(&server.mint().claim("deep", nested(127)).sign()).await;
    assert_eq!(answer.code(), "malformed", "and not accepted without its claims");
}

#[tokio::test]
async fn header_depth_and_claims_are_bounded_as_configured() {
    let server = Harness::with(|mut config| {
        config.max_token_header_bytes = 1000;
        config.max_token_depth = 3;
        config.max_token_claims = 20;
        config
    })
    .await;
    let roles = json!({ "app": { "roles": { "a": 1 } } });
    let many = |count| (0..count).map(|index| (format!("m{index}"), json!(0))).collect();
    let many = |count| serde_json::Value::Object(many(count));
    let rows = [
        (server.mint(), "ok"),
        (server.mint().header("x5t", "x".repeat(500)), "ok"),
        (server.mint().header("x5t", "x".repeat(1000)), "malformed"),
        (server.mint().header("x", json!([[]])), "ok"),
        (server.mint().header("x", json!([[[]]])), "malformed"),
        (server.mint().claim("resource_access", roles["app"].clone()), "ok"),
        (server.mint().claim("resource_access", roles), "malformed"),
        (server.mint().claim("x", many(20)), "ok"),
        (server.mint().claim("x", many(21)), "malformed"),
    ];
    for (mint, expected) in rows {
        let token = mint.sign();
        assert_eq!(server.call(&token).await.code(), expected, "{token}");
    }
}
