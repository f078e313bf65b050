//! Another configuration while requests are served: what stays, what changes, and what is open meanwhile.

mod load;
mod open;
mod refused;
mod settings;

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response};
use axum::routing::any_service;
use dev_issuer::{DevIssuer, Mint, Mode};
use futures_util::StreamExt as _;
use futures_util::stream;
use mcp_auth::{Config, ConfigError, McpAuth};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tower::{Layer as _, service_fn};

use crate::support::RESOURCE;

const SECOND: &str = "https://mcp.example.com/second";

/// A server on a socket, whose configuration is replaced.
struct Reloaded {
    issuer: DevIssuer,
    other_issuer: DevIssuer,
    auth: McpAuth,
    origin: String,
    /// Keys of the other issuer.
    foreign_keys: Value,
    /// What every stream sends.
    events: broadcast::Sender<String>,
}

impl Reloaded {
    /// With a change of the [configuration](Self::config).
    async fn with(change: fn(&mut Value, &Reloaded)) -> Self {
        let (issuer, other_issuer) =
            (DevIssuer::start().await.unwrap(), DevIssuer::start().await.unwrap());
        let config = Config::new(RESOURCE, issuer.issuer()).unwrap();
        let auth = McpAuth::new(config).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let keys = reqwest::get(other_issuer.jwks_uri()).await.unwrap();
        let foreign_keys = keys.json().await.unwrap();
        let events = broadcast::channel(64).0;
        let server = Self { issuer, other_issuer, auth, origin, foreign_keys, events };
        server.reload(change).unwrap();
        // Every path, so that resources may come and go.
        let app = server.auth.layer().layer(any_service(server.service()));
        let router = Router::new().fallback_service(app);
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    /// Answers a GET, and a POST of what listens, with a stream, and everything else with a list of two tools.
    fn service(
        &self,
    ) -> impl tower::Service<
        Request<Body>,
        Response = Response<Body>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static {
        let events = self.events.clone();
        service_fn(move |request: Request<Body>| {
            let listens = request.headers().contains_key("listens");
            if request.method() != Method::GET && !listens {
                let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": tools() } });
                let response = Response::builder().header("content-type", "application/json");
                let body = response.body(Body::from(answer.to_string())).unwrap();
                return std::future::ready(Ok::<_, Infallible>(body));
            }
            let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b": hello\n\n"))]);
            let sent = stream::unfold(events.subscribe(), |mut receiver| async move {
                let event = receiver.recv().await.ok()?;
                Some((Ok(Bytes::from(event)), receiver))
            });
            let response = Response::builder().header("content-type", "text/event-stream");
            std::future::ready(Ok(response.body(Body::from_stream(first.chain(sent))).unwrap()))
        })
    }

    /// What is configured at first, as data.
    fn config(&self) -> Value {
        json!({
            "clock_tolerance": 0,
            "resources": [{
                "resource": RESOURCE,
                "authorization_servers": [{ "issuer": self.issuer.issuer() }],
                "audiences": ["urn:shared"],
                "required_scopes": ["mcp"],
            }],
        })
    }

    /// Replaces the configuration by the first one with this change.
    fn reload(&self, change: fn(&mut Value, &Reloaded)) -> Result<(), ConfigError> {
        let mut config = self.config();
        change(&mut config, self);
        self.auth.reload(serde_json::from_value(config).unwrap())
    }

    fn mint(&self) -> Mint {
        let token = self.issuer.mint().subject("alice").audience(RESOURCE);
        token.scope("mcp read").client_id("app")
    }

    fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.origin);
        let request = reqwest::Client::new().request(method, url).bearer_auth(token);
        request.header("accept", "application/json, text/event-stream")
    }

    /// The answer to a `tools/list`.
    async fn post(&self, path: &str, token: &str) -> reqwest::Response {
        let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
        let request = self.request(Method::POST, path, token).body(message);
        request.header("content-type", "application/json").send().await.unwrap()
    }

    async fn status(&self, path: &str, token: &str) -> u16 {
        self.post(path, token).await.status().as_u16()
    }

    /// How often the first issuer was asked for anything.
    fn fetched(&self) -> (u64, u64) {
        let requests = self.issuer.requests();
        (requests.metadata, requests.jwks)
    }
}

