//! What is open while the configuration is replaced: streams, and bodies that are still coming.

use axum::http::{HeaderMap, HeaderValue, Method, Request};
use mcp_auth::AuthInfo;
use mcp_auth::decision::Decision;
use serde_json::{Value, json};

use super::{Change, Reloaded, SECOND, UNRELATED, first, server_of, tools};

const HELLO: &str = ": hello\n\n";
const RETRY: &str = "retry: 1000\n\n";

/// A stream, and what came of it so far.
struct Open {
    response: reqwest::Response,
    seen: String,
}

impl Open {
    async fn of_get(server: &Reloaded, token: &str) -> Self {
        let response = server.request(Method::GET, "/mcp", token).send().await.unwrap();
        Self::from(response).await
    }

    async fn of_post(server: &Reloaded, token: &str) -> Self {
        let message = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}"#;
        let request = server.request(Method::POST, "/mcp", token).body(message);
        let request = request.header("content-type", "application/json").header("listens", "1");
        Self::from(request.send().await.unwrap()).await
    }

    async fn from(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200);
        let mut open = Self { response, seen: String::new() };
        open.read_until(HELLO).await;
        open
    }

    async fn read_until(&mut self, end: &str) -> String {
        while !self.seen.ends_with(end) {
            let chunk = self.response.chunk().await.unwrap().expect("it ended");
            self.seen += str::from_utf8(&chunk).unwrap();
        }
        std::mem::take(&mut self.seen)
    }

    /// The tools that the next list shows.
    async fn next_list(&mut self) -> Vec<String> {
        let event = self.read_until("\n\n").await;
        let message: Value =
            serde_json::from_str(event.trim().strip_prefix("data: ").unwrap()).unwrap();
        let listed = message["result"]["tools"].as_array().unwrap();
        listed.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn ends(self) {
        assert_eq!(self.response.text().await.unwrap(), RETRY);
    }
}

fn with_policy(config: &mut Value, _: &Reloaded) {
    first(config)["policy"] = json!({ "tools": { "write": ["read"] } });
}

#[tokio::test]
async fn lists_of_an_open_stream_are_those_of_the_new_policy() {
    let server = Reloaded::with(with_policy).await;
    let token = server.mint().sign();
    let mut streams = [Open::of_get(&server, &token).await, Open::of_post(&server, &token).await];
    let hides_write: Change = |config, given| {
        with_policy(config, given);
        first(config)["policy"]["strict_lists"] = json!(true);
        first(config)["policy"]["tools"]["write"] = json!(["write"]);
    };
    let without_rules: Change = |_, _| {};
    for (change, shown) in [
        (with_policy as Change, &["read", "write"][..]),
        (hides_write, &["read"]),
        (without_rules, &["read", "write"]),
        (hides_write, &["read"]),
    ] {
        server.reload(change).unwrap();
        let answer: Value = server.post("/mcp", &token).await.json().await.unwrap();
        assert_eq!(answer["result"]["tools"].as_array().unwrap().len(), shown.len());
        let message = json!({ "jsonrpc": "2.0", "id": 7, "result": { "tools": tools() } });
        server.events.send(format!("data: {message}\n\n")).unwrap();
        for stream in &mut streams {
            assert_eq!(stream.next_list().await, shown);
        }
    }
}

#[tokio::test]
async fn a_stream_goes_on_where_its_caller_is_still_admitted() {
    for starting in [|_: &mut Value, _: &Reloaded| {}, with_policy] {
        for (name, change) in UNRELATED {
            if name == "no scopes" {
                continue;
            }
            let server = Reloaded::with(starting).await;
            let token = server.mint().sign();
            let mut got = Open::of_get(&server, &token).await;
            let mut listening = Open::of_post(&server, &token).await;
            server.reload(change).unwrap();
            // Verified anew, with keys that are known.
            server
                .reload(|config, _| {
                    first(config)["audiences"] = json!([]);
                    server_of(config)["algorithms"] = json!([]);
                })
                .unwrap();
            server.events.send("data: on\n\n".to_owned()).unwrap();
            assert_eq!(got.read_until("\n\n").await, "data: on\n\n", "{name}");
            assert_eq!(listening.read_until("\n\n").await, "data: on\n\n", "{name}");
        }
    }
}

