//! Whatever a service answers: what is forbidden is in no list that any client could read out of it.

use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use futures_util::FutureExt as _;
use mcp_auth::decision::{Decision, Forward, Passage};
use mcp_auth::policy::Requirement;
use mcp_auth::{Config, McpAuth, ScopePolicy};
use proptest::prelude::*;
use serde_json::json;

use super::lenient::names_shown;
use super::message;
use crate::support::RESOURCE;

/// A protected resource and the token of a user who may see and call whatever begins with "open".
struct Guarded {
    auth: McpAuth,
    token: String,
}

fn guarded() -> &'static Guarded {
    static GUARDED: OnceLock<Guarded> = OnceLock::new();
    GUARDED.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let issuer = dev_issuer::DevIssuer::start().await.unwrap();
            let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
            let admin = || Requirement::default().roles(["admin"]);
            let mut policy = ScopePolicy::new();
            for name in ["hidden", "hidden2"] {
                policy = policy.require_for_tool(name, admin()).require_for_prompt(name, admin());
            }
            config.resources[0].policy = Some(policy.require_for_resource("hidden://*", admin()));
            let auth = McpAuth::new(config).unwrap();
            let token = issuer.mint().audience(RESOURCE).sign();
            // From here on neither keys nor a runtime are needed.
            auth.authenticate(&token).await.unwrap();
            Guarded { auth, token }
        })
    })
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    List(&'static str),
    Batch,
    Call,
    Ping,
    Stream,
}

impl Asked {
    const ALL: [Self; 8] = [
        Self::List("tools/list"),
        Self::List("prompts/list"),
        Self::List("resources/list"),
        Self::List("resources/templates/list"),
        Self::Batch,
        Self::Call,
        Self::Ping,
        Self::Stream,
    ];

    fn forward(self) -> Forward {
        let Guarded { auth, token } = guarded();
        let method = if self == Self::Stream { "GET" } else { "POST" };
        let request = Request::builder().method(method).uri("/mcp");
        let request = request.header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {token}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let body = match self {
            Self::List(method) => message(method, json!({})),
            Self::Batch => json!([message("ping", json!({})), message("tools/list", json!({}))]),
            Self::Call => message("tools/call", json!({ "name": "open" })),
            Self::Ping | Self::Stream => message("ping", json!({})),
        };
        let body = body.to_string();
        let decided = async {
            match auth.decide(&parts).await {
                Decision::ReadBody(pending) => {
                    pending.decide(&parts, body.as_bytes()).now_or_never().expect("at once")
                }
                decision => decision,
            }
        };
        match decided.now_or_never() {
            Some(Decision::Forward(forward)) => forward,
            other => panic!("{other:?}"),
        }
    }

    fn is_list(self) -> bool {
        matches!(self, Self::List(_) | Self::Batch)
    }
}

/// What came out for a response.
#[derive(Debug)]
struct Outcome {
    body: Vec<u8>,
    /// Whether the service's response was replaced or cut off.
    is_refused: bool,
}

fn respond(
    asked: Asked,
    status: StatusCode,
    headers: &HeaderMap,
    pieces: &[&[u8]],
    begins_at_once: bool,
) -> Outcome {
    let mut headers = headers.clone();
    let mut filter = asked.forward().respond(status, &mut headers);
    if filter.is_transparent() {
        return Outcome { body: pieces.concat(), is_refused: false };
    }
    if begins_at_once {
        filter.begin_at_once();
    }
    let mut body = Vec::new();
    for piece in pieces.iter().map(Some).chain([None]) {
        let passage = match piece {
            Some(piece) => filter.push(piece),
            None => filter.end(),
        };
        match passage {
            Passage::Hold => {}
            Passage::Send(data) => body.extend_from_slice(&data),
            Passage::Replace(reply) => {
                assert!(body.is_empty(), "nothing was sent before");
                assert_eq!(reply.status, 500);
                return Outcome { body: reply.body.to_vec(), is_refused: true };
            }
            _ => return Outcome { body, is_refused: true },
        }
    }
    Outcome { body, is_refused: false }
}

