//! `handles.json`: identifiers of tasks and states of requests, which are sealed in bodies; [`events`](crate::events) has the
//! rest.
//!
//! The tags are made here once more, with nothing of the code under test.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev_issuer::DevIssuer;
use serde_json::{Value, json};

use crate::{ISSUER, NOW, RESOURCE, good};

const KEY: &str = "handle-key-1-of-32-characters-or-more";
pub(crate) const OLD_KEY: &str = "handle-key-2-of-32-characters-or-more";
pub(crate) const GONE_KEY: &str = "handle-key-3-of-32-characters-or-more";
const MAX_AGE: u64 = 600;

pub(crate) fn config() -> Value {
    json!({
        "handle_keys": [KEY, OLD_KEY],
        "request_state_max_age": MAX_AGE,
        "resources": [{
            "resource": RESOURCE,
            "authorization_servers": [ISSUER],
            "seal_task_ids": true,
            "seal_request_state": true,
            "seal_event_ids": true,
        }],
    })
}

/// What a tag binds a handle to.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'b> {
    pub(crate) key: &'b str,
    pub(crate) resource: &'b str,
    pub(crate) kind: &'b str,
    pub(crate) issuer: &'b str,
    pub(crate) subject: &'b str,
    pub(crate) client: &'b str,
}

pub(crate) const ALICES: Bound<'_> = Bound {
    key: KEY,
    resource: RESOURCE,
    kind: "task",
    issuer: ISSUER,
    subject: "alice",
    client: "client",
};

impl Bound<'_> {
    fn bytes(self, handle: &str) -> Vec<u8> {
        let mut bytes = b"mcp-auth handle 1".to_vec();
        for text in [self.resource, self.kind, self.issuer, self.subject, self.client, handle] {
            add(&mut bytes, text);
        }
        bytes
    }

    fn tag(self, bytes: &[u8]) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.as_bytes());
        hmac::sign(&key, bytes).as_ref()[..16].to_vec()
    }

    pub(crate) fn sealed(self, handle: &str) -> String {
        format!("{handle}.{}", URL_SAFE_NO_PAD.encode(self.tag(&self.bytes(handle))))
    }

    /// An event of this session, as the server knows it.
    pub(crate) fn sealed_event(self, session: Option<&str>, event: &str) -> String {
        let mut bytes = Self { kind: "event", ..self }.bytes(event);
        match session {
            Some(name) => add(&mut bytes, name),
            None => bytes.extend_from_slice(&u64::MAX.to_be_bytes()),
        }
        format!("{event}.{}", URL_SAFE_NO_PAD.encode(self.tag(&bytes)))
    }

    /// The state of a request of this method for what has this name.
    fn sealed_state(self, method: &str, name: &str, ends: u64, state: &str) -> String {
        let mut bytes = Self { kind: "request state", ..self }.bytes(state);
        add(&mut bytes, method);
        add(&mut bytes, name);
        let expiry = &ends.to_be_bytes()[2..];
        bytes.extend_from_slice(expiry);
        let end = [expiry.to_vec(), self.tag(&bytes)].concat();
        format!("{state}.{}", URL_SAFE_NO_PAD.encode(end))
    }
}

fn add(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

pub(crate) fn cases(issuer: &DevIssuer) -> Vec<Value> {
    let mut all = Cases { issuer, all: Vec::new() };
    all.tasks_come_back();
    all.tasks_that_do_not_open();
    all.tasks_in_answers();
    all.states();
    all.all
}

struct Cases<'i> {
    issuer: &'i DevIssuer,
    all: Vec<Value>,
}

/// A request, what the server sees of it, what it answers, and what the client gets.
struct Passed<'c> {
    name: &'c str,
    sent: &'c str,
    seen: &'c str,
    answer: &'c str,
    told: &'c str,
}

const OK: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;