/// Under which a stream is not to be, whatever it began under.
const ENDING: [(&str, Change); 7] = [
    ("its issuer is gone", |config, given| {
        server_of(config)["issuer"] = json!(given.other_issuer.issuer());
    }),
    ("its resource is gone", |config, given| {
        *config = json!({ "resources": [
            { "resource": SECOND, "authorization_servers": [given.issuer.issuer()] },
        ] });
    }),
    ("its resource has another name", |config, _| {
        first(config)["resource"] = json!("https://other.example.com/mcp");
    }),
    ("a scope is missing", |config, _| first(config)["required_scopes"] = json!(["admin"])),
    ("its token is of another kind", |config, _| server_of(config)["require_at_jwt"] = json!(true)),
    ("its token belongs elsewhere", |config, _| {
        server_of(config)["token_header"] = json!("x-token");
    }),
    ("keys are others", |config, given| {
        server_of(config)["jwks"] = given.foreign_keys.clone();
    }),
];

#[tokio::test]
async fn a_stream_ends_where_its_caller_is_admitted_no_more() {
    for starting in [|_: &mut Value, _: &Reloaded| {}, with_policy] {
        for (name, change) in ENDING {
            let server = Reloaded::with(starting).await;
            let token = server.mint().header("typ", "JWT").sign();
            let got = Open::of_get(&server, &token).await;
            let listening = Open::of_post(&server, &token).await;
            server.reload(change).unwrap();
            got.ends().await;
            listening.ends().await;
            assert_ne!(server.status("/mcp", &token).await, 200, "{name}");
        }
    }
}

/// Nobody looks into such a stream: it began as it is, and may be encoded.
#[tokio::test]
async fn a_stream_without_rules_ends_when_there_are_some() {
    let server = Reloaded::start().await;
    let token = server.mint().sign();
    let (got, listening) =
        (Open::of_get(&server, &token).await, Open::of_post(&server, &token).await);
    server.reload(with_policy).unwrap();
    got.ends().await;
    listening.ends().await;
}

/// With these keys, of which the first seals.
fn with_sealed_events(config: &mut Value, key: &str) {
    config["handle_keys"] = json!([key]);
    first(config)["seal_event_ids"] = json!(true);
}

const KEY: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
const NEXT_KEY: &str = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";

#[tokio::test]
async fn handles_in_an_open_stream_are_sealed_so_that_the_new_configuration_opens_them() {
    let server = Reloaded::with(|config, _| with_sealed_events(config, KEY)).await;
    let token = server.mint().sign();
    let mut open = Open::of_get(&server, &token).await;
    for change in [(|config, _| with_sealed_events(config, KEY)) as Change, |config, _| {
        with_sealed_events(config, NEXT_KEY)
    }] {
        server.reload(change).unwrap();
        server.events.send("id: e1\ndata: {}\n\n".to_owned()).unwrap();
        let event = open.read_until("\n\n").await;
        let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
        let again = server.request(Method::GET, "/mcp", &token).header("last-event-id", id);
        assert_eq!(again.send().await.unwrap().status(), 200, "{event}");
    }
}

/// Nobody looks for these handles in such a stream.
#[tokio::test]
async fn a_stream_ends_when_handles_are_sealed_that_were_not() {
    const SEALING: [Change; 3] = [
        |config, _| first(config)["seal_task_ids"] = json!(true),
        |config, _| first(config)["seal_request_state"] = json!(true),
        |config, _| with_sealed_events(config, KEY),
    ];
    for change in SEALING {
        let server = Reloaded::start().await;
        let token = server.mint().sign();
        let (got, listening) =
            (Open::of_get(&server, &token).await, Open::of_post(&server, &token).await);
        server.reload(change).unwrap();
        got.ends().await;
        listening.ends().await;
    }
    let server = Reloaded::with(|config, _| first(config)["seal_task_ids"] = json!(true)).await;
    let got = Open::of_get(&server, &server.mint().sign()).await;
    server.reload(|config, _| with_sealed_events(config, KEY)).unwrap();
    got.ends().await;
}

