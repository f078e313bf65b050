//! What issuers tell: shared parts of the tests.

mod attacks;
mod logout;
mod security_events;

use axum::body::Body;
use axum::http::Request;
use dev_issuer::{DevIssuer, Mint};
use mcp_auth::settings::{BackChannelLogout, SharedSignals};
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::{Value, json};

use crate::support::{Answer, RESOURCE, TestClock, echo, request, send};

const LOGOUT: &str = "/backchannel-logout";
const EVENTS: &str = "/shared-signals";
const FORM: &str = "application/x-www-form-urlencoded";
const SECEVENT: &str = "application/secevent+jwt";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";

/// A server that receives notices of its issuer.
struct Server {
    issuer: DevIssuer,
    clock: TestClock,
    auth: McpAuth,
}

impl Server {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut AuthorizationServer)) -> Self {
        Self::around(DevIssuer::start().await.unwrap(), change)
    }

    fn around(issuer: DevIssuer, change: impl FnOnce(&mut AuthorizationServer)) -> Self {
        let clock = TestClock::new();
        let config = config(&issuer, change);
        let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
        Self { issuer, clock, auth }
    }

    /// Puts another configuration in force, which differs in this name alone.
    fn reload(&self, name: &str) {
        let mut changed = config(&self.issuer, |_| {});
        changed.resources[0].resource_name = Some(name.to_owned());
        self.auth.reload(changed).unwrap();
    }

    fn now(&self) -> u64 {
        mcp_auth::clock::Clock::unix_seconds(&self.clock)
    }

    /// An access token of alice's, of now by the clock that stands still.
    fn access_token(&self) -> Mint {
        let mint = self.issuer.mint().subject("alice").client_id("app").audience(RESOURCE);
        mint.issued_at(self.now())
    }

    /// A logout token of the session `s-1`, unless it is changed.
    fn logout_token(&self, id: &str) -> Mint {
        self.logout_token_of_alice(id).without("sub")
    }

    /// The same, which names alice too.
    fn logout_token_of_alice(&self, id: &str) -> Mint {
        let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        self.issuer
            .mint()
            .header("typ", "logout+jwt")
            .audience("our-client")
            .issued_at(self.now())
            .expires_in(120)
            .subject("alice")
            .without("client_id")
            .claim("jti", id)
            .claim("sid", "s-1")
            .claim("events", events)
    }

    /// A security event token with one event, about alice unless it is changed.
    fn security_event(&self, id: &str, event_type: &str, event: Value) -> Mint {
        let sub_id = json!({ "format": "iss_sub", "iss": self.issuer.issuer(), "sub": "alice" });
        self.issuer
            .mint()
            .header("typ", "secevent+jwt")
            .audience("https://mcp.example.com/signals")
            .issued_at(self.now())
            .without("exp")
            .without("sub")
            .without("client_id")
            .claim("jti", id)
            .claim("sub_id", sub_id)
            .claim("events", json!({ event_type: event }))
    }

    /// The code of the answer to a call with this token.
    async fn code(&self, token: &str) -> &'static str {
        let bearer = format!("Bearer {token}");
        self.send(request("POST", "/mcp", &[("authorization", &bearer)])).await.code()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        send(self.auth.protect(echo()), request).await
    }

    async fn post(&self, path: &str, content_type: &str, body: String) -> Answer {
        self.send(posted(path, content_type, body)).await
    }

    async fn log_out(&self, token: &str) -> Answer {
        self.post(LOGOUT, FORM, format!("logout_token={token}")).await
    }

    async fn push(&self, token: String) -> Answer {
        self.post(EVENTS, SECEVENT, token).await
    }
}

/// A configuration in which this issuer sends notices.
fn config(issuer: &DevIssuer, change: impl FnOnce(&mut AuthorizationServer)) -> Config {
    let mut trusted = AuthorizationServer::new(issuer.issuer());
    trusted.back_channel_logout = Some(BackChannelLogout::new(["our-client"]));
    trusted.shared_signals = Some(SharedSignals::new(["https://mcp.example.com/signals"]));
    change(&mut trusted);
    Config::default().protect_resource(ProtectedResource::new(RESOURCE, [trusted]))
}

fn posted(path: &str, content_type: &str, body: String) -> Request<Body> {
    let head = Request::post(path).header("content-type", content_type);
    head.body(Body::from(body)).unwrap()
}

/// The status of an answer, and its code of RFC 8935 or RFC 6749.
fn told(answer: &Answer) -> (u16, String) {
    let status = answer.status.as_u16();
    if answer.body.is_empty() {
        return (status, String::new());
    }
    let body = answer.json();
    let code = if body["err"].is_string() { &body["err"] } else { &body["error"] };
    (status, code.as_str().unwrap().to_owned())
}