impl Cases<'_> {
    fn request(&self, subject: &str, client: &str, body: &str) -> Value {
        let token = good(self.issuer).subject(subject).client_id(client).sign();
        json!({
            "method": "POST",
            "target": "/mcp",
            "authorization": [format!("Bearer {token}")],
            "headers": { "content-type": "application/json" },
            "body": body,
        })
    }

    fn pass(&mut self, passed: Passed<'_>) {
        let Passed { name, sent, seen, answer, told } = passed;
        let request = self.request("alice", "client", sent);
        let expect = json!({ "status": 200, "code": "ok", "seen": seen, "told": told });
        self.all
            .push(json!({ "name": name, "request": request, "answer": answer, "expect": expect }));
    }

    /// A request that does not reach the server.
    fn refuse(&mut self, name: &str, code: &str, body: &str) {
        self.refuse_to("alice", "client", name, code, body);
    }

    fn refuse_to(&mut self, subject: &str, client: &str, name: &str, code: &str, body: &str) {
        let request = self.request(subject, client, body);
        let parsed: Value = serde_json::from_str(body).expect("a body");
        // What has no answer of its own is an error of HTTP.
        let status = if parsed["id"].is_null() || parsed["method"].is_null() { 400 } else { 200 };
        let expect = json!({ "status": status, "code": code });
        self.all.push(json!({ "name": name, "request": request, "answer": OK, "expect": expect }));
    }

    fn tasks_come_back(&mut self) {
        let sealed = ALICES.sealed("t1");
        let old = Bound { key: OLD_KEY, ..ALICES }.sealed("t1");
        let get = r#"{ "jsonrpc":"2.0", "id":1,"method":"tasks/get","params":{"x":1.0,"taskId":"TASK" }}"#;
        let answered = r#"{"jsonrpc":"2.0","id":1,"result":{"taskId":"TASK","ttl":1e2}}"#;
        for (name, given) in [("a task", &sealed), ("a task of an older key", &old)] {
            self.pass(Passed {
                name,
                sent: &about(get, given),
                seen: &about(get, "t1"),
                answer: &about(answered, "t1"),
                told: &about(answered, &sealed),
            });
        }
        self.pass(Passed {
            name: "a task that is written with an escape",
            sent: &about(get, &sealed.replace("t1", "\\u00741")),
            seen: &about(get, "t1"),
            answer: &about(answered, "\\u00741"),
            told: &about(answered, &sealed),
        });
        let rows = [
            (
                "the result of a task",
                r#"{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{"taskId":"TASK"}}"#,
                r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"TASK"}}}}"#,
            ),
            (
                "a call that belongs to a task",
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"TASK"}}}}"#,
                r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"TASK"}}}}"#,
            ),
            (
                "an answer that belongs to a task",
                r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"TASK"}}}}"#,
                "",
            ),
            (
                "a subscription to a task",
                r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"taskIds":["TASK"]}}}"#,
                r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"taskIds":["TASK"]}}}"#,
            ),
            (
                "a subscription that tells of a task",
                r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"taskIds":["TASK"]}}}"#,
                r#"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"taskId":"TASK","status":"working"}}"#,
            ),
            (
                "a batch",
                r#"[{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"TASK"}},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#,
                r#"[{"jsonrpc":"2.0","id":1,"result":{"taskId":"TASK"}},{"jsonrpc":"2.0","id":2,"result":{}}]"#,
            ),
        ];
        for (name, request, answer) in rows {
            self.pass(Passed {
                name,
                sent: &about(request, &sealed),
                seen: &about(request, "t1"),
                answer: &about(answer, "t1"),
                told: &about(answer, &sealed),
            });
        }
    }

    fn tasks_that_do_not_open(&mut self) {
        let sealed = ALICES.sealed("t1");
        let rows = [
            ("a task without a tag", "t1".to_owned()),
            ("no task", String::new()),
            ("a task whose tag was cut", sealed[..sealed.len() - 1].to_owned()),
            ("a task with the tag of another", format!("t2{}", &sealed[2..])),
            (
                "a task of another resource",
                Bound { resource: "https://mcp.example.com/other", ..ALICES }.sealed("t1"),
            ),
            ("a session in place of a task", Bound { kind: "session", ..ALICES }.sealed("t1")),
            ("an event in place of a task", ALICES.sealed_event(None, "t1")),
            (
                "a task of another issuer",
                Bound { issuer: "https://other.example.com", ..ALICES }.sealed("t1"),
            ),
            ("a task of a key that is gone", Bound { key: GONE_KEY, ..ALICES }.sealed("t1")),
            ("a state in place of a task", ALICES.sealed_state("tasks/get", "t1", NOW + 9, "t1")),
        ];
        for (name, task) in &rows {
            self.refuse(name, "unknown_task", &get_task(task));
        }
        self.refuse_to(
            "bob",
            "client",
            "a task of another user",
            "unknown_task",
            &get_task(&sealed),
        );
        self.refuse_to(
            "alice",
            "other",
            "a task of another client",
            "unknown_task",
            &get_task(&sealed),
        );
        let related = json!({ "io.modelcontextprotocol/related-task": { "taskId": "t1" } });
        let notification = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "_meta": related } });
        self.refuse(
            "a notification that belongs to another's task",
            "unknown_task",
            &notification.to_string(),
        );
        let reply = json!({ "jsonrpc": "2.0", "id": 1, "result": { "_meta": related } });
        self.refuse("an answer that belongs to another's task", "unknown_task", &reply.to_string());
        let batch = format!("[{},{}]", get_task(&sealed), get_task("t1"));
        self.refuse("another's task in a batch", "unknown_task", &batch);
        let other = json!({ "jsonrpc": "2.0", "id": 1, "method": "vendor/see", "params": { "taskId": "t1" } });
        self.refuse("another's task in another method", "unknown_task", &other.to_string());
        let twice = get_task(&sealed).replace("\"params\":{", "\"params\":{\"taskId\":\"t1\",");
        let request = self.request("alice", "client", &twice);
        let expect = json!({ "status": 400, "code": "invalid_message" });
        self.all.push(
            json!({ "name": "a task twice", "request": request, "answer": OK, "expect": expect }),
        );
    }

    fn tasks_in_answers(&mut self) {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}"#;
        let rows = [
            (
                "a task that is made, of 2025-11-25",
                r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"TASK","ttl":1.0}}}"#,
                "new1",
            ),
            (
                "a task that is made, of 2026-07-28",
                r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"task","taskId":"TASK"}}"#,
                "new2",
            ),
        ];
        for (name, answer, task) in rows {
            let (given, told) =
                (answer.replace("TASK", task), answer.replace("TASK", &ALICES.sealed(task)));
            self.pass(Passed { name, sent: call, seen: call, answer: &given, told: &told });
        }
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tasks/list"}"#;
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"tasks":[{"taskId":"of-bob"},{"note":1.0}],"n":1e2}}"#;
        let told = r#"{"jsonrpc":"2.0","id":1,"result":{"tasks":[{"note":1.0}],"n":1e2}}"#;
        let name = "a list of tasks, none of which is known to be the caller's";
        self.pass(Passed { name, sent: list, seen: list, answer, told });
        let same = [
            (
                "a task of which nobody knows whose it is",
                call,
                r#"{"jsonrpc":"2.0","id":1,"result":{"taskId":"t9"}}"#,
            ),
            (
                "a task of the client's",
                call,
                r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t9"}}"#,
            ),
            (
                "a text that looks like a task",
                call,
                r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"text":"\"taskId\":\"t9\""}]}}"#,
            ),
        ];
        for (name, sent, answer) in same {
            self.pass(Passed { name, sent, seen: sent, answer, told: answer });
        }
    }

    fn states(&mut self) {
        let first = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay"}}"#;
        let asking = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","n":1.0,"requestState":"TASK"}}"#;
        let given = ALICES.sealed_state("tools/call", "pay", NOW + MAX_AGE, "step");
        let (answer, told) = (about(asking, "step"), about(asking, &given));
        self.pass(Passed {
            name: "a state that is given",
            sent: first,
            seen: first,
            answer: &answer,
            told: &told,
        });
        let old = Bound { key: OLD_KEY, ..ALICES };
        let accepted = [
            ("a state that comes back", ALICES.sealed_state("tools/call", "pay", NOW + 1, "step")),
            ("a state of an older key", old.sealed_state("tools/call", "pay", NOW + 1, "step")),
        ];
        for (name, state) in &accepted {
            self.pass(Passed {
                name,
                sent: &pay_with(state),
                seen: &pay_with("step"),
                answer: OK,
                told: OK,
            });
        }
        let ends = NOW + 1;
        let good = ALICES.sealed_state("tools/call", "pay", ends, "step");
        let rows = [
            ("a state without a tag", "step".to_owned()),
            ("a state that has ended", ALICES.sealed_state("tools/call", "pay", NOW, "step")),
            ("a state of another tool", ALICES.sealed_state("tools/call", "refund", ends, "step")),
            ("a state of another method", ALICES.sealed_state("prompts/get", "pay", ends, "step")),
            ("a state whose tag was cut", good[..good.len() - 1].to_owned()),
            ("a state with the tag of another", format!("last{}", &good[4..])),
            ("a task in place of a state", ALICES.sealed("step")),
            (
                "a state of a key that is gone",
                Bound { key: GONE_KEY, ..ALICES }.sealed_state("tools/call", "pay", ends, "step"),
            ),
        ];
        for (name, state) in &rows {
            self.refuse(name, "unknown_state", &pay_with(state));
        }
        self.refuse_to(
            "bob",
            "client",
            "a state of another user",
            "unknown_state",
            &pay_with(&good),
        );
        self.refuse_to(
            "alice",
            "other",
            "a state of another client",
            "unknown_state",
            &pay_with(&good),
        );
    }
}

/// A text with this in the place of the task, or the state.
fn about(template: &str, handle: &str) -> String {
    template.replace("TASK", handle)
}

fn get_task(task: &str) -> String {
    let params = json!({ "taskId": task });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": params }).to_string()
}

fn pay_with(state: &str) -> String {
    let params = json!({ "name": "pay", "requestState": state });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string()
}
