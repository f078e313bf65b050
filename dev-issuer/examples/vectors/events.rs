//! The rest of `handles.json`: identifiers of events, with which a stream is taken up again.

use dev_issuer::DevIssuer;
use serde_json::{Value, json};

use crate::good;
use crate::handles::{ALICES, Bound, GONE_KEY, OLD_KEY};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#;

pub(crate) fn cases(issuer: &DevIssuer) -> Vec<Value> {
    let mut all = Cases { issuer, all: Vec::new() };
    all.streams_that_go_out();
    all.streams_that_are_taken_up();
    all.streams_that_are_not();
    all.all
}

struct Cases<'i> {
    issuer: &'i DevIssuer,
    all: Vec<Value>,
}

/// A request of alice's, unless somebody else is named.
#[derive(Clone, Copy)]
struct Sent<'c> {
    subject: &'c str,
    client: &'c str,
    method: &'c str,
    body: &'c str,
    /// As the server knows it.
    session: Option<&'c str>,
    event: Option<&'c str>,
}

const GET: Sent<'_> = Sent {
    subject: "alice",
    client: "client",
    method: "GET",
    body: "",
    session: Some("s1"),
    event: None,
};
const POST: Sent<'_> = Sent { method: "POST", body: PING, ..GET };

impl Cases<'_> {
    fn request(&self, sent: Sent<'_>) -> Value {
        let token = good(self.issuer).subject(sent.subject).client_id(sent.client).sign();
        let mut headers = json!({ "accept": "application/json, text/event-stream" });
        if sent.method == "POST" {
            headers["content-type"] = "application/json".into();
        }
        if let Some(session) = sent.session {
            let owner = Bound { subject: sent.subject, client: sent.client, ..ALICES };
            headers["mcp-session-id"] = Bound { kind: "session", ..owner }.sealed(session).into();
        }
        if let Some(event) = sent.event {
            headers["last-event-id"] = event.into();
        }
        json!({
            "method": sent.method,
            "target": "/mcp",
            "authorization": [format!("Bearer {token}")],
            "headers": headers,
            "body": sent.body,
        })
    }

    /// A request whose answer has an event `e9` of this session. `given`: the session that the answer names.
    fn pass(&mut self, name: &str, sent: Sent<'_>, given: Option<&str>, of_session: Option<&str>) {
        let mut answer_headers = json!({ "content-type": "text/event-stream" });
        if let Some(session) = given {
            answer_headers["mcp-session-id"] = session.into();
        }
        let mut seen_headers = json!({});
        if let Some(session) = sent.session {
            seen_headers["mcp-session-id"] = session.into();
        }
        if sent.event.is_some() {
            seen_headers["last-event-id"] = "e1".into();
        }
        self.all.push(json!({
            "name": name,
            "request": self.request(sent),
            "answer": stream("e9"),
            "answer_headers": answer_headers,
            "expect": {
                "status": 200,
                "code": "ok",
                "seen": sent.body,
                "seen_headers": seen_headers,
                "told": stream(&ALICES.sealed_event(of_session, "e9")),
            },
        }));
    }

    fn streams_that_go_out(&mut self) {
        let rows = [
            ("a stream of a session", GET, None, Some("s1")),
            ("an answer in a session", POST, None, Some("s1")),
            ("an answer that names its session again", POST, Some("s1"), Some("s1")),
            ("a stream without a session", Sent { session: None, ..GET }, None, None),
            ("an answer without a session", Sent { session: None, ..POST }, None, None),
            (
                "an answer that begins a session",
                Sent { session: None, body: INITIALIZE, ..POST },
                Some("s1"),
                Some("s1"),
            ),
        ];
        for (name, sent, given, of_session) in rows {
            self.pass(name, sent, given, of_session);
        }
    }

    fn streams_that_are_taken_up(&mut self) {
        let of_session = ALICES.sealed_event(Some("s1"), "e1");
        let of_none = ALICES.sealed_event(None, "e1");
        let old = Bound { key: OLD_KEY, ..ALICES }.sealed_event(Some("s1"), "e1");
        for (name, sealed, session) in [
            ("an event of its session", &of_session, Some("s1")),
            ("an event of no session", &of_none, None),
            ("an event of an older key", &old, Some("s1")),
        ] {
            let event = Some(&**sealed);
            self.pass(name, Sent { session, event, ..GET }, None, session);
            let posted = format!("{name}, in a POST");
            self.pass(&posted, Sent { session, event, ..POST }, None, session);
        }
    }

    fn streams_that_are_not(&mut self) {
        let good = ALICES.sealed_event(Some("s1"), "e1");
        let of_bob = Bound { subject: "bob", ..ALICES }.sealed_event(Some("s1"), "e1");
        let rows = [
            ("of another session of the same caller", GET, ALICES.sealed_event(Some("s2"), "e1")),
            ("of no session, in a session", GET, ALICES.sealed_event(None, "e1")),
            ("of a session, without one", Sent { session: None, ..GET }, good.clone()),
            ("of a session without a name", GET, ALICES.sealed_event(Some(""), "e1")),
            ("of another user", GET, of_bob),
            ("to another user", Sent { subject: "bob", ..GET }, good.clone()),
            ("to another client", Sent { client: "other", ..GET }, good.clone()),
            ("without a tag", GET, "e1".to_owned()),
            ("whose tag was cut", GET, good[..good.len() - 1].to_owned()),
            ("with the tag of another", GET, format!("e2{}", &good[2..])),
            ("bound to a caller alone", GET, Bound { kind: "event", ..ALICES }.sealed("e1")),
            ("that is a session", GET, Bound { kind: "session", ..ALICES }.sealed("s1")),
            ("that is a task", GET, ALICES.sealed("e1")),
            (
                "of another resource",
                GET,
                Bound { resource: "https://mcp.example.com/other", ..ALICES }
                    .sealed_event(Some("s1"), "e1"),
            ),
            (
                "of a key that is gone",
                GET,
                Bound { key: GONE_KEY, ..ALICES }.sealed_event(Some("s1"), "e1"),
            ),
        ];
        for (name, sent, event) in rows {
            for (way, method, body) in [("", "GET", ""), (", in a POST", "POST", PING)] {
                let request = self.request(Sent { method, body, event: Some(&event), ..sent });
                self.all.push(json!({
                    "name": format!("an event {name}{way}"),
                    "request": request,
                    "answer": "",
                    "expect": { "status": 404, "code": "unknown_event" },
                }));
            }
        }
    }
}

/// One event with this identifier.
fn stream(id: &str) -> String {
    format!("id: {id}\ndata: {{\"jsonrpc\":\"2.0\"}}\n\n")
}