/// An adapter that keeps nothing of the request cannot tell whether it would be admitted.
#[tokio::test]
async fn a_stream_of_an_unknown_request_ends_when_the_configuration_is_replaced() {
    let server = Reloaded::start().await;
    let caller = server.auth.authenticate(&server.mint().sign()).await.unwrap();
    let claims = serde_json::to_string(caller.claims()).unwrap();
    let same =
        AuthInfo::from_verified_json_of(caller.issuer(), &claims, caller.principal()).unwrap();
    for known in [caller, same] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("text/event-stream"));
        let mut end = server.auth.stream_end("/mcp", &known, &mut headers).unwrap();
        assert!(end.step().is_none());
        server.reload(|_, _| {}).unwrap();
        assert!(end.step().is_some());
    }
}

#[tokio::test]
async fn a_stream_of_nobody_ends_when_what_it_called_is_open_no_more() {
    fn open_to_all(config: &mut Value, _: &Reloaded) {
        let is_public = json!({ "subscriptions/listen": { "access": "public" } });
        first(config)["policy"] = json!({ "methods": is_public });
    }
    let server = Reloaded::with(open_to_all).await;
    let mut stays = Open::of_post(&server, "").await;
    server
        .reload(|config, given| {
            open_to_all(config, given);
            first(config)["audiences"] = json!([]);
        })
        .unwrap();
    server.events.send("data: on\n\n".to_owned()).unwrap();
    assert_eq!(stays.read_until("\n\n").await, "data: on\n\n");
    server.reload(with_policy).unwrap();
    stays.ends().await;
}

/// However many there are, and also what a task was made by.
#[tokio::test]
async fn a_stream_ends_where_one_of_the_calls_that_it_answers_is_allowed_no_more() {
    const MANY: usize = 20;
    let admin_alone: Change = |config, given| {
        with_policy(config, given);
        first(config)["policy"]["tools"] = json!({ "write": ["read"], "last": ["admin"] });
    };
    let call = |id: usize, name: &str, arguments: Value| {
        let params = json!({ "name": name, "arguments": arguments });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
    };
    for last in ["last", "write"] {
        let server = Reloaded::with(with_policy).await;
        let token = server.mint().sign();
        let mut batch: Vec<Value> = (0..MANY).map(|id| call(id, "write", json!({}))).collect();
        batch.push(call(MANY, last, json!({})));
        let request = server.request(Method::POST, "/mcp", &token).body(json!(batch).to_string());
        let request = request.header("content-type", "application/json").header("listens", "1");
        let mut open = Open::from(request.send().await.unwrap()).await;
        server.reload(admin_alone).unwrap();
        if last == "last" {
            open.ends().await;
        } else {
            server.events.send("data: on\n\n".to_owned()).unwrap();
            assert_eq!(open.read_until("\n\n").await, "data: on\n\n");
        }
    }
}

/// What a call may do is decided by what is in force when its body is there.
#[tokio::test]
async fn a_body_that_is_still_coming_is_judged_by_the_new_configuration() {
    let changes: [(Change, u16); 7] = [
        (with_policy, 200),
        (
            |config, given| {
                with_policy(config, given);
                first(config)["policy"]["methods"] = json!({ "tools/list": ["admin"] });
            },
            403,
        ),
        (
            |config, given| {
                with_policy(config, given);
                server_of(config)["issuer"] = json!(given.other_issuer.issuer());
            },
            401,
        ),
        (ENDING[1].1, 404),
        (|_, _| {}, 200),
        (|config, _| first(config)["required_scopes"] = json!(["admin"]), 403),
        (
            |config, given| {
                with_policy(config, given);
                config["max_body_bytes"] = json!(10);
            },
            413,
        ),
    ];
    for (change, status) in changes {
        let server = Reloaded::with(with_policy).await;
        let token = server.mint().sign();
        let request = Request::post("/mcp").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {token}"));
        let (head, ()) = request.body(()).unwrap().into_parts();
        let Decision::ReadBody(pending) = server.auth.decide(&head).await else { panic!() };
        server.reload(change).unwrap();
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
        let told = match pending.decide(&head, body).await {
            Decision::Forward(_) => 200,
            Decision::Reply(reply) => reply.status.as_u16(),
            _ => panic!("it is asked for the body once"),
        };
        assert_eq!(told, status);
    }
}
