//! Over generated policies, callers and messages: the SDK and the reference beside it say the same, and
//! nothing that is added to a refused message admits it.
//!
//! `MCP_AUTH_LONG_PROPERTIES=1` runs a hundred times as many cases.

use axum::http::{HeaderMap, Request, StatusCode, request::Parts};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mcp_auth::decision::{Decision, Forward, Passage};
use mcp_auth::{
    AuthError, AuthInfo, Authorizer as _, Config, McpAuth, Operation, ScopePolicy, TokenVerifier,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::message;
use super::reference::{Caller, Reference};
use crate::support::RESOURCE;

const URIS: [&str; 9] = [
    "n://a",
    "n://a/",
    "n://a/1",
    "n://a/1/",
    "n://a/b/c",
    "n://a?q=1",
    "n://a?q=1&z=2",
    "n://b",
    "m://a",
];
const PATTERNS: [&str; 9] =
    ["*", "n://*", "n://a", "n://a/*", "n://a/{id}", "n://a/{+p}", "n://a?q={x}", "n://b", "{+u}"];

/// Reads the claims of a caller out of the token.
struct Claims;

impl TokenVerifier for Claims {
    fn is_for(&self, _token: &str) -> bool {
        true
    }

    fn verify<'t>(&'t self, token: &'t str) -> BoxFuture<'t, Result<AuthInfo, AuthError>> {
        let digits = token.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<_> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        let claims = serde_json::from_slice(&bytes).unwrap();
        async move { Ok(AuthInfo::from_verified_claims(claims)?) }.boxed()
    }
}

fn claims(caller: &Caller) -> Value {
    let mut claims = json!({
        "iss": "test", "sub": "alice", "scope": caller.scopes.join(" "), "roles": caller.roles,
    });
    if let Some(client) = caller.client {
        claims["client_id"] = json!(client);
    }
    match caller.kind {
        Some("user") => claims["idtyp"] = json!("user"),
        Some(_) => claims["idtyp"] = json!("app"),
        None => {}
    }
    claims
}

fn token(caller: &Caller) -> String {
    claims(caller).to_string().bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn protect(policy: &Value) -> Option<McpAuth> {
    let mut config = Config::new(RESOURCE, "https://auth.example.com").unwrap();
    config.resources[0].policy =
        Some(serde_json::from_value::<ScopePolicy>(policy.clone()).unwrap());
    // A policy with a fault, such as two rules for one URI, means nothing.
    McpAuth::builder(config).token_verifier(Claims).build().ok()
}

fn head(caller: Option<&Caller>) -> Parts {
    let mut request = Request::post("/mcp").header("content-type", "application/json");
    if let Some(caller) = caller {
        request = request.header("authorization", format!("Bearer {}", token(caller)));
    }
    request.body(()).unwrap().into_parts().0
}

/// The decision about this body.
fn decision(auth: &McpAuth, head: &Parts, body: &str) -> Decision {
    let decided = auth.decide(head).now_or_never().expect("nothing is waited for");
    match decided {
        Decision::ReadBody(pending) => {
            pending.decide(head, body.as_bytes()).now_or_never().expect("nothing is waited for")
        }
        decided => decided,
    }
}

/// The code of the decision about this body; `unreadable` for a 400.
fn decide(auth: &McpAuth, head: &Parts, body: &str) -> &'static str {
    match decision(auth, head, body) {
        Decision::Forward(_) => "ok",
        Decision::Reply(reply) if reply.status == 400 => "unreadable",
        Decision::Reply(reply) => reply.error.map_or("no reason", |error| error.code()),
        _ => "not decided",
    }
}

fn cases(short: u32) -> ProptestConfig {
    let is_long = std::env::var_os("MCP_AUTH_LONG_PROPERTIES").is_some();
    let cases = if is_long { short * 100 } else { short };
    ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() }
}