fn tools() -> Value {
    json!([{ "name": "read" }, { "name": "write" }])
}

/// The first resource of a configuration.
fn first(config: &mut Value) -> &mut Value {
    &mut config["resources"][0]
}

type Change = fn(&mut Value, &Reloaded);

/// What makes no difference to a token of the first issuer.
const UNRELATED: [(&str, Change); 9] = [
    ("nothing", |_, _| {}),
    ("another issuer before it", |config, server| {
        let servers = first(config)["authorization_servers"].as_array_mut().unwrap();
        servers.insert(0, json!(server.other_issuer.issuer()));
    }),
    ("another resource before it", |config, server| {
        let second =
            json!({ "resource": SECOND, "authorization_servers": [server.issuer.issuer()] });
        config["resources"].as_array_mut().unwrap().insert(0, second);
    }),
    ("opaque tokens of another issuer", |config, server| {
        let servers = first(config)["authorization_servers"].as_array_mut().unwrap();
        let introspection = json!({ "client_id": "dev", "client_secret": "dev" });
        servers.insert(
            0,
            json!({
                "issuer": server.other_issuer.issuer(),
                "introspection": introspection,
            }),
        );
    }),
    ("no scopes", |config, _| first(config)["required_scopes"] = json!([])),
    ("names for people", |config, _| first(config)["resource_name"] = json!("Notes")),
    ("origins", |config, _| first(config)["allowed_origins"] = json!(["https://app.example.com"])),
    ("limits of bodies", |config, _| config["max_body_bytes"] = json!(1000)),
    ("keys of handles", |config, _| config["handle_keys"] = json!(["x".repeat(32)])),
];

#[tokio::test]
async fn an_unchanged_issuer_keeps_its_keys_and_its_accepted_tokens() {
    for (name, change) in UNRELATED {
        let server = Reloaded::start().await;
        let token = server.mint().sign();
        assert_eq!(server.status("/mcp", &token).await, 200, "{name}");
        let fetched = server.fetched();
        server.reload(change).unwrap();
        let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert!(server.auth.decide_seen(&head).is_some(), "{name}: it is not seen any more");
        server.issuer.set_mode(Mode::Offline);
        assert_eq!(server.status("/mcp", &token).await, 200, "{name}");
        assert_eq!(server.status("/mcp", &server.mint().sign()).await, 200, "{name}: new token");
        assert_eq!(server.fetched(), fetched, "{name}");
    }
}

/// Rules under which the token that was accepted is refused, with the codes.
const REFUSING: [(&str, Change); 12] = [
    ("wrong_audience", |config, _| first(config)["audiences"] = json!([])),
    ("algorithm_not_allowed", |config, _| server_of(config)["algorithms"] = json!(["RS256"])),
    ("wrong_type", |config, _| server_of(config)["require_at_jwt"] = json!(true)),
    ("missing_claim", |config, _| server_of(config)["require_subject"] = json!(true)),
    ("claim_not_accepted", |config, _| {
        server_of(config)["required_claims"] = json!({ "tenant": ["acme"] });
    }),
    ("unknown_issuer", |config, server| {
        server_of(config)["issuer"] = json!(server.other_issuer.issuer());
    }),
    ("unknown_issuer", |config, _| server_of(config)["token_header"] = json!("x-token")),
    ("malformed", |config, _| config["max_token_bytes"] = json!(20)),
    ("malformed", |config, _| config["max_token_claims"] = json!(2)),
    ("unknown_key", |config, server| {
        // Of another issuer, in the place of its own.
        server_of(config)["jwks"] = server.foreign_keys.clone();
    }),
    ("insufficient_scope", |config, _| first(config)["required_scopes"] = json!(["admin"])),
    ("unknown_resource", |config, server| {
        *config = json!({ "resources": [
            { "resource": SECOND, "authorization_servers": [server.issuer.issuer()] },
            { "resource": format!("{SECOND}/below"), "authorization_servers": [server.issuer.issuer()] },
        ] });
    }),
];

fn server_of(config: &mut Value) -> &mut Value {
    &mut first(config)["authorization_servers"][0]
}

