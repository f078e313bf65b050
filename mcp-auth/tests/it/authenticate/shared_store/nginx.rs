//! nginx in front of two instances, one after the other: sessions, rotation of keys, revocation, streams.

use std::collections::HashSet;
use std::convert::Infallible;
use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode};
use axum::routing::any_service;
use dev_issuer::DevIssuer;
use futures_util::stream::{self, StreamExt as _};
use mcp_auth::revocation::Revocation;
use mcp_auth::settings::Secret;
use mcp_auth::{Config, McpAuth};
use tokio::net::TcpListener;
use tower::service_fn;

use super::{EVENT, RETRY, mint, redis_store};
use crate::support::RESOURCE;
use crate::support::redis::{Redis, free_port, is_there, wait_until};

/// What a server behind us remembers, in a place that its instances share.
#[derive(Clone, Default)]
struct Sessions {
    known: Arc<Mutex<HashSet<String>>>,
    given: Arc<AtomicUsize>,
    /// How many requests each instance had.
    served: [Arc<AtomicUsize>; 2],
}

impl Sessions {
    /// What the server answers: a POST without a session begins one, a GET is a stream, a DELETE ends it.
    fn answer(&self, instance: usize, request: &Request<Body>) -> Response<Body> {
        self.served[instance].fetch_add(1, Ordering::Relaxed);
        let mut known = self.known.lock().unwrap();
        let named = request.headers().get("mcp-session-id").map(|id| id.to_str().unwrap());
        let (status, session) = match (request.method(), named) {
            (&Method::POST, None) => {
                let number = self.given.fetch_add(1, Ordering::Relaxed);
                known.insert(format!("session-{number}"));
                (StatusCode::OK, Some(format!("session-{number}")))
            }
            (&Method::DELETE, Some(id)) if known.remove(id) => (StatusCode::NO_CONTENT, None),
            (_, Some(id)) if known.contains(id) => (StatusCode::OK, None),
            _ => (StatusCode::NOT_FOUND, None),
        };
        let is_stream = request.method() == Method::GET && status == StatusCode::OK;
        let mut response = Response::builder().status(status);
        if let Some(id) = session {
            response = response.header("mcp-session-id", id);
        }
        if !is_stream {
            let body = Body::from(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
            return response.header("content-type", "application/json").body(body).unwrap();
        }
        let sent = Ok::<_, Infallible>(Bytes::from_static(EVENT.as_bytes()));
        let body = stream::once(async { sent }).chain(stream::pending());
        let events = response.header("content-type", "text/event-stream");
        events.body(Body::from_stream(body)).unwrap()
    }
}

/// nginx, ended with this.
struct Nginx {
    process: Child,
    folder: PathBuf,
    url: String,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Nginx {
    /// In front of these, one after the other.
    async fn start(instances: [SocketAddr; 2]) -> Self {
        loop {
            let mut nginx = Self::at(free_port(), instances);
            if nginx.has_begun().await {
                return nginx;
            }
            // Something else has taken the port in between.
        }
    }

    /// Whether it answers after its start; else it has ended.
    async fn has_begun(&mut self) -> bool {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let mut has_ended = false;
        wait_until(async || {
            has_ended = self.process.try_wait().unwrap().is_some();
            has_ended || is_by_nginx(client.get(&self.url).send().await)
        })
        .await;
        !has_ended
    }

    fn at(port: u16, instances: [SocketAddr; 2]) -> Self {
        let folder = env::temp_dir().join(format!("mcp-auth-nginx-{}-{port}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let [first, second] = instances;
        let at = folder.display();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log stderr warn;
            events {{ worker_connections 64; }}
            http {{
              access_log off;
              client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
              uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
              upstream mcp {{ server {first} max_fails=0; server {second} max_fails=0; }}
              server {{
                listen 127.0.0.1:{port};
                location / {{
                  proxy_pass http://mcp; proxy_http_version 1.1; proxy_set_header Connection '';
                  proxy_set_header Host $host; proxy_buffering off; proxy_read_timeout 1h;
                }}
              }}
            }}"
        );
        let file = folder.join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(&file).arg("-e").arg("stderr");
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { process, folder, url: format!("http://127.0.0.1:{port}/mcp") }
    }
}

fn is_by_nginx(answer: reqwest::Result<reqwest::Response>) -> bool {
    let Ok(response) = answer else { return false };
    response.headers().get("server").is_some_and(|name| name.as_bytes().starts_with(b"nginx"))
}

/// Two instances behind nginx, which may be made anew with other keys.
struct Cluster {
    issuer: DevIssuer,
    redis: Redis,
    sessions: Sessions,
    instances: [Instance; 2],
    client: reqwest::Client,
    nginx: Nginx,
}

/// What answers for one instance.
#[derive(Clone)]
struct Instance(Arc<Mutex<axum::Router>>);

impl Cluster {
    async fn start(keys: &[&str]) -> Option<Self> {
        if !is_there("nginx") {
            return None;
        }
        let redis = Redis::start().await?;
        let issuer = DevIssuer::start().await.unwrap();
        let mut addresses = Vec::new();
        let instances = [(); 2].map(|()| Instance(Arc::default()));
        for Instance(router) in &instances {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            let current = router.clone();
            let app = any_service(service_fn(move |request: Request<Body>| {
                let app = current.lock().unwrap().clone();
                tower::ServiceExt::oneshot(app, request)
            }));
            let app = axum::Router::new().route("/mcp", app);
            tokio::spawn(async move { axum::serve(listener, app).await });
        }
        let nginx = Nginx::start([addresses[0], addresses[1]]).await;
        let (client, sessions) = (reqwest::Client::new(), Sessions::default());
        let cluster = Self { issuer, redis, sessions, instances, client, nginx };
        cluster.restart(0, keys);
        cluster.restart(1, keys);
        Some(cluster)
    }

    /// Makes one instance anew, with these keys.
    fn restart(&self, instance: usize, keys: &[&str]) -> McpAuth {
        let mut config = Config::new(RESOURCE, self.issuer.issuer()).unwrap();
        config.handle_keys = keys.iter().map(|key| Secret::new(key.repeat(32))).collect();
        config.shared_store = Some(redis_store(self.redis.url()));
        let auth = McpAuth::new(config).unwrap();
        let sessions = self.sessions.clone();
        let server = any_service(service_fn(move |request: Request<Body>| {
            let answer = sessions.answer(instance, &request);
            async { Ok::<_, Infallible>(answer) }
        }));
        *self.instances[instance].0.lock().unwrap() = auth.protect(server);
        auth
    }

    async fn send(&self, method: Method, token: &str, session: Option<&str>) -> reqwest::Response {
        let mut request = self.client.request(method.clone(), &self.nginx.url).bearer_auth(token);
        request = request.header("accept", "application/json, text/event-stream");
        if let Some(id) = session {
            request = request.header("mcp-session-id", id);
        }
        if method == Method::POST {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
            request = request.header("content-type", "application/json").body(body);
        }
        request.send().await.unwrap()
    }

    /// The statuses of as many requests as reach both instances.
    async fn statuses(&self, method: Method, token: &str, session: Option<&str>) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(self.send(method.clone(), token, session).await.status().as_u16());
        }
        statuses
    }