fn scopes() -> impl Strategy<Value = Value> {
    prop::sample::subsequence(vec!["a", "b", "c"], 0..=2).prop_map(|scopes| json!(scopes))
}

fn condition() -> impl Strategy<Value = Value> {
    let values = prop::sample::select(vec![json!("w"), json!(true), Value::Null]);
    (prop::sample::select(vec!["equals", "unless", "starts_with", ""]), values).prop_map(
        |(kind, value)| match kind {
            "" => json!({ "argument": "x", "scopes": ["c"] }),
            "starts_with" => json!({ "argument": "x", "scopes": ["c"], "starts_with": "w" }),
            kind => json!({ "argument": "x", "scopes": ["c"], kind: value }),
        },
    )
}

/// A rule; only those for tools and prompts may look at arguments.
fn rule(may_look: bool) -> impl Strategy<Value = Value> {
    let asks = (scopes(), 0..16_u8, condition()).prop_map(move |(all_of, more, condition)| {
        let mut rule = json!({ "all_of": all_of });
        match more {
            0 | 1 => rule["roles"] = json!(["admin"]),
            2 => rule["caller"] = json!("user"),
            3 => rule["caller"] = json!("client"),
            4 => rule["allowed_clients"] = json!(["console"]),
            5 => rule["any_of"] = json!([["a", "b"], ["c"]]),
            6..=9 if may_look => rule["when"] = json!([condition]),
            _ => {}
        }
        rule
    });
    let access = prop::sample::select(vec!["public", "optional"])
        .prop_map(|access| json!({ "access": access }));
    prop_oneof![3 => asks, 1 => access]
}

fn rules(names: &[&'static str], may_look: bool) -> impl Strategy<Value = Value> {
    let names = prop::sample::select(names.to_vec());
    prop::collection::btree_map(names.prop_map(str::to_owned), rule(may_look), 0..4)
        .prop_map(|rules| json!(rules))
}

const METHODS: [&str; 9] = [
    "tools/call",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "completion/complete",
    "tools/list",
    "ping",
    "tasks/get",
    "vendor/x",
];

fn policies() -> impl Strategy<Value = Value> {
    let named = (
        rules(&["t", "u"], true),
        rules(&["p", "q"], true),
        rules(&PATTERNS, false),
        rules(&METHODS, false),
    );
    (named, scopes(), any::<[bool; 3]>(), 0..8_u8).prop_map(|(named, require, flags, who)| {
        let (tools, prompts, resources, methods) = named;
        let mut policy = json!({
            "tools": tools, "prompts": prompts, "resources": resources, "methods": methods,
            "require": require, "deny_undeclared": flags[0], "strict_lists": flags[1],
        });
        if flags[2] {
            policy["implies"] = json!({ "b": ["c"], "a": ["b"] });
        }
        match who {
            0 => policy["caller"] = json!("user"),
            1 => policy["allowed_clients"] = json!(["console"]),
            _ => {}
        }
        policy
    })
}

fn callers() -> impl Strategy<Value = Option<Caller>> {
    let scopes = prop::sample::subsequence(vec!["a", "b", "c"], 0..=3);
    let roles = prop::sample::subsequence(vec!["admin", "staff"], 0..=2);
    let client = prop::option::of(prop::sample::select(vec!["console", "other"]));
    let kind = prop::option::of(prop::sample::select(vec!["user", "client"]));
    let somebody = (scopes, roles, client, kind);
    prop::option::weighted(
        0.8,
        somebody.prop_map(|(scopes, roles, client, kind)| Caller { scopes, roles, client, kind }),
    )
}

fn messages() -> impl Strategy<Value = Value> {
    let arguments = prop::sample::select(vec![
        json!({}),
        json!({ "x": "w" }),
        json!({ "x": "write" }),
        json!({ "x": true }),
        json!({ "x": null }),
        json!({ "y": 1 }),
    ]);
    let uri = prop::sample::select(URIS.to_vec());
    let name = prop::sample::select(vec!["t", "u", "p", "q", "other"]);
    (0..12_u8, name, uri, arguments).prop_map(|(kind, name, uri, arguments)| match kind {
        0 | 1 => message("tools/call", json!({ "name": name, "arguments": arguments })),
        2 => message("prompts/get", json!({ "name": name, "arguments": arguments })),
        3 => message("resources/read", json!({ "uri": uri })),
        4 => message("resources/subscribe", json!({ "uri": uri })),
        5 => message(
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": name },
                "argument": { "name": "z", "value": "" }, "context": { "arguments": arguments } }),
        ),
        6 => message(
            "completion/complete",
            json!({ "ref": { "type": "ref/resource", "uri": uri }, "argument": { "name": "z", "value": "" } }),
        ),
        7 => message("tools/list", json!({})),
        8 => message("ping", json!({})),
        9 => message("tasks/get", json!({ "taskId": "1" })),
        10 => message("vendor/x", json!({})),
        _ => message("vendor/x", json!({ "uri": uri })),
    })
}

