//! What users grant at other providers: shared parts of the tests.

mod answering_issuer;
mod attacks;
mod configuration;
mod limits;
#[cfg(all(unix, feature = "redis"))]
mod redis_vault;
mod tokens;

use std::path::PathBuf;

use dev_issuer::{DevClient, DevGitHub, DevIssuer};
use mcp_auth::downstream::{Downstream, DownstreamError, UrlElicitation};
use mcp_auth::{AuthInfo, Config, McpAuth};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{RESOURCE, TestClock, echo};

const KEY: &str = "a-key-of-32-characters-or-more-for-tests";

/// A server whose tools call GitHub for their callers, with pages on loopback.
struct Server {
    issuer: DevIssuer,
    github: DevGitHub,
    clock: TestClock,
    auth: McpAuth,
    origin: String,
    folder: PathBuf,
}

impl Server {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Value)) -> Self {
        let us = DevClient::new("us").secret("our-secret");
        let issuer = DevIssuer::builder()
            .clients([us])
            .auto_approve(true)
            .default_audience("elsewhere")
            .start()
            .await
            .unwrap();
        let github = DevGitHub::start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let number = listener.local_addr().unwrap().port();
        let folder =
            std::env::temp_dir().join(format!("mcp-auth-grants-{}-{number}", std::process::id()));
        let mut data = settings(&issuer, &github, &origin, &folder);
        change(&mut data);
        let config: Config = serde_json::from_value(data).unwrap();
        let clock = TestClock::new();
        let auth = McpAuth::builder(config).clock(clock.clone()).build().unwrap();
        let app = auth.protect(echo());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { issuer, github, clock, auth, origin, folder }
    }

    /// Another instance with the same folder and the same clock.
    fn another_instance(&self, change: impl FnOnce(&mut Value)) -> McpAuth {
        let mut data = settings(&self.issuer, &self.github, &self.origin, &self.folder);
        change(&mut data);
        let config: Config = serde_json::from_value(data).unwrap();
        McpAuth::builder(config).clock(self.clock.clone()).build().unwrap()
    }

    async fn caller(&self, subject: &str) -> AuthInfo {
        let token = self.issuer.mint().subject(subject).audience(RESOURCE).client_id("app");
        self.auth.authenticate(&token.expires_in(86_400).sign()).await.unwrap()
    }

    fn github(&self) -> Downstream {
        self.auth.downstream("github")
    }

    /// The link that a caller without a grant gets.
    async fn link_for(&self, subject: &str) -> UrlElicitation {
        let answer = self.github().token_for(&self.caller(subject).await).await;
        match answer {
            Err(DownstreamError::AuthorizationRequired(elicitation)) => elicitation,
            other => panic!("{other:?}"),
        }
    }

    /// Has a user connect their account.
    async fn connect(&self, subject: &str) {
        let link = self.link_for(subject).await;
        let page = Browser::of(self, subject).walk(&link.url).await;
        assert_eq!(page.status, 200, "{}", page.body);
    }

    async fn token(&self, subject: &str) -> Result<String, DownstreamError> {
        let token = self.github().token_for(&self.caller(subject).await).await?;
        Ok(token.expose().to_owned())
    }

    async fn is_connected(&self, subject: &str) -> bool {
        self.token(subject).await.is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may never have been written to.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn settings(issuer: &DevIssuer, github: &DevGitHub, origin: &str, folder: &PathBuf) -> Value {
    json!({
        "handle_keys": [KEY],
        "resources": [{ "resource": RESOURCE, "authorization_servers": [issuer.issuer()] }],
        "connect": {
            "url": format!("{origin}/connect"),
            "folder": folder,
            "sign_in": [{
                "issuer": issuer.issuer(), "client_id": "us", "client_secret": "our-secret",
            }],
        },
        "downstreams": { "github": {
            "grant": "authorization_code",
            "authorization_endpoint": github.authorization_endpoint(),
            "token_endpoint": github.token_endpoint(),
            "revocation_endpoint": github.revocation_endpoint(),
            "client_id": github.client_id(),
            "client_secret": github.client_secret(),
            "scopes": ["repo", "read:user"],
            "api": [github.origin()],
        } },
    })
}

/// The browser of a user who is signed in at the issuer.
struct Browser {
    http: reqwest::Client,
    origin: String,
    issuer: String,
    user: String,
    /// What our server has set.
    cookie: Option<String>,
}

/// What a browser got.
#[derive(Debug)]
struct Seen {
    status: u16,
    location: Option<String>,
    body: String,
    headers: reqwest::header::HeaderMap,
}

impl Browser {
    fn of(server: &Server, user: &str) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self {
            http,
            origin: server.origin.clone(),
            issuer: server.issuer.issuer().to_owned(),
            user: user.to_owned(),
            cookie: None,
        }
    }

    /// One step.
    async fn get(&mut self, url: &str) -> Seen {
        let is_ours = url.starts_with(&self.origin);
        let mut asked = url.to_owned();
        if url.starts_with(&self.issuer) {
            asked.push_str("&login_hint=");
            asked.push_str(&self.user);
        }
        let mut request = self.http.get(asked);
        if let Some(cookie) = self.cookie.as_ref().filter(|_| is_ours) {
            request = request.header("cookie", cookie);
        }
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        if let Some(set) = headers.get("set-cookie").filter(|_| is_ours) {
            let pair = set.to_str().unwrap().split(';').next();
            self.cookie = pair.map(str::to_owned);
        }
        let location = headers.get("location").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        Seen { status, location, body: response.text().await.unwrap(), headers }
    }

    /// Goes on until there is no redirect any more.
    async fn walk(&mut self, url: &str) -> Seen {
        self.walk_to(url, "no such URL").await
    }

    /// Where it is sent back to this page of ours, without going there.
    async fn walk_to_page(&mut self, page: &str, url: &str) -> String {
        let end = format!("{}/connect/github/{page}", self.origin);
        self.walk_to(url, &end).await.location.unwrap()
    }

    /// Goes on until a redirect leads to a URL that begins so, and is not followed.
    async fn walk_to(&mut self, url: &str, end: &str) -> Seen {
        let mut next = url.to_owned();
        for _ in 0..10 {
            let seen = self.get(&next).await;
            match &seen.location {
                Some(location) if !location.starts_with(end) => next = location.clone(),
                _ => return seen,
            }
        }
        panic!("it goes round in circles: {next}")
    }
}
