//! Policies, callers and messages that fit each other.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::message;
use super::super::reference::Caller;

pub(super) const URIS: [&str; 9] = [
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

pub(super) const SECTIONS: [(&str, &[&str]); 4] = [
    ("tools", &["t", "u"]),
    ("prompts", &["p", "q"]),
    ("resources", &PATTERNS),
    ("methods", &METHODS),
];

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
pub(super) fn rule(may_look: bool) -> impl Strategy<Value = Value> {
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

pub(super) fn policies() -> impl Strategy<Value = Value> {
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

pub(super) fn callers() -> impl Strategy<Value = Option<Caller>> {
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

pub(super) fn messages() -> impl Strategy<Value = Value> {
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
