//! MCP messages, in the dialects that servers speak.

use serde_json::{Value, json};

use super::http::Call;
use super::target::Target;
use reqwest::Method;

/// The revision without sessions.
pub(super) const MODERN: &str = "2026-07-28";
/// The last revision with them.
pub(super) const LEGACY: &str = "2025-11-25";
/// A tool that no server has, so that nothing happens when a call is carried out.
pub(super) const NO_SUCH_TOOL: &str = "mcp-auth-check-no-such-tool";

/// How a server wants to be talked to.
pub(super) enum Dialect {
    Modern,
    Legacy { revision: String, session: Option<String> },
}

impl Dialect {
    /// A request in this dialect, without a token.
    pub(super) fn call(&self, name: &'static str, target: &Target, method: &'static str) -> Call {
        match self {
            Self::Modern => modern(name, target, method),
            Self::Legacy { revision, session } => {
                let call = post(name, target, &message(method, json!({})))
                    .header("mcp-protocol-version", revision);
                match session {
                    Some(session) => call.header("mcp-session-id", session),
                    None => call,
                }
            }
        }
    }

    /// What the server should answer anyone with a good token.
    pub(super) fn list_tools(&self, name: &'static str, target: &Target) -> Call {
        self.call(name, target, "tools/list")
    }
}

/// The first message of a client of 2025-11-25 or older.
pub(super) fn initialize(name: &'static str, target: &Target) -> Call {
    let parameters = json!({
        "protocolVersion": LEGACY,
        "capabilities": {},
        "clientInfo": { "name": "mcp-auth check", "version": env!("CARGO_PKG_VERSION") },
    });
    post(name, target, &message("initialize", parameters))
}

/// A request of 2026-07-28, which carries in itself what a session used to.
pub(super) fn modern(name: &'static str, target: &Target, method: &'static str) -> Call {
    if method == "tools/call" {
        return modern_tool(name, target, NO_SUCH_TOOL, json!({}));
    }
    with_modern_headers(post(name, target, &message(method, modern_parameters(MODERN))), method)
}

/// A call of a tool in 2026-07-28.
pub(super) fn modern_tool(
    name: &'static str,
    target: &Target,
    tool: &str,
    arguments: Value,
) -> Call {
    let mut parameters = modern_parameters(MODERN);
    parameters["name"] = json!(tool);
    parameters["arguments"] = arguments;
    let call = post(name, target, &message("tools/call", parameters));
    with_modern_headers(call, "tools/call").header("mcp-name", tool)
}

fn with_modern_headers(call: Call, method: &'static str) -> Call {
    call.header("mcp-protocol-version", MODERN).header("mcp-method", method)
}

/// `params` of a request of 2026-07-28 that claims a revision.
pub(super) fn modern_parameters(revision: &str) -> Value {
    json!({ "_meta": {
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo":
            { "name": "mcp-auth check", "version": env!("CARGO_PKG_VERSION") },
    } })
}

/// A POST of any JSON.
pub(super) fn post(name: &'static str, target: &Target, body: &Value) -> Call {
    Call::new(name, Method::POST, &*target.text).json(body.to_string())
}

/// One JSON-RPC request.
pub(super) fn message(method: &str, parameters: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters })
}

/// One JSON-RPC notification.
pub(super) fn notification(method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": method })
}