    async fn begin(&self, token: &str) -> String {
        let begun = self.send(Method::POST, token, None).await;
        begun.headers()["mcp-session-id"].to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_session_is_its_owners_through_both_instances_and_nobody_elses() {
    let Some(cluster) = Cluster::start(&["k"]).await else { return };
    let issuer = &cluster.issuer;
    let alice = mint(issuer, "alice").sign();
    let refreshed = mint(issuer, "alice").claim("jti", "another").sign();
    let session = cluster.begin(&alice).await;
    for (method, token) in
        [(Method::POST, &alice), (Method::POST, &refreshed), (Method::GET, &alice)]
    {
        let statuses = cluster.statuses(method, token, Some(&session)).await;
        assert_eq!(statuses, [200; 4]);
    }
    let strangers = [mint(issuer, "bob").sign(), mint(issuer, "alice").client_id("another").sign()];
    for stranger in strangers {
        for method in [Method::POST, Method::GET, Method::DELETE] {
            let statuses = cluster.statuses(method, &stranger, Some(&session)).await;
            assert_eq!(statuses, [404; 4]);
        }
    }
    let resumed = cluster.client.get(&cluster.nginx.url).bearer_auth(&alice);
    let resumed = resumed.header("mcp-session-id", &session).header("last-event-id", "1");
    assert_eq!(resumed.send().await.unwrap().status(), 200);
    assert_eq!(cluster.send(Method::DELETE, &alice, Some(&session)).await.status(), 204);
    assert_eq!(cluster.statuses(Method::POST, &alice, Some(&session)).await, [404; 4]);
    for served in &cluster.sessions.served {
        assert!(served.load(Ordering::Relaxed) > 3, "nginx takes one after the other");
    }
}

#[tokio::test]
async fn keys_are_rotated_in_three_rounds_and_no_session_ends() {
    let Some(cluster) = Cluster::start(&["a"]).await else { return };
    let alice = mint(&cluster.issuer, "alice").sign();
    let old = cluster.begin(&alice).await;
    let mut begun = vec![old.clone()];
    let rounds: [&[&str]; 2] = [&["a", "b"], &["b", "a"]];
    for keys in rounds {
        for instance in 0..2 {
            cluster.restart(instance, keys);
            begun.extend([cluster.begin(&alice).await, cluster.begin(&alice).await]);
            for session in &begun {
                let statuses = cluster.statuses(Method::POST, &alice, Some(session)).await;
                assert_eq!(statuses, [200; 4]);
            }
        }
    }
    let new = cluster.begin(&alice).await;
    for instance in 0..2 {
        cluster.restart(instance, &["b"]);
        assert_eq!(cluster.statuses(Method::POST, &alice, Some(&new)).await, [200; 4]);
    }
    // Of the key that is gone.
    assert_eq!(cluster.statuses(Method::POST, &alice, Some(&old)).await, [404; 4]);
}

#[tokio::test]
async fn a_revocation_ends_streams_and_sessions_through_nginx() {
    let Some(cluster) = Cluster::start(&["k"]).await else { return };
    let issuer = &cluster.issuer;
    let (alice, bob) = (mint(issuer, "alice").sign(), mint(issuer, "bob").sign());
    let (of_alice, of_bob) = (cluster.begin(&alice).await, cluster.begin(&bob).await);
    // One at each instance.
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = cluster.send(Method::GET, &alice, Some(&of_alice)).await;
        assert_eq!(stream.chunk().await.unwrap().unwrap(), EVENT);
        streams.push(stream);
    }
    let mut other = cluster.send(Method::GET, &bob, Some(&of_bob)).await;
    assert_eq!(other.chunk().await.unwrap().unwrap(), EVENT);
    // On a third instance, as a tool of the operator would be.
    let operator = cluster.restart(0, &["k"]);
    let dismissed = Revocation::of_subject(issuer.issuer(), "alice");
    operator.revoke_everywhere(dismissed).await.unwrap();
    for stream in streams {
        assert_eq!(stream.text().await.unwrap(), RETRY);
    }
    wait_until(async || cluster.statuses(Method::POST, &alice, Some(&of_alice)).await == [401; 4])
        .await;
    assert_eq!(cluster.statuses(Method::POST, &bob, Some(&of_bob)).await, [200; 4]);
}
