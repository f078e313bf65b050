//! An axum handler that does next to nothing: what protection costs at its dearest.

use std::time::Duration;

use ::axum::extract::{Request, State};
use ::axum::http::StatusCode;
use ::axum::routing::get;
use ::axum::{Json, Router};
use serde_json::{Value, json};

use super::Plan;
use super::http::{self, Subject};
use crate::Failure;
use crate::contenders::{Entry, ReadSubject};
use crate::table::Section;
use crate::world::Token;

const ABOUT: &str = "axum: a handler that answers with the subject of the token, RS256; processor time of the server's \
    thread for a request; ratio = unprotected / protected";

const SUBJECT: Subject = Subject { name: "axum", app, request };

pub(super) fn run(plan: &Plan) -> Result<Section, Failure> {
    Ok(Section {
        name: "axum",
        about: ABOUT,
        rows: http::run(&SUBJECT, &http::usual_lines(), plan.budget)?,
    })
}

/// One kind of request alone, for a profile.
pub(super) fn repeat(guard: Entry, seen: bool, budget: Duration) -> Result<usize, Failure> {
    http::repeat(&SUBJECT, http::line_alone(guard, seen), budget)
}

fn app(read_subject: ReadSubject) -> Router {
    Router::new().route("/mcp", get(whoami)).with_state(read_subject)
}

async fn whoami(
    State(read_subject): State<ReadSubject>,
    request: Request,
) -> Result<Json<Value>, StatusCode> {
    let subject = read_subject(request.extensions()).ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(json!({ "sub": subject })))
}

fn request(token: &Token) -> Vec<u8> {
    let token = &token.compact;
    format!("GET /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n").into()
}
