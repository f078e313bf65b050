//! OpenID Connect Back-Channel Logout 1.0.

use axum::Router;
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::{Value, json};
use tower::Layer as _;

use super::{EVENTS, FORM, LOGOUT, SECEVENT, Server, posted, told};
use crate::support::log::Log;
use crate::support::{RESOURCE, TestClock, echo, request, send};

#[tokio::test]
async fn a_session_that_ends_at_the_issuer_ends_here() {
    let server = Server::start().await;
    let rows = [
        (server.access_token().claim("sid", "s-1").sign(), "revoked"),
        (server.access_token().claim("sid", "s-1").subject("bob").sign(), "revoked"),
        (server.access_token().claim("sid", "s-2").sign(), "ok"),
        (server.access_token().sign(), "ok"),
    ];
    for (token, _) in &rows {
        assert_eq!(server.code(token).await, "ok");
    }
    let answer = server.log_out(&server.logout_token("l-1").sign()).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for (token, expected) in &rows {
        assert_eq!(server.code(token).await, *expected);
    }
    // A session never comes back, whatever the time of its tokens; another one does.
    let later = server.now() + 1;
    server.clock.advance(5);
    let again = server.access_token().issued_at(later).claim("sid", "s-3").sign();
    assert_eq!(server.code(&again).await, "ok");
}

#[tokio::test]
async fn a_subject_without_a_session_is_out_everywhere_until_they_sign_in_again() {
    let server = Server::start().await;
    let rows = [
        (server.access_token().claim("sid", "s-1").sign(), "revoked"),
        (server.access_token().sign(), "revoked"),
        (server.access_token().subject("bob").claim("sid", "s-1").sign(), "ok"),
        (server.access_token().issued_at(server.now() + 1).sign(), "ok"),
    ];
    let of_subject = server.logout_token_of_alice("l-1").without("sid");
    let answer = server.log_out(&of_subject.sign()).await;
    assert_eq!(answer.status.as_u16(), 200);
    for (token, expected) in &rows {
        assert_eq!(server.code(token).await, *expected);
    }
}

#[tokio::test]
async fn of_a_session_and_its_subject_the_session_ends_and_what_names_none() {
    let server = Server::start().await;
    let rows = [
        (server.access_token().claim("sid", "s-1").sign(), "revoked"),
        (server.access_token().claim("sid", "s-2").sign(), "ok"),
        (server.access_token().sign(), "revoked"),
        (server.access_token().subject("bob").sign(), "ok"),
    ];
    assert_eq!(
        server.log_out(&server.logout_token_of_alice("l-1").sign()).await.status.as_u16(),
        200
    );
    for (token, expected) in &rows {
        assert_eq!(server.code(token).await, *expected);
    }
}

#[tokio::test]
async fn tokens_that_name_the_issuer_in_another_way_end_too() {
    let other = "https://sts.example.com/other-name";
    let server = Server::with(|trusted| trusted.token_issuers.push(other.to_owned())).await;
    let token = server.access_token().issuer(other).claim("sid", "s-1").sign();
    assert_eq!(server.code(&token).await, "ok");
    assert_eq!(server.log_out(&server.logout_token("l-1").sign()).await.status.as_u16(), 200);
    assert_eq!(server.code(&token).await, "revoked");
    let by_other_name = server.logout_token("l-2").issuer(other).claim("sid", "s-2");
    assert_eq!(server.log_out(&by_other_name.sign()).await.status.as_u16(), 200);
    let token = server.access_token().claim("sid", "s-2").sign();
    assert_eq!(server.code(&token).await, "revoked");
}

