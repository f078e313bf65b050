//! Tokens that were good, and are revoked.

use dev_issuer::{DevIssuer, Mint};
use mcp_auth::revocation::Revocation;
use mcp_auth::{Config, McpAuth};

use crate::support::log::Log;
use crate::support::{RESOURCE, TestClock, echo, request, send};

struct Server {
    issuer: DevIssuer,
    clock: TestClock,
    auth: McpAuth,
}

impl Server {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
        change(&mut config);
        let clock = TestClock::new();
        let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
        Self { issuer, clock, auth }
    }

    /// By the clock of the server, which stands still: by that of the system it may be a second later.
    fn mint(&self) -> Mint {
        let now = mcp_auth::clock::Clock::unix_seconds(&self.clock);
        self.issuer.mint().subject("alice").client_id("app").audience(RESOURCE).issued_at(now)
    }

    /// The code of the answer to a request with this token.
    async fn code(&self, token: &str) -> &'static str {
        let bearer = format!("Bearer {token}");
        let app = self.auth.protect(echo());
        send(app, request("POST", "/mcp", &[("authorization", &bearer)])).await.code()
    }
}

#[tokio::test]
async fn what_is_revoked_is_refused_also_where_it_was_accepted_before() {
    for cache_bytes in [0, 1 << 20] {
        let server = Server::start(|config| config.token_cache_bytes = cache_bytes).await;
        let issuer = server.issuer.issuer();
        let tokens = [
            ("alice", server.mint().sign()),
            ("bob", server.mint().subject("bob").sign()),
            ("machine", server.mint().subject("").client_id("robot").sign()),
            ("session", server.mint().subject("carol").claim("sid", "s-1").sign()),
            ("token", server.mint().subject("dave").claim("jti", "t-1").sign()),
        ];
        let revocations = [
            ("alice", Revocation::of_subject(issuer, "alice")),
            ("machine", Revocation::of_client(issuer, "robot")),
            ("session", Revocation::of_session(issuer, "s-1")),
            ("token", Revocation::of_token(issuer, "t-1")),
        ];
        let mut revoked: Vec<&str> = Vec::new();
        for (name, revocation) in revocations {
            for (owner, token) in &tokens {
                let expected = if revoked.contains(owner) { "revoked" } else { "ok" };
                for _ in 0..2 {
                    assert_eq!(server.code(token).await, expected, "{owner}");
                }
            }
            server.auth.revoke(revocation);
            revoked.push(name);
        }
        for (owner, token) in &tokens {
            let expected = if *owner == "bob" { "ok" } else { "revoked" };
            assert_eq!(server.code(token).await, expected, "{owner}");
        }
    }
}

#[tokio::test]
async fn whoever_signs_in_again_comes_in_again() {
    let server = Server::start(|_| {}).await;
    let issuer = server.issuer.issuer();
    server.auth.revoke(Revocation::of_subject(issuer, "alice"));
    let now = mcp_auth::clock::Clock::unix_seconds(&server.clock);
    let rows = [
        (server.mint().issued_at(now), "revoked"),
        (server.mint().issued_at(now - 1), "revoked"),
        (server.mint().issued_at(now + 1), "ok"),
        (server.mint().without("iat"), "revoked"),
    ];
    for (mint, expected) in rows {
        assert_eq!(server.code(&mint.sign()).await, expected);
    }
    // A token is revoked whenever it was issued.
    server.auth.revoke(Revocation::of_token(issuer, "t-1"));
    let token = server.mint().issued_at(now + 1).claim("jti", "t-1").sign();
    assert_eq!(server.code(&token).await, "revoked");
}

#[tokio::test]
async fn a_revocation_is_about_one_name_of_one_issuer() {
    let server = Server::start(|_| {}).await;
    let issuer = server.issuer.issuer();
    let others = [
        Revocation::of_subject("https://other.example", "alice"),
        Revocation::of_subject(format!("{issuer}/"), "alice"),
        Revocation::of_subject(issuer, "Alice"),
        Revocation::of_subject(issuer, ""),
        Revocation::of_client(issuer, "alice"),
        Revocation::of_session(issuer, "alice"),
        Revocation::of_subject(issuer, "app"),
        Revocation::of_subject(issuer, "alice").issued_until(0),
    ];
    let token = server.mint().sign();
    for revocation in others {
        server.auth.revoke(revocation);
        assert_eq!(server.code(&token).await, "ok");
    }
    // A later one counts, and an earlier one does not take it back.
    server.auth.revoke(Revocation::of_subject(issuer, "alice"));
    server.auth.revoke(Revocation::of_subject(issuer, "alice").issued_until(0));
    assert_eq!(server.code(&token).await, "revoked");
    let checks = server.auth.explain_token("/mcp", &token).await.unwrap();
    assert_eq!(checks.code, "revoked");
}

#[tokio::test]
async fn one_that_is_made_anew_refuses_what_the_earlier_one_did() {
    let server = Server::start(|_| {}).await;
    let issuer = server.issuer.issuer();
    let tokens = [server.mint().sign(), server.mint().subject("bob").sign()];
    server.auth.revoke(Revocation::of_subject(issuer, "alice"));
    let config = Config::new(RESOURCE, issuer).unwrap();
    let auth = McpAuth::builder(config).clock(server.clock.clone()).build().unwrap();
    let earlier = server.auth.clone();
    let anew = Server { auth, ..server };
    for token in &tokens {
        assert_eq!(anew.code(token).await, "ok");
    }
    anew.auth.take_over_revocations(&earlier);
    let codes = [anew.code(&tokens[0]).await, anew.code(&tokens[1]).await];
    assert_eq!(codes, ["revoked", "ok"]);
    // What is revoked later is known to one of them alone.
    anew.auth.revoke(Revocation::of_subject(anew.issuer.issuer(), "bob"));
    assert_eq!(anew.code(&tokens[1]).await, "revoked");
    let before = Server { auth: earlier, ..anew };
    assert_eq!(before.code(&tokens[1]).await, "ok");
}

#[tokio::test]
async fn a_revocation_of_an_issuer_that_nobody_trusts_is_warned_of() {
    const WARNING: &str = "of an issuer that no resource trusts";
    Log::start();
    let server = Server::start(|_| {}).await;
    server.auth.revoke(Revocation::of_subject(server.issuer.issuer(), "alice"));
    assert!(!Log::take().contains(WARNING));
    let with_slash = format!("{}/", server.issuer.issuer());
    server.auth.revoke(Revocation::of_subject(with_slash, "alice"));
    assert!(Log::take().contains(WARNING));
}
