//! A correct MCP server on loopback, and one fault put on top of it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev_issuer::DevIssuer;
use mcp_auth::{AuthInfo, Config, McpAuth, ScopePolicy};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use super::fault::{Answer, Elsewhere, Fault, RequestChange, Rule, Seen, Token, set};

/// The web origin that the server lets in.
pub(crate) const ALLOWED_ORIGIN: &str = "https://app.example.com";

/// Runs until it is dropped.
pub(crate) struct Server {
    pub(crate) resource: String,
    pub(crate) good_token: String,
    /// Genuine, without the scope that every request needs.
    pub(crate) weak_token: String,
    /// Genuine, for another server.
    pub(crate) foreign_token: String,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(issuer: &DevIssuer, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let resource = format!("http://{authority}/mcp");
        let mint = |audience: &str, scope: &str| {
            issuer.mint().subject("alice").audience(audience).scope(scope).sign()
        };
        let broken = Broken {
            inner: correct(&resource, issuer.issuer()),
            rules: fault.rules(&[
                ("{resource}", &resource),
                ("{origin}", &format!("http://{authority}")),
                ("{authority}", &authority),
                ("{issuer}", issuer.issuer()),
            ]),
            good_token: mint(&resource, "mcp"),
            weak_token: mint(&resource, "other"),
            foreign_token: mint("https://other.example.com/mcp", "mcp"),
            token_before: Mutex::new(Token::None),
            authority,
        };
        let good_token = broken.good_token.clone();
        let weak_token = broken.weak_token.clone();
        let foreign_token = broken.foreign_token.clone();
        let app = Router::new().fallback(handle).with_state(Arc::new(broken));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { resource, good_token, weak_token, foreign_token, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Notes;

#[tool_router]
impl Notes {
    #[tool(description = "Who is calling?")]
    async fn whoami(&self, auth: AuthInfo) -> String {
        auth.subject().unwrap_or_default().to_owned()
    }

    #[tool(description = "What is in a region?", annotations(read_only_hint = true))]
    async fn look(&self, Parameters(place): Parameters<Place>) -> String {
        place.region
    }
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Place {
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

#[tool_handler]
impl ServerHandler for Notes {}

/// The library with everything that a server can do right.
fn correct(resource: &str, issuer: &str) -> Router {
    let mut config = Config::new(resource, issuer)
        .unwrap()
        .with_required_scopes(["mcp"])
        .with_allowed_origins([ALLOWED_ORIGIN]);
    config.resources[0].policy = Some(ScopePolicy::new().require_for_tool("whoami", ["mcp"]));
    let auth = McpAuth::builder(config).serve_authorization_server_metadata().build().unwrap();
    auth.protect(auth.streamable_http_service(|| Notes))
}

struct Broken {
    inner: Router,
    rules: Vec<Rule>,
    authority: String,
    good_token: String,
    weak_token: String,
    foreign_token: String,
    token_before: Mutex<Token>,
}

async fn handle(State(broken): State<Arc<Broken>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut body = to_bytes(body, 1 << 20).await.unwrap();
    let (original, original_body) = (parts.clone(), body.clone());
    let text = String::from_utf8_lossy(&original_body).into_owned();
    let token = bearer(&original.headers).unwrap_or_default();
    let claims = claims(&token);
    let kind = broken.kind(&token, &claims);
    let token_before = std::mem::replace(&mut *broken.token_before.lock().unwrap(), kind);
    let seen = Seen {
        method: original.method.as_str(),
        path: original.uri.path(),
        query: original.uri.query().unwrap_or_default(),
        headers: &original.headers,
        body: &text,
        token: kind,
        token_before,
        claims: &claims,
    };
    let rules: Vec<_> = broken.rules.iter().filter(|rule| rule.when.matches(&seen)).collect();
    for rule in &rules {
        if let Some(answer) = &rule.answer {
            let (headers, body) = (HeaderMap::new(), Bytes::new());
            let mut made = Answer { status: axum::http::StatusCode::OK, headers, body };
            answer.apply(&mut made, &original.headers, &broken.authority);
            return respond(made);
        }
        if let Some(change) = &rule.request {
            broken.change(change, &mut parts, &mut body);
        }
    }
    let response = broken.inner.clone().oneshot(Request::from_parts(parts, Body::from(body))).await;
    let (head, body) = response.unwrap().into_parts();
    let opens_stream = original.method == "GET" && head.status == 200 && seen.path == "/mcp";
    if opens_stream {
        return Response::from_parts(head, body);
    }
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let mut answer = Answer { status: head.status, headers: head.headers, body };
    for rule in rules {
        if let Some(change) =
            rule.response.as_ref().filter(|_| rule.when.matches_status(answer.status))
        {
            change.apply(&mut answer, &original.headers, &broken.authority);
        }
    }
    respond(answer)
}

impl Broken {
    fn kind(&self, token: &str, claims: &Value) -> Token {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        match token {
            "" => Token::None,
            _ if token == self.good_token => Token::Good,
            _ if token == self.weak_token => Token::Weak,
            _ if token == self.foreign_token => Token::Foreign,
            _ if claims["exp"].as_u64().is_some_and(|exp| exp < now) => Token::Expired,
            _ => Token::Other,
        }
    }

    fn change(&self, change: &RequestChange, parts: &mut Parts, body: &mut Bytes) {
        if change.authorize {
            set(&mut parts.headers, "authorization", &format!("Bearer {}", self.good_token));
        }
        if change.only_first_authorization {
            let first = parts.headers.get("authorization").cloned();
            parts.headers.extend(first.map(|first| (axum::http::header::AUTHORIZATION, first)));
            if let Some(first) = parts.headers.remove("authorization") {
                parts.headers.insert("authorization", first);
            }
        }
        for name in &change.remove_headers {
            parts.headers.remove(name.as_str());
        }
        for (name, value) in &change.set_headers {
            set(&mut parts.headers, name, value);
        }
        if let Some(path) = &change.path {
            parts.uri = path.parse().unwrap();
        }
        let form = match change.token_from {
            None => None,
            Some(Elsewhere::Query) => parts.uri.query().map(str::to_owned),
            Some(Elsewhere::Form) => Some(String::from_utf8_lossy(body).into_owned()),
        };
        let token = form.as_deref().and_then(|form| form.strip_prefix("access_token="));
        if let Some(token) = token {
            set(&mut parts.headers, "authorization", &format!("Bearer {token}"));
            parts.uri = parts.uri.path().parse().unwrap();
        }
        if let Some(json) = &change.body {
            set(&mut parts.headers, "content-type", "application/json");
            *body = Bytes::from(json.to_string());
        }
        parts.headers.remove("content-length");
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned)
}

/// What a JWT claims, believed by nobody.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or_default()
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}
