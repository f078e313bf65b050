//! An rmcp tool: what protection costs an MCP server.

use std::sync::Arc;

use ::http::request::Parts;
use axum::Router;
use mcp_auth::AuthInfo;
use rmcp::handler::server::tool::Extension;
use rmcp::handler::server::wrapper::Json;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde_json::{Map, Value, json};

use super::Plan;
use super::http::{self, Subject};
use crate::Failure;
use crate::table::Section;
use crate::world::Token;

const ABOUT: &str = "rmcp: a tools/call of `whoami` (2026-07-28, stateless), RS256, one core for the \
    server; requests per second of its processor; ratio = protected / unprotected, in the same round";

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let subject = Subject { name: "rmcp", app, request };
    Ok(Section { about: ABOUT, rows: http::run(&subject, &http::usual_lines(), plan.budget)? })
}

struct Whoami;

#[tool_router]
impl Whoami {
    /// The same answer for all: nobody but us is asked who is calling.
    #[tool(description = "Who is calling?")]
    async fn whoami(&self, Extension(parts): Extension<Parts>) -> Json<Map<String, Value>> {
        let caller = parts.extensions.get::<AuthInfo>().and_then(AuthInfo::subject);
        let mut answer = Map::new();
        answer.insert("sub".to_owned(), json!(caller.unwrap_or("auth0|65f3a1c29b7e4d0012ab34cd")));
        Json(answer)
    }
}

#[tool_handler]
impl ServerHandler for Whoami {}

pub(super) fn app() -> Router {
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(Whoami), sessions, Default::default());
    Router::new().route_service("/mcp", service)
}

fn request(token: &Token) -> Vec<u8> {
    call(token, &json!({}))
}

/// A call of the tool with these arguments.
pub(super) fn call(token: &Token, arguments: &Value) -> Vec<u8> {
    let token = &token.compact;
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "whoami", "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    })
    .to_string();
    let head = [
        "POST /mcp HTTP/1.1",
        "host: 127.0.0.1",
        &format!("authorization: Bearer {token}"),
        "content-type: application/json",
        "accept: application/json, text/event-stream",
        "mcp-protocol-version: 2026-07-28",
        "mcp-method: tools/call",
        "mcp-name: whoami",
        &format!("content-length: {}", body.len()),
    ];
    format!("{}\r\n\r\n{body}", head.join("\r\n")).into()
}
