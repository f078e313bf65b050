//! Sessions of a server that keeps them, behind the layer: each belongs to whoever began it.

use std::sync::atomic::{AtomicBool, Ordering};

use mcp_auth::settings::Secret;
use reqwest::{Method, StatusCode};
use tower::ServiceExt as _;

use super::*;

const KEYS: [&str; 2] =
    ["new-0123456789-0123456789-0123456789", "old-0123456789-0123456789-0123456789"];

/// Two instances in front of one server, which has the sessions of both.
struct Instances {
    issuer: DevIssuer,
    resource: String,
    addresses: Vec<SocketAddr>,
}

impl Instances {
    async fn start(configure: &[fn(&mut Config)]) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let resource = "http://127.0.0.1/mcp".to_owned();
        let mut service = None;
        let mut addresses = Vec::new();
        for change in configure {
            let mut config = Config::new(&resource, issuer.issuer()).unwrap();
            change(&mut config);
            let auth = McpAuth::new(config).unwrap();
            let service = service.get_or_insert_with(|| mcp_service(&auth, 1)).clone();
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            addresses.push(serve(listener, auth.protect(service)));
        }
        Self { issuer, resource, addresses }
    }

    fn token(&self, user: &str, client: &str) -> String {
        self.issuer.mint().subject(user).client_id(client).audience(&self.resource).sign()
    }

    /// The status of a request in this session, and the session that the answer names.
    async fn send(
        &self,
        instance: usize,
        method: Method,
        token: &str,
        session: Option<&str>,
        body: Option<Value>,
    ) -> (StatusCode, Option<String>) {
        let url = format!("http://{}/mcp", self.addresses[instance]);
        let mut request = reqwest::Client::new()
            .request(method, url)
            .bearer_auth(token)
            .header("accept", "application/json, text/event-stream");
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let named = answer.headers().get("mcp-session-id");
        (answer.status(), named.map(|value| value.to_str().unwrap().to_owned()))
    }

    async fn begin(&self, instance: usize, token: &str) -> String {
        let initialize = json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": { "name": "test", "version": "1" },
            },
        });
        let (status, session) =
            self.send(instance, Method::POST, token, None, Some(initialize)).await;
        assert_eq!(status, StatusCode::OK);
        let session = session.unwrap();
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let (status, _) =
            self.send(instance, Method::POST, token, Some(&session), Some(initialized)).await;
        assert_eq!(status, StatusCode::ACCEPTED);
        session
    }

    async fn list(&self, instance: usize, token: &str, session: &str) -> StatusCode {
        let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
        self.send(instance, Method::POST, token, Some(session), Some(list)).await.0
    }
}

fn with_both_keys(config: &mut Config) {
    config.handle_keys = KEYS.map(Secret::from).to_vec();
}

fn with_old_key(config: &mut Config) {
    config.handle_keys = vec![KEYS[1].into()];
}

fn with_new_key(config: &mut Config) {
    config.handle_keys = vec![KEYS[0].into()];
}

fn with_unbound_sessions(config: &mut Config) {
    config.resources[0].dangerous_unbound_sessions = true;
}