const STATUSES: [u16; 14] = [200, 201, 202, 204, 206, 302, 304, 400, 401, 404, 422, 500, 502, 503];

fn labels() -> Vec<Vec<&'static [u8]>> {
    vec![
        vec![],
        vec![b"application/json"],
        vec![b"application/json; charset=utf-8; x=\"y\""],
        vec![b"Application/JSON;charset=UTF8"],
        vec![b"text/plain"],
        vec![b"text/plain;charset=ISO-8859-1"],
        vec![b"application/octet-stream"],
        vec![b"text/html; charset=utf-8"],
        vec![b"text/event-stream"],
        vec![b"TEXT/event-stream ; charset=utf-8"],
        vec![b"application/json, text/event-stream"],
        vec![b"text/plain", b"text/event-stream"],
        vec![b"image/png", b"application/json"],
        vec![b"application/problem+json"],
        vec![b""],
        vec![b";;;=\xff"],
        vec![b"application/json; charset=utf-16"],
        vec![b"text/plain; charset=utf-7"],
    ]
}

/// Whether the bytes are the text, and the response has a body.
fn is_plain(status: u16, headers: &HeaderMap) -> bool {
    let label = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let is_other_charset = |value: &[u8]| value.ends_with(b"utf-16") || value.ends_with(b"utf-7");
    status != 206
        && !label(header::CONTENT_TYPE).any(is_other_charset)
        && label(header::CONTENT_ENCODING).all(|value| value.eq_ignore_ascii_case(b"identity"))
        && label(header::TRANSFER_ENCODING).all(|value| value == b"chunked")
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    let coding = prop::sample::select(vec![
        None,
        None,
        None,
        Some((header::CONTENT_ENCODING, "identity")),
        Some((header::CONTENT_ENCODING, "Identity")),
        Some((header::CONTENT_ENCODING, "gzip")),
        Some((header::CONTENT_ENCODING, "identity, br")),
        Some((header::TRANSFER_ENCODING, "chunked")),
        Some((header::TRANSFER_ENCODING, "deflate, chunked")),
    ]);
    (prop::sample::select(labels()), coding).prop_map(|(types, coding)| {
        let mut headers = HeaderMap::new();
        for value in types {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_bytes(value).unwrap());
        }
        if let Some((name, value)) = coding {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers
    })
}

/// A list as it is written, and what is allowed in it.
#[derive(Clone, Debug)]
struct List {
    text: String,
    allowed: Vec<String>,
}

const LISTS: [(&str, &str); 4] = [
    ("tools", "name"),
    ("prompts", "name"),
    ("resources", "uri"),
    ("resourceTemplates", "uriTemplate"),
];

fn escaped(text: &str, every: usize) -> String {
    let escape = |(at, one): (usize, char)| match at % every {
        0 => format!("\\u{:04x}", u32::from(one)),
        _ => one.to_string(),
    };
    text.chars().enumerate().map(escape).collect()
}

