//! Security event tokens, pushed as RFC 8935 says.

use mcp_auth::settings::SharedSignals;
use serde_json::{Value, json};

use super::{CAEP, EVENTS, SECEVENT, Server, told};
use crate::support::{log::Log, request};

const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";

#[tokio::test]
async fn each_event_that_makes_tokens_worthless_ends_those_of_before() {
    let caep =
        ["session-revoked", "token-claims-change", "credential-change", "assurance-level-change"];
    let risc = ["account-disabled", "account-purged", "credential-compromise", "sessions-revoked"];
    let types = caep.map(|name| format!("{CAEP}{name}")).into_iter();
    for event_type in types.chain(risc.map(|name| format!("{RISC}{name}"))) {
        let server = Server::start().await;
        let token = server.access_token().sign();
        let later = server.access_token().issued_at(server.now() + 1).sign();
        let bob = server.access_token().subject("bob").sign();
        assert_eq!(server.code(&token).await, "ok");
        let event = json!({ "event_timestamp": server.now() });
        let answer = server.push(server.security_event("e-1", &event_type, event).sign()).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (202, 0), "{event_type}");
        let codes = [server.code(&token).await, server.code(&later).await, server.code(&bob).await];
        assert_eq!(codes, ["revoked", "ok", "ok"], "{event_type}");
    }
}

#[tokio::test]
async fn an_event_that_comes_late_refuses_nobody_who_has_signed_in_meanwhile() {
    let server = Server::start().await;
    let event = server.security_event("e-1", &format!("{CAEP}session-revoked"), json!({})).sign();
    let before = server.access_token().sign();
    let after = server.access_token().issued_at(server.now() + 1).sign();
    server.clock.advance(3_600);
    server.clock.set_back(10);
    assert_eq!(server.push(event).await.status.as_u16(), 202);
    assert_eq!([server.code(&before).await, server.code(&after).await], ["revoked", "ok"]);
}

#[tokio::test]
async fn the_subject_is_found_by_what_tokens_say_and_is_never_everybody() {
    let server = Server::start().await;
    let issuer = server.issuer.issuer();
    let user = json!({ "format": "iss_sub", "iss": issuer, "sub": "alice" });
    let session = json!({ "format": "opaque", "id": "s-1" });
    let [alice, all] = ["alice", "ALL"].map(|id| json!({ "format": "opaque", "id": id }));
    let email = json!({ "format": "email", "email": "alice@example.com" });
    // Which of these end: alice's of the session s-1, of s-2, of none, bob's of s-1, the one with the identifier t-1.
    let [all_of_alice, of_session] =
        [[true, true, true, false, true], [true, false, false, true, false]];
    let nothing = [false; 5];
    let rows = [
        (user.clone(), 202, all_of_alice),
        (json!({ "format": "opaque", "id": "alice" }), 202, all_of_alice),
        (session.clone(), 202, of_session),
        (json!({ "format": "complex", "session": session }), 202, of_session),
        (
            json!({ "format": "complex", "user": user, "session": session }),
            202,
            [true, false, true, true, false],
        ),
        (json!({ "format": "complex", "user": user, "device": email }), 202, all_of_alice),
        // Keycloak, when an administrator ends all sessions of a user.
        (json!({ "format": "complex", "user": user, "session": all }), 202, all_of_alice),
        (json!({ "user": user, "session": all }), 202, all_of_alice),
        (json!({ "format": "complex", "user": alice, "session": all }), 202, all_of_alice),
        // Of nobody's sessions: it is a name as any other, and never everybody.
        (json!({ "format": "complex", "session": all }), 202, nothing),
        (json!({ "format": "complex", "user": email, "session": all }), 202, nothing),
        (all.clone(), 202, nothing),
        (json!({ "user": user }), 202, all_of_alice),
        (json!({ "format": "aliases", "identifiers": [email, user] }), 202, all_of_alice),
        (
            json!({ "format": "jwt_id", "iss": issuer, "jti": "t-1" }),
            202,
            [false, false, false, false, true],
        ),
        (email.clone(), 400, nothing),
        (json!({ "format": "phone_number", "phone_number": "+1" }), 400, nothing),
        (json!({ "format": "complex" }), 400, nothing),
        (json!({ "format": "complex", "tenant": session }), 400, nothing),
        (json!({ "format": "complex", "user": email }), 400, nothing),
        (json!({ "format": "aliases", "identifiers": [] }), 400, nothing),
        (json!({ "format": "aliases", "identifiers": [email] }), 400, nothing),
        (
            json!({ "format": "iss_sub", "iss": "https://other.example", "sub": "alice" }),
            400,
            nothing,
        ),
        (json!({ "format": "iss_sub", "sub": "alice" }), 400, nothing),
        (json!({ "format": "iss_sub", "iss": issuer, "sub": "" }), 400, nothing),
        (json!({ "format": "opaque", "id": 7 }), 400, nothing),
        (json!({}), 400, nothing),
        (json!({ "format": 7 }), 400, nothing),
        (Value::Null, 400, nothing),
    ];
    for (sub_id, status, ended) in rows {
        let anew = Server::around(server.issuer.clone(), |_| {});
        let tokens = [
            anew.access_token().claim("sid", "s-1"),
            anew.access_token().claim("sid", "s-2"),
            anew.access_token(),
            anew.access_token().subject("bob").claim("sid", "s-1"),
            anew.access_token().claim("sid", "s-4").claim("jti", "t-1"),
        ];
        let event = anew.security_event("e-1", &format!("{CAEP}session-revoked"), json!({}));
        let answer = anew.push(event.claim("sub_id", sub_id.clone()).sign()).await;
        assert_eq!(answer.status.as_u16(), status, "{sub_id}");
        for (index, (token, is_ended)) in tokens.into_iter().zip(ended).enumerate() {
            let expected = if is_ended { "revoked" } else { "ok" };
            assert_eq!(anew.code(&token.sign()).await, expected, "{sub_id}: {index}");
        }
    }
}