#[tokio::test]
async fn a_logout_token_is_whole() {
    let server = Server::start().await;
    let good = |id: &str| server.logout_token(id);
    let event = "http://schemas.openid.net/event/backchannel-logout";
    let rows = [
        ("typ JWT", good("a").header("typ", "JWT"), 200),
        ("no typ", good("b").without_header("typ"), 200),
        ("typ in full", good("c").header("typ", "application/LOGOUT+jwt"), 200),
        ("typ of an access token", good("d").header("typ", "at+jwt"), 400),
        ("typ of a security event", good("e").header("typ", "secevent+jwt"), 400),
        ("events left out", good("f").without("events"), 400),
        ("events of another kind", good("g").claim("events", json!({ "x": {} })), 400),
        ("an event that is no object", good("h").claim("events", json!({ event: true })), 400),
        ("events that are a list", good("i").claim("events", json!([event])), 400),
        ("a nonce", good("j").claim("nonce", "n"), 400),
        ("a nonce that is null", good("k").claim("nonce", Value::Null), 400),
        ("neither sub nor sid", good("l").without("sid"), 400),
        ("an empty sid", good("m").claim("sid", ""), 400),
        ("a sid that is a number", good("n").claim("sid", 7), 400),
        ("no jti", good("o").without("jti"), 400),
        ("an empty jti", good(""), 400),
        ("another audience", good("p").audience("another-client"), 400),
        ("several audiences", good("q").audiences(["another-client", "our-client"]), 200),
        ("no audience", good("r").without("aud"), 400),
        ("our resource as its audience", good("s").audience(RESOURCE), 400),
        ("no iat", good("t").without("iat"), 400),
        ("no exp", good("u").without("exp"), 400),
        ("expired", good("v").expires_in(-61), 400),
        ("of the future", good("w").issued_at(server.now() + 61), 400),
        ("too old", good("x").issued_at(server.now() - 700).expires_in(7_000), 400),
        ("another issuer", good("y").issuer("https://other.example"), 400),
        ("no iss", good("z").without("iss"), 400),
        ("an access token", server.access_token(), 400),
        ("an ID token", server.access_token().header("typ", "JWT").claim("nonce", "n"), 400),
    ];
    for (name, mint, expected) in rows {
        let answer = server.log_out(&mint.sign()).await;
        assert_eq!(answer.status.as_u16(), expected, "{name}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
        if expected == 400 {
            assert_eq!(told(&answer).1, "invalid_request", "{name}");
        }
    }
}

#[tokio::test]
async fn a_logout_token_is_accepted_once() {
    let server = Server::start().await;
    let token = server.logout_token("l-1").sign();
    assert_eq!(server.log_out(&token).await.status.as_u16(), 200);
    for _ in 0..2 {
        assert_eq!(server.log_out(&token).await.status.as_u16(), 400);
    }
    server.clock.advance(100);
    assert_eq!(server.log_out(&token).await.status.as_u16(), 400);
    server.clock.set_back(150);
    assert_eq!(server.log_out(&token).await.status.as_u16(), 400);
    // Also after what makes it anew, as a fork does.
    let mut trusted = AuthorizationServer::new(server.issuer.issuer());
    trusted.back_channel_logout = Some(mcp_auth::settings::BackChannelLogout::new(["our-client"]));
    let config = Config::default().protect_resource(ProtectedResource::new(RESOURCE, [trusted]));
    let anew = McpAuth::builder(config).clock(server.clock.clone()).build().unwrap();
    anew.take_over_revocations(&server.auth);
    let server = Server { auth: anew, ..server };
    assert_eq!(server.log_out(&token).await.status.as_u16(), 400);
}

#[tokio::test]
async fn nothing_is_received_where_nothing_was_asked_for() {
    let issuer = dev_issuer::DevIssuer::start().await.unwrap();
    let config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    let auth = McpAuth::builder(config).clock(TestClock::new()).build().unwrap();
    assert_eq!(auth.notice_paths(), Vec::<String>::new());
    for path in [LOGOUT, EVENTS] {
        let answer = send(auth.protect(echo()), request("POST", path, &[])).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
    }
}

/// What is around a whole application answers as to anybody without a token; the log says once what is missing.
#[tokio::test]
async fn a_notice_that_nothing_receives_is_told_to_the_operator_once() {
    Log::start();
    let issuer = dev_issuer::DevIssuer::start().await.unwrap();
    let config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    let auth = McpAuth::builder(config).clock(TestClock::new()).build().unwrap();
    let app = Router::new().fallback_service(auth.layer().layer(echo()));
    let told = "none is received: no issuer has `";
    let rows = [
        // What is no notice, by its label or its method.
        (LOGOUT, "application/json", ""),
        (EVENTS, FORM, ""),
        ("/other", FORM, ""),
        (LOGOUT, FORM, "back_channel_logout`"),
        (EVENTS, SECEVENT, "shared_signals`"),
        // Nobody can fill the log with it.
        (LOGOUT, FORM, ""),
        (EVENTS, SECEVENT, ""),
    ];
    for (path, content_type, setting) in rows {
        Log::take();
        let body = "logout_token=e30.e30.x".to_owned();
        let answer = send(app.clone(), posted(path, content_type, body)).await;
        assert_eq!(answer.status.as_u16(), 401, "{path} {content_type}");
        let log = Log::take();
        let expected = format!("{told}{setting}");
        assert_eq!(log.contains(told), !setting.is_empty(), "{path} {content_type}: {log}");
        assert!(setting.is_empty() || log.contains(&expected), "{path} {content_type}: {log}");
    }
}

#[tokio::test]
async fn the_path_may_be_another_one() {
    let issuer = dev_issuer::DevIssuer::start().await.unwrap();
    let mut trusted = AuthorizationServer::new(issuer.issuer());
    trusted.back_channel_logout = Some(mcp_auth::settings::BackChannelLogout::new(["our-client"]));
    let mut config =
        Config::default().protect_resource(ProtectedResource::new(RESOURCE, [trusted]));
    config.logout_path = "/oidc/logged-out".to_owned();
    let clock = TestClock::new();
    let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
    assert_eq!(auth.notice_paths(), ["/oidc/logged-out"]);
    let server = Server { issuer, clock, auth };
    let body = format!("logout_token={}", server.logout_token("l-1").sign());
    assert_eq!(server.post("/oidc/logged-out", FORM, body).await.status.as_u16(), 200);
}