/// A member that is added, and the objects of a message that it may be added to. Not added: an argument
/// that a condition of the policy names, because that is what `unless` and the tool itself are about.
fn additions() -> impl Strategy<Value = (&'static str, Value, usize)> {
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
    (names, prop_oneof![uri, other], 0..6_usize)
}

fn add(message: &Value, name: &str, value: Value, place: usize) -> Option<Value> {
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

/// The same JSON in another spelling: members in the other order, white space, every character escaped.
fn respelled(value: &Value, spelling: [bool; 3]) -> String {
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

/// The operation of a message that names one thing at most, as somebody writes it by hand.
fn operation(message: &Value) -> Option<Operation<'_>> {
    let params = &message["params"];
    let by_hand = match message["method"].as_str()? {
        "tools/call" => Operation::tool(params["name"].as_str()?),
        "prompts/get" => Operation::prompt(params["name"].as_str()?),
        "resources/read" => Operation::resource(params["uri"].as_str()?),
        "resources/subscribe" | "completion/complete" => return None,
        other if params.get("uri").is_none() => Operation::new(other),
        _ => return None,
    };
    Some(match params["arguments"].as_object() {
        Some(arguments) => by_hand.with_arguments(arguments.clone()),
        None => by_hand,
    })
}

/// What is left of a result that lists these items.
fn listed(forward: Forward, result: &Value) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let body = json!({ "jsonrpc": "2.0", "id": 7, "result": result }).to_string();
    let mut response = forward.respond(StatusCode::OK, &mut headers);
    let mut sent = Vec::new();
    for passage in [response.push(body.as_bytes()), response.end()] {
        match passage {
            Passage::Hold => {}
            Passage::Send(bytes) => sent.extend(bytes),
            other => panic!("{other:?}"),
        }
    }
    serde_json::from_slice::<Value>(&sent).unwrap()["result"].take()
}

/// A header or a query that somebody adds to a request, or a header that takes the place of another.
fn decorations() -> impl Strategy<Value = (&'static str, &'static str, bool)> {
    let names = prop::sample::select(vec![
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
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
        "GET",
        "/public",
        "application/json;charset=utf-8",
        "application/json;method=tools/list;name=t",
        "text/event-stream",
        "uri=n://b&name=t&public=true",
    ]);
    (names, values, any::<bool>())
}