#[tokio::test]
async fn a_security_event_token_is_whole() {
    let server = Server::start().await;
    let revoked = format!("{CAEP}session-revoked");
    let good = |id: &str| server.security_event(id, &revoked, json!({}));
    let rows = [
        ("good", good("a"), 202, ""),
        ("typ in full", good("b").header("typ", "application/SecEvent+JWT"), 202, ""),
        ("no typ", good("c").without_header("typ"), 400, "invalid_request"),
        ("typ JWT", good("d").header("typ", "JWT"), 400, "invalid_request"),
        ("typ of a logout token", good("e").header("typ", "logout+jwt"), 400, "invalid_request"),
        ("another audience", good("f").audience("other"), 400, "invalid_audience"),
        (
            "the audience of logout tokens",
            good("g").audience("our-client"),
            400,
            "invalid_audience",
        ),
        ("no audience", good("h").without("aud"), 400, "invalid_request"),
        ("another issuer", good("i").issuer("https://other.example"), 400, "invalid_issuer"),
        ("no issuer", good("j").without("iss"), 400, "invalid_request"),
        ("no jti", good("k").without("jti"), 400, "invalid_request"),
        ("no iat", good("l").without("iat"), 400, "invalid_request"),
        ("of the future", good("m").issued_at(server.now() + 61), 400, "invalid_request"),
        ("too old", good("n").issued_at(server.now() - 90_000), 400, "invalid_request"),
        ("a day old", good("o").issued_at(server.now() - 80_000), 202, ""),
        ("no events", good("p").without("events"), 400, "invalid_request"),
        ("empty events", good("q").claim("events", json!({})), 400, "invalid_request"),
        ("no object", good("r").claim("events", json!({ &revoked: [] })), 400, "invalid_request"),
        ("no subject", good("s").without("sub_id"), 400, "invalid_request"),
        (
            "of a time in milliseconds",
            server.security_event("t", &revoked, json!({ "event_timestamp": server.now() * 1000 })),
            400,
            "invalid_request",
        ),
        (
            "of a time that is a text",
            server.security_event("u", &revoked, json!({ "event_timestamp": "now" })),
            400,
            "invalid_request",
        ),
        ("a logout token", server.logout_token("v"), 400, "invalid_request"),
        ("an access token", server.access_token(), 400, "invalid_request"),
    ];
    for (name, mint, status, code) in rows {
        let answer = server.push(mint.sign()).await;
        assert_eq!(told(&answer), (status, code.to_owned()), "{name}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
        if status == 400 {
            assert_eq!(answer.header("content-language"), Some("en"), "{name}");
        }
    }
}

#[tokio::test]
async fn one_that_is_sent_again_is_taken_for_received_and_carried_out_once() {
    let server = Server::start().await;
    let event = json!({ "event_timestamp": server.now() });
    let token = server.security_event("e-1", &format!("{CAEP}session-revoked"), event).sign();
    Log::start();
    for _ in 0..3 {
        assert_eq!(server.push(token.clone()).await.status.as_u16(), 202);
    }
    let log = Log::take();
    assert_eq!(log.matches("notice_accepted").count(), 1, "{log}");
    assert_eq!(log.matches("notice_seen_before").count(), 2, "{log}");
}

#[tokio::test]
async fn a_verification_and_events_of_other_types_end_nothing_and_are_told_in_the_log() {
    let server = Server::start().await;
    let token = server.access_token().sign();
    let verification = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    let rows = [
        (verification, json!({ "state": "a\nb" }), "stream_verified"),
        ("https://schemas.example.com/other", json!({}), "event_ignored"),
    ];
    Log::start();
    for (event_type, event, code) in rows {
        let mint = server.security_event(code, event_type, event);
        let of_stream = json!({ "format": "opaque", "id": "stream-1" });
        assert_eq!(server.push(mint.claim("sub_id", of_stream).sign()).await.status.as_u16(), 202);
        let log = Log::take();
        assert!(log.contains(code), "{log}");
        assert!(!log.contains("a\nb"), "{log}");
    }
    assert_eq!(server.code(&token).await, "ok");
}

#[tokio::test]
async fn a_transmitter_says_what_was_agreed() {
    let secret = "Bearer 4f1c9a";
    let server = Server::with(|trusted| {
        let mut signals = SharedSignals::new(["https://mcp.example.com/signals"]);
        signals.authorization = Some(secret.into());
        trusted.shared_signals = Some(signals);
    })
    .await;
    let event =
        |id: &str| server.security_event(id, &format!("{CAEP}session-revoked"), json!({})).sign();
    let rows = [
        (vec![], 400),
        (vec!["Bearer 4f1c9b"], 400),
        (vec!["4f1c9a"], 400),
        (vec![""], 400),
        (vec![secret, secret], 400),
        (vec![secret], 202),
    ];
    for (values, status) in rows {
        let mut pushed = super::posted(EVENTS, SECEVENT, event("e-1"));
        for value in &values {
            pushed.headers_mut().append("authorization", value.parse().unwrap());
        }
        let answer = server.send(pushed).await;
        let code = if status == 400 { "authentication_failed" } else { "" };
        assert_eq!(told(&answer), (status, code.to_owned()), "{values:?}");
    }
    let shown = format!("{:?}", server.auth);
    assert!(!shown.contains("4f1c9a"));
    assert_eq!(server.send(request("GET", EVENTS, &[])).await.status.as_u16(), 405);
}
