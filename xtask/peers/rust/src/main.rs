//! rmcp behind a middleware like the one of its own example, with `jsonwebtoken` as that documents itself.

use std::env;
use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use axum::middleware::{self, Next};
use axum::response::Response;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

struct Whoami;

#[tool_router]
impl Whoami {
    #[tool(description = "Who is calling?")]
    async fn whoami(&self) -> String {
        "somebody".to_owned()
    }
}

#[tool_handler]
impl ServerHandler for Whoami {}

/// The keys, fetched once: the crate fetches none.
struct Verifier {
    keys: JwkSet,
    validation: Validation,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    scope: String,
}

impl Verifier {
    async fn new(issuer: &str, resource: &str) -> Result<Self, Box<dyn Error>> {
        let keys = reqwest::get(format!("{issuer}/jwks")).await?.json().await?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[resource]);
        validation.set_issuer(&[issuer]);
        Ok(Self { keys, validation })
    }

    fn claims(&self, token: &str) -> Option<Claims> {
        let key = self.keys.find(&decode_header(token).ok()?.kid?)?;
        let key = DecodingKey::from_jwk(key).ok()?;
        Some(decode(token, &key, &self.validation).ok()?.claims)
    }
}

async fn authenticate(
    State(verifier): State<Arc<Verifier>>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer "));
    let claims = token.and_then(|token| verifier.claims(token)).ok_or(StatusCode::UNAUTHORIZED)?;
    if claims.scope.split(' ').all(|scope| scope != "mcp") {
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(next.run(request).await)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = env::args().nth(1).ok_or("the issuer is missing")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let resource = format!("http://{}/mcp", listener.local_addr()?);
    let verifier = Arc::new(Verifier::new(&issuer, &resource).await?);
    let mcp = StreamableHttpService::new(
        || Ok(Whoami),
        LocalSessionManager::default().into(),
        StreamableHttpServerConfig::default(),
    );
    let app = Router::new()
        .nest_service("/mcp", mcp)
        .layer(middleware::from_fn_with_state(verifier, authenticate));
    println!("{}", json!({ "resource": resource }));
    let closed = async { drop(tokio::io::stdin().read_to_end(&mut Vec::new()).await) };
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        () = closed => {}
    }
    Ok(())
}