fn decorated(head: &Parts, (name, value, is_instead): (&str, &str, bool)) -> Parts {
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

fn warnings(policy: &Value) -> Vec<String> {
    serde_json::from_value::<ScopePolicy>(policy.clone()).unwrap().warnings()
}

const SECTIONS: [(&str, &[&str]); 4] = [
    ("tools", &["t", "u"]),
    ("prompts", &["p", "q"]),
    ("resources", &PATTERNS),
    ("methods", &METHODS),
];

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn the_reference_says_the_same(policy in policies(), caller in callers(), sent in prop::collection::vec(messages(), 8)) {
        let Some(auth) = protect(&policy) else { return Ok(()) };
        let head = head(caller.as_ref());
        let reference = Reference { policy: &policy, caller: caller.as_ref() };
        for message in sent {
            let code = decide(&auth, &head, &message.to_string());
            prop_assert_eq!(code, reference.code(&message), "{}\n{:?}\n{}", policy, caller, message);
            let batch = decide(&auth, &head, &json!([message]).to_string());
            prop_assert_eq!(batch, code, "a batch of one: {}\n{}", policy, message);
        }
    }

    #[test]
    fn more_scopes_never_refuse(policy in policies(), caller in callers(), message in messages()) {
        let (Some(auth), Some(mut caller)) = (protect(&policy), caller) else { return Ok(()) };
        let before = decide(&auth, &head(Some(&caller)), &message.to_string());
        caller.scopes = vec!["a", "b", "c", "d"];
        let after = decide(&auth, &head(Some(&caller)), &message.to_string());
        prop_assert!(before != "ok" || after == "ok", "{after}: {policy}\n{message}");
        prop_assert!(after != "insufficient_scope", "{policy}\n{message}");
    }

    #[test]
    fn nothing_that_is_added_admits(
        policy in policies(), caller in callers(), message in messages(),
        more in prop::collection::vec(additions(), 8),
    ) {
        let Some(auth) = protect(&policy) else { return Ok(()) };
        let head = head(caller.as_ref());
        if decide(&auth, &head, &message.to_string()) == "ok" {
            return Ok(());
        }
        for (name, value, place) in more {
            // `arguments` as a whole is what a call says, so it may fulfil an `unless`.
            let says_arguments = name == "arguments" && place == 1;
            let Some(added) = add(&message, name, value, place) else { continue };
            if says_arguments {
                continue;
            }
            let code = decide(&auth, &head, &added.to_string());
            prop_assert!(code != "ok", "{policy}\n{caller:?}\n{added}");
            let batch = decide(&auth, &head, &json!([added, message]).to_string());
            prop_assert!(batch != "ok", "a batch: {policy}\n{caller:?}\n{added}");
        }
    }

    #[test]
    fn how_a_message_is_written_changes_nothing(
        policy in policies(), caller in callers(), message in messages(), spelling in any::<[bool; 3]>(),
    ) {
        let Some(auth) = protect(&policy) else { return Ok(()) };
        let head = head(caller.as_ref());
        let written = respelled(&message, spelling);
        prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), message.clone());
        let (one, other) = (decide(&auth, &head, &message.to_string()), decide(&auth, &head, &written));
        prop_assert_eq!(one, other, "{}\n{}", policy, written);
    }

    #[test]
    fn an_explanation_names_the_rules_that_apply(
        policy in policies(), caller in callers(), sent in prop::collection::vec(messages(), 8),
    ) {
        let Some(auth) = protect(&policy) else { return Ok(()) };
        let reference = Reference { policy: &policy, caller: caller.as_ref() };
        let somebody = caller.as_ref().map(|caller| {
            let claims = claims(caller).as_object().unwrap().clone();
            AuthInfo::from_verified_claims(claims).unwrap()
        });
        for message in &sent {
            let Some(operation) = operation(message) else { continue };
            let explanation = auth.explain("/mcp", somebody.as_ref(), &operation).unwrap();
            let mut rules = explanation.rules;
            rules.sort();
            prop_assert_eq!(Some(rules), reference.rules(message), "{}\n{}", policy, message);
            let code = if explanation.allowed { "ok" } else { explanation.code };
            prop_assert_eq!(code, reference.code(message), "{}\n{:?}\n{}", policy, caller, message);
        }
    }

    #[test]
    fn lists_show_what_could_be_called(policy in policies(), caller in callers()) {
        let Some(auth) = protect(&policy) else { return Ok(()) };
        let head = head(caller.as_ref());
        let reference = Reference { policy: &policy, caller: caller.as_ref() };
        let kinds = [
            ("tools/list", "tools", "tools/call", "name", &["t", "u", "other"][..]),
            ("prompts/list", "prompts", "prompts/get", "name", &["p", "q", "other"]),
            ("resources/list", "resources", "resources/read", "uri", &URIS),
        ];
        let list = |is_shown: &dyn Fn(&Value) -> bool| {
            let all = kinds.map(|(_, section, call, member, names)| {
                let items = names.iter().map(|name| json!({ member: name }));
                let shown = items.filter(|item| is_shown(&message(call, item.clone())));
                (section.to_owned(), Value::from_iter(shown))
            });
            Value::from_iter(all)
        };
        let (whole, expected) = (list(&|_| true), list(&|call| reference.lists(call)));
        for (method, ..) in kinds {
            let asked = message(method, json!({})).to_string();
            let Decision::Forward(forward) = decision(&auth, &head, &asked) else { continue };
            // Lists of all kinds are looked at in every response.
            let shown = listed(forward, &whole);
            prop_assert_eq!(&shown, &expected, "{}\n{:?}\n{}", policy, caller, method);
        }
    }

    #[test]
    fn no_header_and_no_query_admits(
        policy in policies(), caller in callers(), message in messages(),
        more in prop::collection::vec(decorations(), 6),
    ) {
        let Some(auth) = protect(&policy) else { return Ok(()) };
        let head = head(caller.as_ref());
        if decide(&auth, &head, &message.to_string()) == "ok" {
            return Ok(());
        }
        let mut together = head.clone();
        for one in more {
            together = decorated(&together, one);
            // Alone, too: one that contradicts the body would hide those that come after it.
            for head in [&together, &decorated(&head, one)] {
                let code = decide(&auth, head, &message.to_string());
                prop_assert!(code != "ok", "{policy}\n{caller:?}\n{message}\n{head:?}");
            }
        }
    }

    /// Where a narrower rule takes the place of a broader one and asks for less, that is warned of.
    #[test]
    fn asking_for_more_admits_nobody(
        policy in policies(), who in prop::collection::vec(callers(), 3), sent in messages(),
        section in prop::sample::select(vec![0, 1, 2, 2, 2, 3]), name in any::<prop::sample::Index>(),
        rule in rule(false),
    ) {
        let (section, names) = SECTIONS[section];
        let name = *name.get(names);
        let is_open = |rule: &Value| rule.get("access").is_some();
        let mut stricter = policy.clone();
        match policy[section].get(name) {
            None if !is_open(&rule) => stricter[section][name] = rule,
            Some(old) if is_open(old) => {
                stricter[section].as_object_mut().unwrap().remove(name);
            }
            _ => return Ok(()),
        }
        let (Some(one), Some(other)) = (protect(&policy), protect(&stricter)) else { return Ok(()) };
        let before = warnings(&policy);
        let is_warned = section == "resources"
            && warnings(&stricter).iter().any(|warning| !before.contains(warning));
        // To declare something under `deny_undeclared` is to allow it.
        let declares = policy["deny_undeclared"] == true && policy[section].get(name).is_none();
        let mut all = vec![sent];
        if section == "resources" {
            all.extend(URIS.map(|uri| message("resources/read", json!({ "uri": uri }))));
        }
        for (caller, message) in who.iter().flat_map(|caller| all.iter().map(move |one| (caller, one))) {
            let (head, body) = (head(caller.as_ref()), message.to_string());
            let admits_more =
                decide(&one, &head, &body) != "ok" && decide(&other, &head, &body) == "ok";
            let is_meant = declares || is_warned;
            prop_assert!(!admits_more || is_meant, "{policy}\n{stricter}\n{caller:?}\n{message}");
        }
    }
}
