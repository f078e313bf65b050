//! An rmcp tool: what protection costs an MCP server.

use std::sync::Arc;
use std::time::Duration;

use ::http::request::Parts;
use axum::Router;
use rmcp::handler::server::tool::Extension;
use rmcp::handler::server::wrapper::Json;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde_json::{Map, Value, json};

use super::Plan;
use super::http::{self, Subject};
use crate::Failure;
use crate::contenders::{Entry, ReadSubject};
use crate::table::Section;
use crate::world::Token;

const ABOUT: &str = "rmcp: a tools/call of `whoami`, which answers with the subject of the token (2026-07-28, stateless), RS256; \
    processor time of the server's thread for a request; ratio = unprotected / protected";

const SUBJECT: Subject = Subject { name: "rmcp", app, request };

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    Ok(Section {
        name: "rmcp",
        about: ABOUT,
        rows: http::run(&SUBJECT, &http::usual_lines(), plan.budget)?,
    })
}

struct Whoami {
    read_subject: ReadSubject,
}

#[tool_router]
impl Whoami {
    #[tool(description = "Who is calling?")]
    async fn whoami(&self, Extension(parts): Extension<Parts>) -> Json<Map<String, Value>> {
        let mut answer = Map::new();
        answer.insert("sub".to_owned(), json!((self.read_subject)(&parts.extensions)));
        Json(answer)
    }
}

#[tool_handler]
impl ServerHandler for Whoami {}

pub(super) fn app(read_subject: ReadSubject) -> Router {
    let sessions = Arc::new(LocalSessionManager::default());
    let make = move || Ok(Whoami { read_subject });
    let service = StreamableHttpService::new(make, sessions, Default::default());
    Router::new().route_service("/mcp", service)
}

/// One kind of request alone, for a profile.
pub(super) fn repeat(guard: Entry, seen: bool, budget: Duration) -> Result<usize, Failure> {
    http::repeat(&SUBJECT, http::line_alone(guard, seen), budget)
}

fn request(token: &Token) -> Vec<u8> {
    call("127.0.0.1", token, &json!({}))
}

/// A call of the tool with these arguments, on this host.
pub(super) fn call(host: &str, token: &Token, arguments: &Value) -> Vec<u8> {
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
        &format!("host: {host}"),
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
