//! What reads bodies in which handles are sealed.

use std::sync::OnceLock;

use futures_util::FutureExt as _;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};

use super::inputs::Place;
use super::readers::{ISSUER, RESOURCE, Reader, answer, build, message, read_answer_of, request};
use crate::McpAuth;
use crate::config::Config;
use crate::serve::Decision;
use crate::steps::Cost;

/// The body of a request where handles are sealed; each is tried with each key.
pub(super) const HANDLES: Reader = Reader {
    name: "handles",
    places: &[
        Place::Json("a task", |value| message("tasks/get", &format!(r#"{{"taskId":{value}}}"#))),
        Place::Json("tasks", |value| {
            let tasks = format!(r#"{{"notifications":{{"taskIds":{value}}}}}"#);
            message("subscriptions/listen", &tasks)
        }),
        Place::Json("a related task", |value| {
            let related = format!(r#"{{"io.modelcontextprotocol/related-task":{value}}}"#);
            message("ping", &format!(r#"{{"_meta":{related}}}"#))
        }),
        Place::Json("a state", |value| {
            message("tools/call", &format!(r#"{{"name":"write","requestState":{value}}}"#))
        }),
        Place::Json("a batch", |value| {
            let get = message("tasks/get", &format!(r#"{{"taskId":{value}}}"#));
            format!("[{get},{get}]")
        }),
    ],
    most: Cost { steps: 512, allocated: 1024 },
    read: read_handles,
};

/// A server's answer whose handles are sealed.
pub(super) const SEALED_ANSWERS: Reader = Reader {
    name: "sealed answers",
    places: &[
        Place::Json("a result", answer),
        Place::Json("a task", |value| answer(&format!(r#"{{"taskId":{value}}}"#))),
        Place::Json("a new task", |value| answer(&format!(r#"{{"task":{{"taskId":{value}}}}}"#))),
        Place::Json("tasks", |value| answer(&format!(r#"{{"taskId":"x","tasks":{value}}}"#))),
        Place::Json("a list of one", |value| {
            answer(&format!(r#"{{"tasks":[{{"taskId":"x","more":{value}}}]}}"#))
        }),
        Place::Json("a state", |value| answer(&format!(r#"{{"requestState":{value}}}"#))),
        Place::Json("a related task", |value| {
            let related =
                format!(r#"{{"io.modelcontextprotocol/related-task":{{"taskId":{value}}}}}"#);
            answer(&format!(r#"{{"_meta":{related}}}"#))
        }),
        Place::Text("the identifier of an event", |text| format!("id: {text}\ndata: x\n\n")),
    ],
    most: Cost { steps: 512, allocated: 1024 },
    read: |text| {
        let media_type =
            if text.starts_with("id") { "text/event-stream" } else { "application/json" };
        read_answer_of(with_sealed_handles(), media_type, text, usize::MAX);
    },
};

pub(super) fn with_sealed_handles() -> &'static McpAuth {
    static WITH: OnceLock<McpAuth> = OnceLock::new();
    WITH.get_or_init(|| {
        let mut config = Config::new(RESOURCE, ISSUER).expect("a good one");
        config.handle_keys =
            (0..8).map(|number| format!("key-{number}").repeat(8).into()).collect();
        config.resources[0].seal_task_ids = true;
        config.resources[0].seal_request_state = true;
        config.resources[0].seal_event_ids = true;
        build(config)
    })
}

fn read_handles(text: &str) {
    let headers = [(CONTENT_TYPE, "application/json"), (AUTHORIZATION, "Bearer good")];
    let Some(parts) = request(Method::POST, "/mcp", &headers) else { return };
    let decided = with_sealed_handles().decide(&parts).now_or_never().expect("at once");
    let Decision::ReadBody(pending) = decided else { panic!("{decided:?}") };
    let _ = pending.decide(&parts, text.as_bytes()).now_or_never().expect("at once");
}
