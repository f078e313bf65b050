//! What a client shows its user, so that they grant something in a browser.

use serde_json::{Value, json};

/// The user has to open a URL in a browser first: an elicitation of mode `url` (MCP specification 2025-11-25). It is for the
/// caller alone, and counts for ten minutes; whoever else opens it connects nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UrlElicitation {
    /// Where to go.
    pub url: String,
    /// Its name.
    pub elicitation_id: String,
    /// What to tell the user.
    pub message: String,
}

impl UrlElicitation {
    pub(super) fn new(url: String, elicitation_id: String, downstream: &str) -> Self {
        let message = format!("Connect your account at {downstream} to go on.");
        Self { url, elicitation_id, message }
    }

    /// The JSON-RPC error that says it: `error` of the answer to the request (code -32042).
    pub fn json_rpc_error(&self) -> Value {
        json!({
            "code": -32042,
            "message": "another API needs to be connected first",
            "data": { "elicitations": [{
                "mode": "url", "elicitationId": self.elicitation_id, "url": self.url,
                "message": self.message,
            }] },
        })
    }
}
