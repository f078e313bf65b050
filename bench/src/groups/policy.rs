//! A policy in front of an rmcp tool: what reading the body costs, and what many rules cost.

use serde_json::{Value, json};

use super::Plan;
use super::http::{self, Line, Subject};
use super::rmcp;
use crate::Failure;
use crate::contenders::{MCP_AUTH, POLICY_OF_10, POLICY_OF_10_000};
use crate::table::Section;
use crate::world::Token;

const ABOUT: &str = "policy: the same tools/call with a body of 1 KiB, seen tokens; mcp-auth with and \
    without a policy; ratio = to the row above of the same name, in the same round";

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let subject = Subject { name: "policy", app: rmcp::app, request };
    let line = |work, guard, baseline| Line { work, guard, seen: true, baseline };
    let lines = [
        line("unprotected", None, 0),
        line("of none", Some(MCP_AUTH), 0),
        line("of 10 tools", Some(POLICY_OF_10), 1),
        line("of 10,000 tools", Some(POLICY_OF_10_000), 2),
    ];
    Ok(Section { about: ABOUT, rows: http::run(&subject, &lines, plan.budget)? })
}

fn request(token: &Token) -> Vec<u8> {
    rmcp::call(token, &arguments())
}

/// What a tool that keeps notes might be sent: texts, numbers and a list.
fn arguments() -> Value {
    let text =
        "Protocols are agreements, and agreements are kept by those who can refuse. ".repeat(8);
    json!({
        "title": "Minutes of the meeting", "text": text, "pinned": true, "priority": 3,
        "tags": ["minutes", "protocol", "2026"],
        "author": { "name": "Alice", "mail": "alice@example.com" },
    })
}