#[tokio::test]
async fn a_session_is_of_whoever_began_it() {
    let server = Instances::start(&[|_| {}]).await;
    let alice = server.token("alice", "app");
    let session = server.begin(0, &alice).await;
    assert_eq!(server.list(0, &alice, &session).await, StatusCode::OK);
    // The token was renewed.
    let renewed = server.token("alice", "app");
    assert_eq!(server.list(0, &renewed, &session).await, StatusCode::OK);

    let (raw, tag) = session.rsplit_once('.').unwrap();
    let bob = server.token("bob", "app");
    let of_bob = server.begin(0, &bob).await;
    let (_, tag_of_bob) = of_bob.rsplit_once('.').unwrap();
    let strangers = [
        (&bob, session.clone()),
        (&server.token("alice", "another"), session.clone()),
        (&bob, raw.to_owned()),
        (&bob, format!("{raw}.{tag_of_bob}")),
        (&alice, raw.to_owned()),
        (&alice, format!("{raw}.{}", &tag[1..])),
        (&alice, of_bob.clone()),
        (&alice, "unknown".to_owned()),
        (&alice, format!("unknown.{tag}")),
    ];
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    for (token, named) in strangers {
        for (method, body) in
            [(Method::POST, Some(list.clone())), (Method::GET, None), (Method::DELETE, None)]
        {
            let (status, told) = server.send(0, method.clone(), token, Some(&named), body).await;
            assert_eq!((status, told), (StatusCode::NOT_FOUND, None), "{method} {named}");
        }
    }
    assert_eq!(server.list(0, &alice, &session).await, StatusCode::OK, "nobody ended it");

    let (status, _) = server.send(0, Method::DELETE, &alice, Some(&session), None).await;
    assert!(status.is_success(), "{status}");
    assert_eq!(server.list(0, &alice, &session).await, StatusCode::NOT_FOUND);
    assert_eq!(server.list(0, &bob, &of_bob).await, StatusCode::OK);
}

/// What the layer is there for: rmcp does not look whose a session is.
#[tokio::test]
async fn where_sessions_are_not_bound_anybody_may_end_them() {
    let server = Instances::start(&[with_unbound_sessions]).await;
    let (alice, bob) = (server.token("alice", "app"), server.token("bob", "app"));
    let session = server.begin(0, &alice).await;
    assert_eq!(server.list(0, &bob, &session).await, StatusCode::OK);
    server.send(0, Method::DELETE, &bob, Some(&session), None).await;
    assert_eq!(server.list(0, &alice, &session).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn instances_with_the_same_keys_know_each_others_sessions() {
    let configure = [with_old_key as fn(&mut Config), with_both_keys, with_new_key, |_| {}];
    let server = Instances::start(&configure).await;
    let alice = server.token("alice", "app");
    let bob = server.token("bob", "app");
    let opened_by = [[true, true, false, false], [false, true, true, false]];
    for (beginning, opens) in opened_by.into_iter().enumerate() {
        let session = server.begin(beginning, &alice).await;
        for (instance, opens) in opens.into_iter().enumerate() {
            let expected = if opens { StatusCode::OK } else { StatusCode::NOT_FOUND };
            assert_eq!(server.list(instance, &alice, &session).await, expected);
            assert_eq!(server.list(instance, &bob, &session).await, StatusCode::NOT_FOUND);
        }
    }
}

/// A client whose session is of another time, such as before a restart, begins a new one.
#[tokio::test]
async fn rmcp_clients_begin_anew_where_the_keys_are_gone() {
    let issuer = DevIssuer::start().await.unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
    let config = Config::new(&resource, issuer.issuer()).unwrap();
    let before = McpAuth::new(config.clone()).unwrap();
    let after = McpAuth::new(config).unwrap();
    let mcp = mcp_service(&before, 1);
    let apps = [before.protect(mcp.clone()), after.protect(mcp)];
    let is_restarted = Arc::new(AtomicBool::new(false));
    let restarted = is_restarted.clone();
    let app = Router::new().fallback(move |request: axum::extract::Request| {
        let app = apps[usize::from(restarted.load(Ordering::SeqCst))].clone();
        async move { app.oneshot(request).await }
    });
    serve(listener, app);

    let token = issuer.mint().subject("alice").audience(&resource).sign();
    let config = StreamableHttpClientTransportConfig::with_uri(&*resource).auth_header(token);
    let transport = StreamableHttpClientTransport::from_config(config);
    let client = ().serve_with_lifecycle(transport, ClientLifecycleMode::Initialize).await.unwrap();
    assert_eq!(Kind::Tool.ask(&client).await.unwrap(), "alice");
    is_restarted.store(true, Ordering::SeqCst);
    assert_eq!(Kind::Tool.ask(&client).await.unwrap(), "alice");
}
