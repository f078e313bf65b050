//! Tokens for other APIs: what is asked, what is kept, and what must never happen.

mod challenges;
mod exchange;
mod keeping;
mod layer;
mod refusals;
mod settings;
mod shared_store;

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use dev_issuer::{DevClient, DevIssuer, Mint, Mode, TokenMode};
use mcp_auth::clock::Clock as _;
use mcp_auth::downstream::{DownstreamError, DownstreamToken};
use mcp_auth::{AuthInfo, Config, McpAuth};
use serde_json::{Value, json};

use crate::support::{Answer, RESOURCE, TestClock, send};

/// A server whose tools call the API `reports` for their callers, by token exchange at the issuer.
pub(crate) struct Calling {
    pub(crate) issuer: DevIssuer,
    pub(crate) clock: TestClock,
    pub(crate) auth: McpAuth,
}

/// A development issuer, with a client that may have tokens for `reports`.
pub(crate) async fn issuer() -> DevIssuer {
    let tools = DevClient::new("tools")
        .secret("a secret")
        .may_get(["reports:read", "reports:write", "api://reports/read", "api://reports/write"])
        .acts_for(RESOURCE);
    DevIssuer::builder().clients([tools]).default_audience("tools").start().await.unwrap()
}

/// The API `reports`, of this issuer.
pub(crate) fn reports(issuer: &str) -> Value {
    json!({ "issuer": issuer, "client_id": "tools", "client_secret": "a secret",
        "audience": ["reports"], "scopes": ["reports:read", "reports:write"] })
}

impl Calling {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with another configuration of `reports`.
    pub(crate) async fn with(change: impl FnOnce(&mut Value)) -> Self {
        let issuer = issuer().await;
        let mut api = reports(issuer.issuer());
        change(&mut api);
        let config = config(issuer.issuer(), api);
        let clock = TestClock::new();
        let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
        Self { issuer, clock, auth }
    }

    pub(crate) fn mint(&self, subject: &str) -> Mint {
        let token = self.issuer.mint().audience(RESOURCE).subject(subject).client_id("a-client");
        token.scope("mcp").issued_at(self.clock.started_at())
    }

    /// The caller behind a token of this subject.
    pub(crate) async fn caller(&self, subject: &str) -> AuthInfo {
        self.caller_by(self.mint(subject)).await
    }

    pub(crate) async fn caller_by(&self, mint: Mint) -> AuthInfo {
        self.auth.authenticate(&mint.sign()).await.unwrap()
    }

    pub(crate) async fn token_for(
        &self,
        caller: &AuthInfo,
    ) -> Result<DownstreamToken, DownstreamError> {
        self.auth.downstream("reports").token_for(caller).await
    }

    pub(crate) fn answer_wrongly(&self, mode: TokenMode) {
        self.issuer.set_mode(Mode::Token(mode));
    }

    pub(crate) fn clock_seconds(&self) -> u64 {
        self.clock.unix_seconds()
    }

    /// How often a token was asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.issuer.requests().token
    }
}

pub(crate) fn config(issuer: &str, reports: Value) -> Config {
    serde_json::from_value(json!({
        "resources": [{ "resource": RESOURCE, "authorization_servers": [issuer] }],
        "downstreams": { "reports": reports },
    }))
    .unwrap()
}

/// What a token says that the development issuer has made.
pub(crate) fn claims(token: &DownstreamToken) -> Value {
    use base64::Engine as _;
    let payload = token.expose().split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// The server over HTTP, with a handler that calls `reports` and answers 500 where there is no token.
pub(crate) async fn over_http(calling: &Calling, token: &str) -> Answer {
    async fn tool(State(auth): State<McpAuth>, caller: AuthInfo) -> Response {
        match auth.downstream("reports").token_for(&caller).await {
            Ok(token) => claims(&token)["sub"].as_str().unwrap().to_owned().into_response(),
            Err(error) => error.into_response(),
        }
    }
    let handler = post(tool).with_state(calling.auth.clone());
    let app = calling.auth.protect(handler);
    let request = Request::post("/mcp")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#))
        .unwrap();
    send(app, request).await
}

/// An HTTP client's service, which remembers with which tokens it was called, and answers with these statuses in turn.
#[derive(Clone, Default)]
pub(crate) struct Api {
    pub(crate) tokens: Arc<Mutex<Vec<Option<String>>>>,
    pub(crate) statuses: Arc<Mutex<Vec<StatusCode>>>,
}
