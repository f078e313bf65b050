//! The sample MCP server: one tool that tells who is calling.

use mcp_auth::AuthInfo;
use rmcp::handler::server::wrapper::Json;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde_json::{Map, Value};

pub(crate) struct Whoami;

#[tool_router]
impl Whoami {
    #[tool(description = "Who is calling?")]
    async fn whoami(&self, auth: AuthInfo) -> Json<Map<String, Value>> {
        Json(auth.claims().clone())
    }
}

#[tool_handler]
impl ServerHandler for Whoami {}