/// A member that holds a list, and the names in it that the caller may see.
fn list() -> impl Strategy<Value = List> {
    let kind = prop::sample::select(LISTS.to_vec());
    let item = (0..14_u8, any::<bool>());
    let every = prop::sample::select(vec![1, 2, 3, 99]);
    (kind, prop::collection::vec(item, 0..5), every, "[ \t\n]{0,2}").prop_map(
        |((member, identifier), items, every, space)| {
            let is_uri = member.starts_with("resource");
            let named = |name: &str| if is_uri { format!("{name}://x/1") } else { name.to_owned() };
            let (open, hidden) = (named("open"), named("hidden"));
            let mut allowed = Vec::new();
            let mut written = Vec::new();
            for (form, is_hidden) in items {
                let name = if is_hidden { &hidden } else { &open };
                let (item, is_good) = match form {
                    0 => (format!(r#"{{"{identifier}":"{}"}}"#, escaped(name, every)), true),
                    1 => (format!(r#"{{"{}":"{name}"}}"#, escaped(identifier, every)), true),
                    2 => (format!(r#"{{"x":[1e999,-0],"{identifier}" : "{name}","y":{{"tools":[]}}}}"#), true),
                    3 => (format!(r#"{{"{identifier}":"{open}","{identifier}":"{hidden}"}}"#), false),
                    4 => (format!(r#"{{"{identifier}":"{hidden}","{}":"{open}"}}"#, escaped(identifier, 2)), false),
                    5 => (format!(r#"{{"title":"{name}"}}"#), false),
                    6 => (format!(r#"{{"{identifier}":["{name}"]}}"#), false),
                    7 => (format!(r#"{{"{identifier}":"\ud800{name}"}}"#), false),
                    8 => (format!(r#"{{"__proto__":{{"{identifier}":"{hidden}"}},"{identifier}":"{name}"}}"#), true),
                    9 => (format!(r#"{{"$serde_json::private::RawValue":"x","{identifier}":"{name}"}}"#), true),
                    10 => (format!(r#"{{"x":{}1{},"{identifier}":"{name}"}}"#, "[".repeat(300), "]".repeat(300)), true),
                    11 => (format!(r#"{{"{identifier}":"{name}","x":"\ud800 \u007b"}}"#), true),
                    _ => (format!(r#"{{"{identifier}":"{name}"}}"#), true),
                };
                if is_good && !is_hidden {
                    allowed.push(name.clone());
                }
                written.push(item);
            }
            let member = escaped(member, every);
            let items = written.join(&format!("{space},{space}"));
            List { text: format!(r#""{member}"{space}:{space}[{space}{items}{space}]"#), allowed }
        },
    )
}

/// A document, and what is allowed in it; what no reader can agree about may be refused.
fn document() -> impl Strategy<Value = List> {
    (list(), list(), 0..34_u8, any::<bool>()).prop_map(|(one, other, form, is_first)| {
        let is_same = one.text.split(':').next() == other.text.split(':').next();
        let List { text, mut allowed } = one;
        let envelope = r#""jsonrpc":"2.0","id":7"#;
        let answer = match is_first {
            true => format!(r#"{{"result":{{{text},"nextCursor":"2"}},{envelope}}}"#),
            false => {
                format!(r#"{{{envelope},"result":{{"ttlMs":1e3,"cacheScope":"public",{text}}}}}"#)
            }
        };
        let hidden = r#"{"name":"hidden","uri":"hidden://x/1","uriTemplate":"hidden://x/1"}"#;
        let text = match form {
            0 => format!(r#"{{"method":"notifications/progress","result":{{{text}}}}}"#),
            1 => format!(r#"{{{envelope},"error":{{"code":1,"message":"x","data":{{{text}}}}}}}"#),
            2 => format!("{{{text}}}"),
            3 => format!("[{answer},{answer}]"),
            4 => format!("[[{answer}]]"),
            5 if !is_same => {
                allowed.extend(other.allowed);
                format!(r#"{{{envelope},"result":{{{text},{}}}}}"#, other.text)
            }
            5 | 6 => format!(r#"{{"result":{{{text},{}}}}}"#, text.replace("open", "hidden")),
            7 => format!(r#"{{"result":{{}},"r\u0065sult":{{{text}}}}}"#),
            8 => format!(r#"{{"__proto__":{{"result":{{{text}}}}},{envelope}}}"#),
            9 => format!(r#"{{"result":{{"__proto__":{{{text}}}}}}}"#),
            10 => {
                let inner = json!(format!("{{{text}}}"));
                format!(r#"{{"result":{{"$serde_json::private::RawValue":{inner}}}}}"#)
            }
            11 => {
                let inner = json!(answer);
                format!(r#"{{"$serde_json::private::RawValue":{inner}}}"#)
            }
            12 => format!(r#"{{"result":{{"tools":["hidden",{hidden}]}}}}"#),
            13 => format!(r#"{{"result":{{"tools":{{"0":{hidden}}}}}}}"#),
            14 => format!("{answer}{answer}"),
            15 => format!("{answer}\n{answer}\n"),
            16 => format!(")]}}',\n{answer}"),
            17 => format!("callback({answer})"),
            18 => format!("<html>{answer}</html>"),
            19 => answer[..answer.len() - 2].to_owned(),
            20 => format!(r#"{{"\ud800":1,{}"#, &answer[1..]),
            21 => format!(r#"{{"x":NaN,{}"#, &answer[1..]),
            22 => format!(r#"{{"result":{{"Tools":[{hidden}]}}}}"#),
            23 => format!(r#"{{"Result":{{{text}}},{envelope}}}"#),
            24 => format!(r#"{{{envelope},"result":[{{{text}}},5]}}"#),
            25 => format!(
                r#"{{"result":{{"tool\u017f":[{hidden}],"re\u017fourceTEMPLATES":[{hidden}]}}}}"#
            ),
            26 => format!(r#"{{"ERROR":{{"code":1,"Data":{{{text}}}}}}}"#),
            27 => format!(r#"{{{envelope},"result":[[{{{text}}}]]}}"#),
            28 => r#"{"result":{"tools":[{"name":"x","Name":"hidden"},{"NAME":"hidden"}]}}"#
                .to_owned(),
            29 => format!(r#"{{"error":{{"code":1,"data":[{{{text}}}],"toolſ":[{hidden}]}}}}"#),
            _ => answer,
        };
        List { text, allowed }
    })
}

/// The bytes of a body, with what is allowed in it and what it is; the labels are another matter.
#[derive(Clone)]
struct Body {
    bytes: Vec<u8>,
    allowed: Vec<String>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} with {:?}", String::from_utf8_lossy(&self.bytes), self.allowed)
    }
}

fn body() -> impl Strategy<Value = Body> {
    let end = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    (document(), 0..24_u8, end).prop_map(|(List { text, allowed }, form, end)| {
        let line = text.replace('\n', " ");
        let many = text.replace('\n', &format!("{end}data:"));
        let bytes = match form {
            0 => format!("data: {line}{end}{end}").into_bytes(),
            1 => format!("id: 0{end}retry: 5{end}{end}event: message{end}data:{many}{end}{end}")
                .into_bytes(),
            2 => format!(": hello{end}{end}data: {many}{end}{end}: bye{end}").into_bytes(),
            3 => format!("\u{feff}{end}data: {many}{end}id: 1{end}{end}").into_bytes(),
            4 => format!("data: {many}{end}").into_bytes(),
            5 => format!("data:{end}data: {many}{end}{end}").into_bytes(),
            6 => format!("data: x{line}{end}{end}").into_bytes(),
            7 => format!("Data: {line}{end}{end} data: {line}{end}{end}{line}{end}{end}")
                .into_bytes(),
            8 => format!("x: y{end}data: {line}{end}{end}").into_bytes(),
            9 => format!(": {line}{end}event: {line}{end}{end}").into_bytes(),
            10 => format!("\u{feff}{text}").into_bytes(),
            11 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            12 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            13 => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            14 => format!("\u{feff}data: {line}\n\n")
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect(),
            15 => text.chars().flat_map(|one| u32::from(one).to_le_bytes()).collect(),
            16 => text.chars().flat_map(|one| u32::from(one).to_be_bytes()).collect(),
            17 => [b"\xff", text.as_bytes()].concat(),
            18 => format!("\u{a0}{text}").into_bytes(),
            _ => format!("{}{text}{}", &end[..form as usize % 2], end).into_bytes(),
        };
        Body { bytes, allowed }
    })
}

fn cut<'b>(bytes: &'b [u8], cuts: &[prop::sample::Index], is_by_byte: bool) -> Vec<&'b [u8]> {
    if is_by_byte {
        return bytes.chunks(1).collect();
    }
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut start = 0;
    cuts.into_iter().map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 3000, ..Default::default() })]

    #[test]
    fn what_is_forbidden_is_not_shown_and_what_is_allowed_stays(
        asked in prop::sample::select(Asked::ALL.to_vec()),
        status in prop::sample::select(STATUSES.to_vec()),
        headers in headers(),
        body in body(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        is_by_byte: bool,
        begins_at_once: bool,
    ) {
        let pieces = cut(&body.bytes, &cuts, is_by_byte);
        let code = StatusCode::from_u16(status).unwrap();
        let out = respond(asked, code, &headers, &pieces, begins_at_once);
        let shown = names_shown(&out.body, asked.is_list());
        let sent = String::from_utf8_lossy(&out.body);
        prop_assert!(!shown.iter().any(|name| name.contains("hidden")), "{shown:?} in {sent}");
        if !out.is_refused {
            let before = names_shown(&body.bytes, asked.is_list());
            // An event that no client dispatches may be dropped.
            let is_there = |name: &&String| before.contains(*name) && !sent.is_empty();
            let missing = body.allowed.iter().filter(is_there).find(|name| !shown.contains(*name));
            prop_assert!(missing.is_none(), "{missing:?} is missing in {sent}");
        }
        let is_unread = !is_plain(status, &headers) && ![204, 304].contains(&status);
        prop_assert!(out.is_refused || !is_unread, "what cannot be read is withheld");
    }

    /// What is well-formed is not refused, whatever it is called.
    #[test]
    fn a_list_that_is_one_comes_through(
        asked in prop::sample::select(Asked::ALL.to_vec()),
        status in prop::sample::select(STATUSES.to_vec()).prop_filter("whole", |status| *status != 206),
        headers in headers().prop_filter("plain", |headers| is_plain(200, headers)),
        list in list(),
        is_stream: bool,
        is_by_byte: bool,
    ) {
        let answer = format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{{}}}}}"#, list.text.replace('\n', " "));
        let bytes = if is_stream { format!("data: {answer}\n\n") } else { answer }.into_bytes();
        let code = StatusCode::from_u16(status).unwrap();
        let out = respond(asked, code, &headers, &cut(&bytes, &[], is_by_byte), true);
        prop_assert!(!out.is_refused, "{}", String::from_utf8_lossy(&bytes));
        let shown = names_shown(&out.body, asked.is_list());
        prop_assert!(list.allowed.iter().all(|name| shown.contains(name)));
    }
}

#[test]
fn every_label_and_status_of_a_list_is_filtered() {
    let list = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"open"},{"name":"hidden"}]}}"#;
    for status in STATUSES.into_iter().filter(|status| *status != 206) {
        for values in labels().into_iter().take(16) {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_TYPE, HeaderValue::from_bytes(value).unwrap());
            }
            for asked in Asked::ALL {
                let status = StatusCode::from_u16(status).unwrap();
                let out = respond(asked, status, &headers, &[list.as_bytes()], true);
                let text = String::from_utf8(out.body).unwrap();
                assert!(text.contains("open") && !text.contains("hidden"), "{headers:?} {text}");
            }
        }
    }
}

#[test]
fn what_carries_nothing_and_words_beside_an_error_pass() {
    let html =
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
    let list = Asked::List("tools/list");
    let sent = |asked: Asked, status: u16, body: &str| {
        let status = StatusCode::from_u16(status).unwrap();
        let out = respond(asked, status, &html, &[body.as_bytes()], true);
        (!out.is_refused).then(|| String::from_utf8(out.body).unwrap())
    };
    for asked in Asked::ALL {
        for status in STATUSES.into_iter().filter(|status| *status != 206) {
            for body in ["", " ", "\r\n\n"] {
                assert_eq!(sent(asked, status, body).as_deref(), Some(body), "{asked:?} {status}");
            }
        }
    }
    for words in ["Not Found: Session not found", "<h1>502 Bad Gateway</h1>\r\n", "\"nö\"", "null"]
    {
        assert_eq!(sent(list, 404, words).as_deref(), Some(words));
        assert_eq!(sent(list, 200, words), None, "no client asked for words: {words}");
        assert_eq!(sent(Asked::Call, 200, words).as_deref(), Some(words));
        assert_eq!(sent(Asked::Stream, 200, words).as_deref(), Some(words));
    }
    for other in ["{", "[\"open\"]x", "hello {}", "a\0b", "\u{1b}", "x = {\"tools\":[]}", "[1]"] {
        assert_eq!(sent(list, 500, other), None, "{other:?}");
    }
    assert_eq!(sent(Asked::Call, 200, "hello {}").as_deref(), Some("hello {}"));
    for other in ["x = {\"tools\":[]}", "a\0b", "{\"tools\":[}"] {
        assert_eq!(sent(Asked::Call, 200, other), None, "{other:?}");
    }
}

/// What waits for its first event can still be replaced, also where its end tells that something is wrong.
#[test]
fn a_stream_that_only_its_end_shows_to_be_none_is_replaced() {
    for rest in ["{\"result\":{}}", "data: x\n {}", "[{}]\n"] {
        let stream = format!("id: 1\n\n{rest}");
        let headers = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        )]);
        let mut filter = Asked::Call.forward().respond(StatusCode::OK, &mut headers.clone());
        let pushed = filter.push(stream.as_bytes());
        let is_held = matches!(pushed, Passage::Hold);
        assert_eq!(is_held, !rest.starts_with("data"), "{pushed:?}");
        match filter.end() {
            Passage::Replace(reply) => assert!(is_held && reply.status == 500),
            Passage::CutOff => assert!(!is_held),
            other => panic!("{other:?}"),
        }
    }
}

/// One byte at a time: this would take hours if all that came was looked at each time.
#[test]
fn every_byte_is_looked_at_a_few_times_only() {
    const LENGTH: usize = 1 << 18;
    let item = r#"{"name":"open"},"#;
    let items = item.repeat(LENGTH / item.len());
    let list = format!(r#"{{"result":{{"tools":[{items}{{"name":"hidden"}}]}}}}"#);
    let stream = |body: &str| format!("data: {body}\n\n");
    let bodies = [
        list.clone(),
        stream(&list),
        "data: 1\n\n".repeat(LENGTH / 9),
        "data: 1\n".repeat(LENGTH / 8),
        "\n".repeat(LENGTH),
        " ".repeat(LENGTH),
        ":".repeat(LENGTH),
        "x".repeat(LENGTH),
        "\"".repeat(LENGTH),
        "[".repeat(LENGTH),
        "\u{feff}".repeat(LENGTH / 3),
        "data: [".repeat(LENGTH / 7),
    ];
    for body in &bodies {
        for label in ["text/event-stream", "text/plain"] {
            let headers =
                HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(label))]);
            for asked in [Asked::List("tools/list"), Asked::Call] {
                let pieces: Vec<_> = body.as_bytes().chunks(1).collect();
                let out = respond(asked, StatusCode::NOT_FOUND, &headers, &pieces, true);
                assert!(!out.body.windows(6).any(|six| six == b"hidden"));
            }
        }
    }
}

/// A result of a tool may be longer than what is held of a list.
#[test]
fn a_long_answer_that_is_no_list_comes_through() {
    let long = "x".repeat(17 * 1024 * 1024);
    let plain =
        format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"content":[{{"text":"{long}"}}]}}}}"#);
    let list = format!(r#"{{"x":"{long}","result":{{"tools":[{{"name":"hidden"}}]}}}}"#);
    for label in ["application/json", "text/event-stream"] {
        let headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(label))]);
        let wrapped = |text: &str| match label {
            "text/event-stream" => format!("data: {text}\n\n"),
            _ => text.to_owned(),
        };
        for size in [1 << 20, 1 << 30] {
            let send = |asked: Asked, text: &str| {
                let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
                respond(asked, StatusCode::OK, &headers, &pieces, false)
            };
            let plain = wrapped(&plain);
            let out = send(Asked::Call, &plain);
            assert!(!out.is_refused && out.body == plain.as_bytes(), "{label} {size}");
            assert!(send(Asked::List("tools/list"), &plain).is_refused, "{label} {size}");
            for asked in [Asked::Call, Asked::List("tools/list"), Asked::Stream] {
                let out = send(asked, &wrapped(&list));
                assert!(out.is_refused && !out.body.ends_with(b"}]}}"), "{label} {size}");
                assert!(!out.body.windows(6).any(|six| six == b"hidden"), "{label} {size}");
            }
        }
    }
}
