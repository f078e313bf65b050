//! Keycloak with the realms of `xtask/providers/keycloak/`.

mod exchange;
mod signals;

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use mcp_auth::settings::BackChannelLogout;
use mcp_auth::{AuthorizationServer, Introspection};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::flow::{Http, Issuer, REDIRECT_URI, claims, header, text};
use super::{Server, provider_url};
use crate::support::{RESOURCE, request, send};

const ALICE: &[(&str, &str)] = &[("username", "alice"), ("password", "alice-password")];
/// Asks for the client scope that has the audience mapper.
const MCP: &[(&str, &str)] = &[("scope", "mcp")];
const OPENID_MCP: &[(&str, &str)] = &[("scope", "openid mcp")];

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn client_credentials_are_accepted_for_the_resource_alone() {
    let realm = realm("mcp").await;
    let server = Server::trusting(&realm.issuer);
    let answer = server.call(&realm.client_credentials("machine", MCP).await).await;
    assert_eq!(answer.code(), "ok", "{:?}", answer.error);
    let seen = answer.json();
    assert_eq!(seen["client_id"], "machine");
    assert_eq!(seen["scopes"], json!(["mcp"]));
    assert!(seen["audience"].as_array().unwrap().contains(&json!(RESOURCE)));

    let for_nobody = realm.client_credentials("machine", &[]).await;
    assert_eq!(server.code(&for_nobody).await, "missing_claim");
    let for_another = realm.client_credentials("machine", &[("scope", "another")]).await;
    assert_eq!(server.code(&for_another).await, "wrong_audience");
    let in_another_realm = self::realm("other").await.client_credentials("machine", MCP).await;
    assert_eq!(server.code(&in_another_realm).await, "unknown_issuer");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn a_person_signs_in_and_only_the_access_token_is_accepted() {
    let realm = realm("mcp").await;
    let server = Server::trusting(&realm.issuer);
    let tokens = realm.sign_in("app", OPENID_MCP, &[], ALICE).await;
    let access_token = text(&tokens["access_token"]);
    let answer = server.call(&access_token).await;
    assert_eq!(answer.code(), "ok", "{:?}", answer.error);
    assert_eq!(answer.json()["client_id"], "app");
    assert_eq!(server.code(&text(&tokens["id_token"])).await, "wrong_type");
    // HS512, for Keycloak itself.
    let refresh_token = text(&tokens["refresh_token"]);
    assert_eq!(server.code(&refresh_token).await, "algorithm_not_allowed");

    let refreshed = [("grant_type", "refresh_token"), ("client_id", "app")];
    let refreshed =
        realm.token(&[&refreshed[..], &[("refresh_token", &refresh_token)]].concat()).await;
    assert_eq!(server.code(&text(&refreshed["access_token"])).await, "ok");

    // The test's clock stood still while the token was made.
    server.clock.advance(tokens["expires_in"].as_u64().unwrap() + 3600);
    assert_eq!(server.code(&access_token).await, "expired");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn every_algorithm_is_verified() {
    let realm = realm("mcp").await;
    let mut tokens = Vec::new();
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let client = format!("machine-{}", algorithm.to_lowercase());
        let token = realm.client_credentials(&client, MCP).await;
        assert_eq!(header(&token)["alg"], algorithm);
        tokens.push((algorithm, token));
    }
    // Keycloak makes a key when it is first needed, and our budget is four fetches in a burst.
    let server = Server::trusting(&realm.issuer);
    for (algorithm, token) in &tokens {
        assert_eq!(server.code(token).await, "ok", "{algorithm}");
    }
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn a_client_that_registered_itself_gets_tokens_for_the_resource() {
    let realm = realm("mcp").await;
    let server = Server::trusting(&realm.issuer);
    let admin = Admin::sign_in().await;
    let initial = admin.post("mcp/clients-initial-access", json!({ "count": 1 })).await;
    let client = realm.register(Some(&text(&initial["token"])), "mcp").await;
    let person = [ALICE, &[("accept", "Yes")]].concat();
    let tokens = realm.sign_in(&client, MCP, &[], &person).await;
    let answer = server.call(&text(&tokens["access_token"])).await;
    assert_eq!(answer.code(), "ok", "{:?}", answer.error);
    assert_eq!(answer.json()["client_id"], client);
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn a_rotation_is_followed_at_once() {
    let realm = realm("other").await;
    let server = Server::trusting(&realm.issuer);
    let before = realm.client_credentials("machine", MCP).await;
    assert_eq!(server.code(&before).await, "ok");

    let admin = Admin::sign_in().await;
    let providers = "other/components?type=org.keycloak.keys.KeyProvider";
    let old = admin.get(providers).await;
    let old = old.as_array().unwrap().iter().find(|one| one["providerId"] == "rsa-generated");
    let mut old = old.unwrap().clone();
    let mut new = old.clone();
    new.as_object_mut().unwrap().retain(|name, _| name != "id");
    new["name"] = json!("the next key");
    new["config"] = json!({ "priority": ["200"], "algorithm": ["RS256"] });
    admin.post("other/components", new).await;
    let after = realm.client_credentials("machine", MCP).await;
    assert_ne!(header(&after)["kid"], header(&before)["kid"]);
    assert_eq!(server.code(&after).await, "ok", "the new key is fetched");
    assert_eq!(server.code(&before).await, "ok", "the old key is still published");

    old["config"]["enabled"] = json!(["false"]);
    old["config"]["active"] = json!(["false"]);
    let path = format!("other/components/{}", text(&old["id"]));
    admin.send(Method::PUT, &path, old).await;
    let fresh = Server::trusting(&realm.issuer);
    assert_eq!(fresh.code(&before).await, "unknown_key", "the old key is gone");
    assert_eq!(fresh.code(&after).await, "ok");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn a_lightweight_token_is_completed_by_introspection() {
    let realm = realm("mcp").await;
    let token = realm.client_credentials("machine-lightweight", MCP).await;
    let server = Server::asking(&realm.issuer, introspection());
    let answer = server.call(&token).await;
    assert_eq!(answer.code(), "ok", "{:?}", answer.error);
    assert_eq!(answer.json()["scopes"], json!(["mcp"]));
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn after_a_logout_the_access_token_is_inactive_and_the_logout_token_is_no_access_token() {
    let realm = realm("mcp").await;
    let mut logouts = Logouts::listen().await;
    let admin = Admin::sign_in().await;
    let client = json!({
        "clientId": "app-with-logout",
        "publicClient": true,
        "redirectUris": [REDIRECT_URI],
        "attributes": { "backchannel.logout.url": logouts.url },
        "optionalClientScopes": ["mcp"],
    });
    admin.post("mcp/clients", client).await;
    let tokens = realm.sign_in("app-with-logout", OPENID_MCP, &[], ALICE).await;
    let access_token = text(&tokens["access_token"]);
    let server = Server::asking(&realm.issuer, introspection());
    assert_eq!(server.code(&access_token).await, "ok");

    let session = text(&claims(&access_token)["sid"]);
    admin.send(Method::DELETE, &format!("mcp/sessions/{session}"), json!({})).await;
    assert_eq!(server.code(&access_token).await, "inactive");
    let trusting = Server::trusting(&realm.issuer);
    assert_eq!(trusting.code(&access_token).await, "ok", "nobody asks");
    assert_eq!(trusting.code(&logouts.next().await).await, "wrong_type");
}

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn a_session_that_an_administrator_ends_is_over_at_the_next_request() {
    let realm = realm("mcp").await;
    let mut trusted = AuthorizationServer::new(&*realm.issuer);
    trusted.back_channel_logout = Some(BackChannelLogout::new(["app-told-of-logout"]));
    let server = Server::with(trusted);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/backchannel-logout", listener.local_addr().unwrap());
    let app = server.app.clone();
    tokio::spawn(async { axum::serve(listener, app).await });
    let admin = Admin::sign_in().await;
    let client = json!({
        "clientId": "app-told-of-logout",
        "publicClient": true,
        "redirectUris": [REDIRECT_URI],
        "attributes": { "backchannel.logout.url": url, "backchannel.logout.session.required": "true" },
        "optionalClientScopes": ["mcp"],
    });
    admin.post("mcp/clients", client).await;
    let [ended, other] = [
        realm.sign_in("app-told-of-logout", OPENID_MCP, &[], ALICE).await,
        realm.sign_in("app-told-of-logout", OPENID_MCP, &[], ALICE).await,
    ];
    let [ended, other] = [text(&ended["access_token"]), text(&other["access_token"])];
    assert_eq!([server.code(&ended).await, server.code(&other).await], ["ok", "ok"]);

    let (opened, mut opening) = mpsc::unbounded_channel();
    let streams = server.auth.protect(get(move || {
        opened.send(()).unwrap();
        ready(([(CONTENT_TYPE, "text/event-stream")], Body::new(Endless)))
    }));
    let [ended_stream, other_stream] = [&ended, &other].map(|token| {
        let bearer = format!("Bearer {token}");
        let listening = request("GET", "/mcp", &[("authorization", &bearer)]);
        tokio::spawn(send(streams.clone(), listening))
    });
    for _ in 0..2 {
        opening.recv().await.unwrap();
    }

    let session = text(&claims(&ended)["sid"]);
    let started = Instant::now();
    admin.send(Method::DELETE, &format!("mcp/sessions/{session}"), json!({})).await;
    let answered = started.elapsed();
    while server.code(&ended).await == "ok" {
        tokio::task::yield_now().await;
    }
    let refused = started.elapsed();
    ended_stream.await.unwrap();
    eprintln!(
        "after the administrator's click: answered {:.3} s, 401 {:.3} s, end of the stream {:.3} s",
        answered.as_secs_f64(),
        refused.as_secs_f64(),
        started.elapsed().as_secs_f64()
    );
    assert!(!other_stream.is_finished());
    other_stream.abort();
    assert_eq!(server.code(&ended).await, "revoked");
    assert_eq!(server.code(&other).await, "ok", "another session of the same person");
}

/// The body of a stream that says nothing.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }
}

async fn realm(name: &str) -> Issuer {
    Issuer::discover(format!("{}/realms/{name}", provider_url())).await
}

/// Every JWT is asked about, each time.
fn introspection() -> Introspection {
    let mut introspection = Introspection::new("resource-server", "resource-server-secret");
    introspection.also_jwts = true;
    introspection.cache_max_age = Duration::ZERO;
    introspection
}

/// Keycloak's own REST interface.
struct Admin {
    http: Http,
    token: String,
}

impl Admin {
    async fn sign_in() -> Self {
        let fields = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", "admin"),
            ("password", "admin"),
        ];
        let answer = realm("master").await.token(&fields).await;
        Self { http: Http::new(), token: text(&answer["access_token"]) }
    }

    async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.send(Method::POST, path, body).await
    }

    /// The answer, null when it is empty.
    async fn send(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}/admin/realms/{path}", provider_url());
        let page = self.http.send_json(method, &url, Some(&self.token), &body).await;
        if page.status.is_success() && page.body.is_empty() { Value::Null } else { page.json() }
    }
}

/// An application that is told when a session ends (OpenID Connect Back-Channel Logout 1.0).
struct Logouts {
    url: String,
    received: mpsc::UnboundedReceiver<String>,
}

impl Logouts {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, received) = mpsc::unbounded_channel();
        let app =
            Router::new().route("/", post(async move |body: String| sender.send(body).unwrap()));
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { url, received }
    }

    /// The logout token that comes next.
    async fn next(&mut self) -> String {
        let body = self.received.recv().await.unwrap();
        body.strip_prefix("logout_token=").unwrap().to_owned()
    }
}
