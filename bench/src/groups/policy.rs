//! A policy in front of an rmcp tool: what reading the body costs, and what many rules cost.

use std::time::Duration;

use serde_json::{Value, json};

use super::Plan;
use super::http::{self, Beside, Line, Subject};
use super::rmcp;
use crate::Failure;
use crate::contenders::{Entry, MCP_AUTH, OPEN_GATE, POLICY_OF_10, POLICY_OF_10_000};
use crate::table::Section;
use crate::world::Token;

const ABOUT: &str = "policy: the same tools/call with a body of 1 KiB, seen tokens; mcp-auth with and without a policy; ratio = \
    unprotected / none, none / 10 tools, 10 / 10,000 tools";

const SUBJECT: Subject = Subject { name: "policy", app: rmcp::app, request };

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    Ok(Section { name: "policy", about: ABOUT, rows: http::run(&SUBJECT, &lines(), plan.budget)? })
}

/// One kind of request alone, for a profile.
pub(super) fn repeat(guard: Entry, budget: Duration) -> Result<usize, Failure> {
    http::repeat(&SUBJECT, http::line_alone(guard, true), budget)
}

fn lines() -> Vec<Line> {
    let rows = [
        ("of none", None, 0),
        ("of none", Some(OPEN_GATE), 0),
        ("of none", Some(MCP_AUTH), 0),
        ("of 10 tools", Some(POLICY_OF_10), 2),
        ("of 10,000 tools", Some(POLICY_OF_10_000), 3),
    ];
    let line = |(work, guard, baseline)| {
        let beside = Beside { baseline, empty_layer: 1, bare_check: None };
        Line { work, guard, seen: true, beside }
    };
    rows.into_iter().map(line).collect()
}

fn request(token: &Token) -> Vec<u8> {
    rmcp::call("127.0.0.1", token, &arguments())
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
