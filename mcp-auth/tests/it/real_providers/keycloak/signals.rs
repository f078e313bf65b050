//! Keycloak as a transmitter of Shared Signals, which pushes security events to the server.

use std::future::ready;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use mcp_auth::AuthorizationServer;
use mcp_auth::settings::SharedSignals;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::flow::{Http, Issuer, claims, text};
use super::super::{Server, provider_url};
use super::{ALICE, Admin, Endless, OPENID_MCP, realm};
use crate::support::{request, send};

const BOB: &[(&str, &str)] = &[("username", "bob"), ("password", "bob-password")];
/// The audience of the stream, which we choose.
const STREAM: &str = "https://mcp.example.com";
const AUTHORIZATION: &str = "Bearer of-the-stream";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
/// Keycloak that sends nothing at all is a failure, after a time that is many times the one after which it sends.
const NEVER: Duration = Duration::from_secs(90);

#[tokio::test]
#[ignore = "needs a provider: cargo xtask test --only provider-keycloak"]
async fn security_events_that_keycloak_pushes_end_tokens_and_streams() {
    let realm = realm("mcp").await;
    let mut receiver = Receiver::start(&realm).await;
    let admin = Admin::sign_in().await;
    receiver.register_at(&admin).await;

    let [first, second] = [bob(&realm).await, bob(&realm).await];
    let alice = access_token(&realm.sign_in("app", OPENID_MCP, &[], ALICE).await);
    let streams =
        [receiver.open_stream(&first.access).await, receiver.open_stream(&second.access).await];
    receiver.expect(&[&first.access, &second.access, &alice], ["ok"; 3]).await;

    // An administrator ends all sessions of a user.
    let path = format!("mcp/users/{}", text(&claims(&first.access)["sub"]));
    let started = Instant::now();
    admin.post(&format!("{path}/logout"), json!({})).await;
    let answered = started.elapsed();
    receiver.accepted().await;
    let refused = started.elapsed();
    let ended_at = SystemTime::now();
    receiver.expect(&[&first.access, &second.access, &alice], ["revoked", "revoked", "ok"]).await;
    for stream in streams {
        stream.await.unwrap();
    }
    eprintln!(
        "after the administrator's click: answered {:.3} s, 401 {:.3} s, end of the streams {:.3} s",
        answered.as_secs_f64(),
        refused.as_secs_f64(),
        started.elapsed().as_secs_f64()
    );

    // A person who signs out ends the session that they are in, and no other.
    let [third, fourth] = [bob_after(&ended_at, &realm).await, bob(&realm).await];
    receiver.expect(&[&third.access, &fourth.access], ["ok", "ok"]).await;
    let url = format!("{}/protocol/openid-connect/logout", realm.issuer);
    let fields = [("client_id", "app"), ("refresh_token", &third.refresh)];
    assert_eq!(Http::new().post_form(&url, &fields).await.status, StatusCode::NO_CONTENT);
    receiver.accepted().await;
    receiver.expect(&[&third.access, &fourth.access], ["revoked", "ok"]).await;

    // Another password ends all that was issued before.
    let password = json!({ "type": "password", "value": "bob-password", "temporary": false });
    admin.send(Method::PUT, &format!("{path}/reset-password"), password).await;
    receiver.accepted().await;
    receiver.expect(&[&fourth.access, &alice], ["revoked", "ok"]).await;
}

/// What a person gets who signs in.
struct SignedIn {
    access: String,
    refresh: String,
}

async fn bob(realm: &Issuer) -> SignedIn {
    let tokens = realm.sign_in("app", OPENID_MCP, &[], BOB).await;
    SignedIn { access: access_token(&tokens), refresh: text(&tokens["refresh_token"]) }
}

/// Signs in again: a token that was issued in the second in which others ended would end with them.
async fn bob_after(ended_at: &SystemTime, realm: &Issuer) -> SignedIn {
    let ended_at = ended_at.duration_since(UNIX_EPOCH).unwrap().as_secs();
    loop {
        let signed_in = bob(realm).await;
        if claims(&signed_in.access)["iat"].as_u64().unwrap() > ended_at {
            return signed_in;
        }
    }
}

fn access_token(tokens: &Value) -> String {
    text(&tokens["access_token"])
}

/// A server that security events are pushed to.
struct Receiver {
    server: Server,
    url: String,
    /// How each was answered.
    answers: mpsc::UnboundedReceiver<StatusCode>,
}

impl Receiver {
    async fn start(realm: &Issuer) -> Self {
        let mut trusted = AuthorizationServer::new(&*realm.issuer);
        let mut signals = SharedSignals::new([STREAM]);
        signals.authorization = Some(AUTHORIZATION.into());
        trusted.shared_signals = Some(signals);
        let server = Server::with(trusted);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/shared-signals", listener.local_addr().unwrap());
        let (sender, answers) = mpsc::unbounded_channel();
        let app = server.app.clone().layer(from_fn(move |request: Request, next: Next| {
            let sender = sender.clone();
            async move {
                let response: Response = next.run(request).await;
                sender.send(response.status()).unwrap();
                response
            }
        }));
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { server, url, answers }
    }

    /// Sets up the stream, as an administrator does, and waits until Keycloak has verified it.
    async fn register_at(&mut self, admin: &Admin) {
        let client = json!({
            "clientId": "mcp-server",
            "secret": "mcp-server-secret",
            "serviceAccountsEnabled": true,
            "standardFlowEnabled": false,
            "attributes": {
                "ssf.enabled": "true",
                "ssf.validPushUrls": self.url,
                "ssf.streamAudience": STREAM,
                "ssf.defaultSubjects": "ALL",
                "ssf.autoVerifyStream": "false",
            },
        });
        admin.post("mcp/clients", client).await;
        let stream = json!({
            "delivery": {
                "method": "urn:ietf:rfc:8935",
                "endpoint_url": self.url,
                "authorization_header": AUTHORIZATION,
            },
            "events_requested": [format!("{CAEP}session-revoked"), format!("{CAEP}credential-change")],
        });
        let stream = admin.post("mcp/ssf/clients/mcp-server/stream", stream).await;
        assert_eq!(stream["audience"], json!([STREAM]), "{stream}");
        admin.post("mcp/ssf/clients/mcp-server/stream/verify", json!({})).await;
        self.accepted().await;
    }

    /// Waits for the next event.
    async fn accepted(&mut self) {
        let answer = timeout(NEVER, self.answers.recv()).await.expect("Keycloak sends nothing");
        assert_eq!(answer, Some(StatusCode::ACCEPTED), "of {}", provider_url());
    }

    async fn expect<const N: usize>(&self, tokens: &[&String; N], codes: [&str; N]) {
        for (token, code) in tokens.iter().zip(codes) {
            assert_eq!(self.server.code(token).await, code);
        }
    }

    /// A stream that this token has opened. It goes on until the server ends it.
    async fn open_stream(&self, token: &str) -> tokio::task::JoinHandle<()> {
        let (opened, mut opening) = mpsc::unbounded_channel();
        let streams = self.server.auth.protect(get(move || {
            opened.send(()).unwrap();
            ready(([(CONTENT_TYPE, "text/event-stream")], Body::new(Endless)))
        }));
        let bearer = format!("Bearer {token}");
        let stream = tokio::spawn(async move {
            send(streams, request("GET", "/mcp", &[("authorization", &bearer)])).await;
        });
        opening.recv().await.unwrap();
        stream
    }
}
