//! An axum handler that does next to nothing: what protection costs at its dearest.

use ::axum::routing::get;
use ::axum::{Json, Router};
use serde_json::{Value, json};

use super::Plan;
use super::http::{self, Subject};
use crate::Failure;
use crate::table::Section;
use crate::world::Token;

const ABOUT: &str = "axum: a handler with a tiny JSON, RS256, one core for the server; requests per \
    second of its processor; ratio = protected / unprotected, in the same round";

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    let subject = Subject { name: "axum", app, request };
    Ok(Section { about: ABOUT, rows: http::run(&subject, &http::usual_lines(), plan.budget)? })
}

fn app() -> Router {
    Router::new().route("/mcp", get(tiny))
}

async fn tiny() -> Json<Value> {
    Json(json!({ "ok": true }))
}

fn request(token: &Token) -> Vec<u8> {
    let token = &token.compact;
    format!("GET /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n").into()
}
