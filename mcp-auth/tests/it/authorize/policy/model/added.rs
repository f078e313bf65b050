//! What somebody adds to a request, and other ways to write the same.

use axum::http::request::Parts;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::generated::URIS;

/// A member that is added, and the objects of a message that it may be added to. Not added: an argument
/// that a condition of the policy names, because that is what `unless` and the tool itself are about.
pub(super) fn additions() -> impl Strategy<Value = (&'static str, Value, usize)> {
    let names = prop::sample::select(vec![
        "uri",
        "name",
        "ref",
        "arguments",
        "context",
        "taskId",
        "_meta",
        "notifications",
        "$serde_json::private::RawValue",
        "$serde_json::private::Number",
        "__proto__",
        "random",
    ]);
    let uri = prop::sample::select(URIS.to_vec()).prop_map(Value::from);
    let other = prop::sample::select(vec![
        Value::Null,
        json!(1),
        json!("t"),
        json!("true"),
        json!({}),
        json!({ "x": true }),
        json!({ "x": "w" }),
        json!({ "uri": "n://b" }),
        json!({ "arguments": { "x": true } }),
        json!({ "type": "ref/prompt", "name": "p" }),
        json!({ "resourceSubscriptions": ["n://b"] }),
        json!([{}]),
    ]);
    // What a method is not about and another one is, so the likeliest to mislead.
    let misleading = (Just("uri"), uri.clone(), Just(1_usize));
    prop_oneof![1 => misleading, 2 => (names, prop_oneof![uri, other], 0..6_usize)]
}

pub(super) fn add(message: &Value, name: &str, value: Value, place: usize) -> Option<Value> {
    let mut message = message.clone();
    let places = [
        "",
        "/params",
        "/params/arguments",
        "/params/ref",
        "/params/context",
        "/params/context/arguments",
    ];
    let object: &mut Map<String, Value> = message.pointer_mut(places[place])?.as_object_mut()?;
    if object.contains_key(name) {
        return None;
    }
    object.insert(name.to_owned(), value);
    Some(message)
}

/// Text that somebody adds to a URI, and whether at the beginning of the query: parameters, and what many
/// servers leave away.
pub(super) fn texts() -> impl Strategy<Value = (&'static str, bool)> {
    let texts = vec![
        "q=1",
        "q=2",
        "q=",
        "q",
        "z=2",
        "other=1",
        "q=1&q=2",
        "q=1&z=2",
        "",
        "=",
        "=1",
        "&",
        "Q=1",
        "%71=1",
        "q%3D1",
        "q=1%3Bz=2",
        "q=1%26z=2",
        "z=1%26q=2",
        "%26z",
        "%26q=1",
        "q=1%2B",
        "q=1;z=2",
        "/",
        ";x",
        "#",
        "#?q=1",
    ];
    (prop::sample::select(texts), any::<bool>())
}

/// With this text in the first URI of the message.
pub(super) fn with_text(message: &Value, text: &str, is_first: bool) -> Option<Value> {
    let mut message = message.clone();
    let places =
        ["/params/uri", "/params/ref/uri", "/params/notifications/resourceSubscriptions/0"];
    let place = places.into_iter().find(|place| message.pointer(place).is_some())?;
    let uri = message.pointer_mut(place)?;
    let before = uri.as_str()?;
    if before.contains("{?") {
        // What is added to it makes it another template.
        return None;
    }
    let (path, query) = before.split_at(before.find('?').unwrap_or(before.len()));
    let longer = match text {
        "%26z" | "%26q=1" if !query.is_empty() => format!("{path}{query}{text}"),
        "/" | ";x" => format!("{path}{text}{query}"),
        "#" | "#?q=1" => format!("{path}{query}{text}"),
        _ if query.is_empty() => format!("{path}?{text}"),
        _ if is_first => format!("{path}?{text}&{}", &query[1..]),
        _ => format!("{path}{query}&{text}"),
    };
    *uri = Value::from(longer);
    Some(message)
}

/// The same JSON in another spelling: members in the other order, white space, every character escaped.
pub(super) fn respelled(value: &Value, spelling: [bool; 3]) -> String {
    let [is_turned, has_space, is_escaped] = spelling;
    let space = if has_space { " \n\t" } else { "" };
    let text = |text: &str| match is_escaped {
        true => {
            let escape = |unit: u16| format!("\\u{unit:04x}");
            format!("\"{}\"", text.encode_utf16().map(escape).collect::<String>())
        }
        false => json!(text).to_string(),
    };
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{space}{}{space}:{space}{}", text(name), respelled(value, spelling))
            };
            let mut all: Vec<_> = members.iter().map(member).collect();
            if is_turned {
                all.reverse();
            }
            format!("{{{}{space}}}", all.join(","))
        }
        Value::Array(items) => {
            let all: Vec<_> = items.iter().map(|item| respelled(item, spelling)).collect();
            format!("[{space}{}{space}]", all.join(","))
        }
        Value::String(one) => text(one),
        other => other.to_string(),
    }
}

/// A header or a query that somebody adds to a request, or a header that takes the place of another.
pub(super) fn decorations() -> impl Strategy<Value = (&'static str, &'static str, bool)> {
    let names = prop::sample::select(vec![
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-param-x",
        "x-http-method-override",
        "x-original-url",
        "x-forwarded-for",
        "forwarded",
        "accept",
        "content-type",
        "x-random",
        "?",
    ]);
    let values = prop::sample::select(vec![
        "tools/list",
        "initialize",
        "ping",
        "t",
        "p",
        "n://b",
        "2025-03-26",
        "2026-07-28",
        "tools/call",
        "tasks/get",
        "w",
        "true",
        "=?base64?dw==?=",
        "GET",
        "/public",
        "application/json;charset=utf-8",
        "application/json;method=tools/list;name=t",
        "text/event-stream",
        "uri=n://b&name=t&public=true",
    ]);
    (names, values, any::<bool>())
}

/// The head of a request of 2026-07-28 with every header that repeats this message, as it should be. The tool `t` has
/// its argument `x` repeated.
pub(super) fn repeated(head: &Parts, message: &Value) -> Parts {
    let mut head = head.clone();
    let params = &message["params"];
    let method = message["method"].as_str().unwrap();
    let name = match method {
        "tools/call" | "prompts/get" => params["name"].as_str(),
        "resources/read" => params["uri"].as_str(),
        _ => params["taskId"].as_str().filter(|_| method.starts_with("tasks/")),
    };
    let argument = &params["arguments"]["x"];
    let is_mirrored = method == "tools/call" && params["name"] == "t" && !argument.is_null();
    let argument = argument.as_str().map_or(argument.to_string(), str::to_owned);
    let headers = [
        ("mcp-protocol-version", Some("2026-07-28")),
        ("mcp-method", Some(method)),
        ("mcp-name", name),
        ("mcp-param-x", is_mirrored.then_some(&*argument)),
    ];
    for (header, value) in headers {
        let Some(value) = value else { continue };
        let in_base64 = format!("=?base64?{}?=", base64_simd::STANDARD.encode_to_string(value));
        head.headers
            .insert(header, if value.is_ascii() { value } else { &in_base64 }.parse().unwrap());
    }
    head
}

pub(super) fn decorated(head: &Parts, (name, value, is_instead): (&str, &str, bool)) -> Parts {
    let mut head = head.clone();
    if name == "?" {
        head.uri = format!("/mcp?{value}").parse().unwrap();
    } else {
        let name = axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        if is_instead {
            head.headers.remove(&name);
        }
        head.headers.append(name, value.parse().unwrap());
    }
    head
}