#[tokio::test]
async fn a_kept_token_that_is_acceptable_no_more_is_refused_at_once() {
    for (code, change) in REFUSING {
        let server = Reloaded::start().await;
        let token = server.mint().audience("urn:shared").without("sub").header("typ", "JWT").sign();
        assert_eq!(server.status("/mcp", &token).await, 200, "{code}");
        let fetched = server.fetched();
        server.reload(change).unwrap();
        let request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert!(server.auth.decide_seen(&head).is_none(), "{code}");
        let mcp_auth::decision::Decision::Reply(reply) = server.auth.decide(&head).await else {
            panic!("{code}: it goes on");
        };
        let told = reply.error.as_ref().map_or("unknown_resource", mcp_auth::AuthError::code);
        assert_eq!(told, code);
        assert!((400..500).contains(&server.status("/mcp", &token).await), "{code}");
        assert_eq!(server.fetched(), fetched, "{code}");
        // As it was: the keys may have gone meanwhile, and nothing else has.
        server.reload(|_, _| {}).unwrap();
        assert_eq!(server.status("/mcp", &token).await, 200, "{code}: and back");
    }
}

#[tokio::test]
async fn keys_stay_where_an_issuer_is_only_waited_for_otherwise() {
    let changes: [Change; 3] = [
        |config, _| config["fetch_timeout"] = json!(2),
        |config, _| config["key_max_age"] = json!(60),
        |config, _| config["key_max_stale"] = json!(100_000),
    ];
    for change in changes {
        let server = Reloaded::start().await;
        let token = server.mint().sign();
        assert_eq!(server.status("/mcp", &token).await, 200);
        server.issuer.set_mode(Mode::Offline);
        server.reload(change).unwrap();
        assert_eq!(server.status("/mcp", &token).await, 200);
        assert_eq!(server.status("/mcp", &server.mint().sign()).await, 200);
    }
}

/// An issuer must not be asked more often because somebody replaces the configuration again and again.
#[tokio::test]
async fn a_budget_that_is_spent_stays_spent() {
    let changes: [Change; 2] = [|_, _| {}, |config, _| config["key_max_age"] = json!(60)];
    for change in changes {
        let server = Reloaded::start().await;
        assert_eq!(server.status("/mcp", &server.mint().sign()).await, 200);
        let unknown_key = || server.mint().header("kid", "unknown").sign();
        for _ in 0..6 {
            server.status("/mcp", &unknown_key()).await;
        }
        let fetched = server.fetched();
        for _ in 0..6 {
            server.reload(change).unwrap();
            assert_eq!(server.status("/mcp", &unknown_key()).await, 401);
        }
        assert_eq!(server.fetched(), fetched);
    }
}

#[tokio::test]
async fn opaque_tokens_stay_known_where_the_same_is_asked() {
    fn asks(config: &mut Value, _: &Reloaded) {
        server_of(config)["introspection"] = json!({ "client_id": "dev", "client_secret": "dev" });
    }
    let server = Reloaded::with(asks).await;
    let token = server.mint().opaque();
    assert_eq!(server.status("/mcp", &token).await, 200);
    let asked = || server.issuer.requests().introspect;
    assert_eq!(asked(), 1);
    server
        .reload(|config, given| {
            asks(config, given);
            first(config)["resource_name"] = json!("Notes");
        })
        .unwrap();
    assert_eq!(server.status("/mcp", &token).await, 200);
    assert_eq!(asked(), 1);
    // Another server could be asked about it now; and what is believed for another time is asked anew.
    let changes: [Change; 2] = [
        |config, given| {
            asks(config, given);
            server_of(config)["introspection"]["cache_max_age"] = json!(30);
        },
        |config, given| {
            asks(config, given);
            let servers = first(config)["authorization_servers"].as_array_mut().unwrap();
            let introspection =
                json!({ "client_id": "dev", "client_secret": "dev", "token_prefixes": ["gho_"] });
            servers.insert(
                0,
                json!({
                    "issuer": given.other_issuer.issuer(),
                    "introspection": introspection,
                }),
            );
        },
    ];
    for (index, change) in (2..).zip(changes) {
        server.reload(change).unwrap();
        assert_eq!(server.status("/mcp", &token).await, 200);
        assert_eq!(asked(), index);
    }
    // A secret that is wrong now is used at once.
    server
        .reload(|config, given| {
            asks(config, given);
            server_of(config)["introspection"]["client_secret"] = json!("wrong");
        })
        .unwrap();
    assert_eq!(server.status("/mcp", &token).await, 503);
}

#[tokio::test]
async fn resources_come_and_go_with_their_metadata() {
    let server = Reloaded::start().await;
    let first_token = server.mint().sign();
    let second_token = server.mint().audience(SECOND).sign();
    let document = |path: &str| {
        let url = format!("{}/.well-known/oauth-protected-resource{path}", server.origin);
        async move { reqwest::get(url).await.unwrap() }
    };
    assert_eq!(server.status("/mcp", &first_token).await, 200);
    assert_eq!(server.status("/second", &second_token).await, 401);
    assert_eq!(document("/second").await.status(), 404);
    server
        .reload(|config, given| {
            let second = json!({
                "resource": SECOND,
                "authorization_servers": [given.issuer.issuer()],
                "scopes_supported": ["notes"],
            });
            config["resources"].as_array_mut().unwrap().push(second);
        })
        .unwrap();
    assert_eq!(server.status("/second", &second_token).await, 200);
    assert_eq!(server.status("/second", &first_token).await, 401);
    let described: Value = document("/second").await.json().await.unwrap();
    assert_eq!(described["scopes_supported"], json!(["notes"]));
    server
        .reload(|config, given| {
            *config = json!({ "resources": [
                { "resource": SECOND, "authorization_servers": [given.issuer.issuer()] },
                { "resource": format!("{SECOND}/below"), "authorization_servers": [given.issuer.issuer()] },
            ] });
        })
        .unwrap();
    assert_eq!(server.status("/mcp", &first_token).await, 404);
    assert_eq!(server.status("/second", &second_token).await, 200);
    assert_eq!(document("/mcp").await.status(), 404);
    let described: Value = document("/second").await.json().await.unwrap();
    assert_eq!(described["scopes_supported"], Value::Null);
}

#[tokio::test]
async fn sessions_and_states_live_as_long_as_their_keys() {
    let keys = ["a", "b"].map(|letter| letter.repeat(32));
    let server = Reloaded::start().await;
    let caller = server.auth.authenticate(&server.mint().sign()).await.unwrap();
    let sealer = server.auth.state_sealer();
    let seal = || sealer.seal(&caller, "p", Duration::from_secs(60), b"1").unwrap();
    let opens = |sealed: &str| {
        let now = server.auth.state_sealer().open(&caller, "p", sealed).is_ok();
        // Whoever has kept the sealer has the new keys as well.
        assert_eq!(sealer.open(&caller, "p", sealed).is_ok(), now);
        now
    };
    let session = |name: &'static str| {
        let given = axum::http::HeaderValue::from_static(name);
        server.auth.seal_session("/mcp", &caller, &given).unwrap()
    };
    let (state_before, session_before) = (seal(), session("s"));
    server.reload(|config, _| first(config)["resource_name"] = json!("Notes")).unwrap();
    assert!(opens(&state_before));
    assert_eq!(session("s"), session_before);
    let with_keys = |all: &[&str]| {
        let mut config = server.config();
        config["handle_keys"] = json!(all);
        server.auth.reload(serde_json::from_value(config).unwrap()).unwrap();
    };
    with_keys(&[&keys[0]]);
    let state = seal();
    assert!(!opens(&state_before) && opens(&state));
    assert_ne!(session("s"), session_before);
    with_keys(&[&keys[1], &keys[0]]);
    assert!(opens(&state));
    with_keys(&[&keys[1]]);
    assert!(!opens(&state));
    // Nothing of what was configured stays.
    server.reload(|_, _| {}).unwrap();
    assert!(!opens(&state) && !opens(&state_before));
}

#[tokio::test]
async fn what_was_revoked_stays_revoked() {
    let server = Reloaded::start().await;
    let token = server.mint().sign();
    assert_eq!(server.status("/mcp", &token).await, 200);
    let alice = mcp_auth::revocation::Revocation::of_subject(server.issuer.issuer(), "alice");
    server.auth.revoke(alice);
    for change in UNRELATED.map(|(_, change)| change) {
        server.reload(change).unwrap();
        assert_eq!(server.status("/mcp", &token).await, 401);
    }
}
