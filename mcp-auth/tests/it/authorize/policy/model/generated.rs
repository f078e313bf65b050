//! Policies, callers and messages that fit each other.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::message;
use super::super::reference::Caller;

pub(super) const URIS: [&str; 37] = [
    "n://a",
    "n://a/",
    "n://a/1",
    "n://a/1/",
    "n://a/b/c",
    "n://b",
    "m://a",
    "N://A",
    "n://%61/%31",
    "n://a/%7E1",
    "n://é/1",
    "n://%C3%A9/1",
    // With queries.
    "n://a?q=1",
    "n://a/?q=1",
    "n://a/1?q=1",
    "n://a?q=1&z=2",
    "n://a?z=2&q=1",
    "n://a?q=1&q=2",
    "n://a?q=",
    "n://a?q",
    "n://a?%71=1",
    "n://a?",
    "n://a?q=1%3Bz=2",
    "n://a?q=1%26z",
    "n://a?q=1%26z=2",
    "n://a?q=1%2B1",
    "n://a;x=1",
    "n://a;x/1;y?q=1",
    "n://a/;x",
    // Their host may be another one for some readers.
    "n://É",
    "n://%C3%89/1",
    // They can be read in two ways, but for the last.
    "n://a?q=1;z=2",
    "n://a/../b",
    "n://a#b",
    "n://a%2F1",
    "n://a/%2541",
    "n://a/%25",
];

pub(super) const TEMPLATES: [&str; 26] = [
    "n://a",
    "n://a/",
    "N://A/1",
    "n://a?q=1&z=2",
    "n://a/{id}",
    "n://a/{id}/",
    "n://{h}",
    "n://{h}/{id}",
    "n://{h}/1",
    "n://{+p}",
    "n://a/{+p}",
    "n://a{?q}",
    "n://a/{id}{?q}",
    "{+u}",
    "m://{h}",
    "{s}://a",
    "n://a?q={x}",
    "n://a?q=1&z={x}",
    "n://a/{id}?q={x}",
    "n://é/{id}",
    "n://a/../{id}",
    "n://a/{id}{/x}",
    "n://a/{id}{+p}",
    "n://a/b{/id}",
    "n://a/{id*}",
    // More expressions than are looked at.
    "n://a/{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}",
];

const PATTERNS: [&str; 23] = [
    "*",
    "n://*",
    "n://a",
    "n://a/",
    "n://a/*",
    "n://a/{id}",
    "n://a/{+p}",
    "n://a/1",
    "n://{h}",
    "n://{h}/{id}",
    "n://{h}/1",
    "n://{+p}?q={x}",
    "n://a?q={x}",
    "n://a{?q}",
    "n://a?z={x}",
    "n://a?q={x}&z={y}",
    "n://a?q=1",
    "n://a/{id}?q={x}",
    "n://a/1?z={x}",
    "n://é/{id}",
    "n://b",
    "{+u}",
    "{s}://a",
];

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
    let asks = (scopes(), 0..18_u8, condition()).prop_map(move |(all_of, more, condition)| {
        let mut rule = json!({ "all_of": all_of });
        match more {
            0 | 1 => rule["roles"] = json!(["admin"]),
            2 => rule["caller"] = json!("user"),
            3 => rule["caller"] = json!("client"),
            4 => rule["allowed_clients"] = json!(["console"]),
            5 => rule["any_of"] = json!([["a", "b"], ["c"]]),
            10 => rule["groups"] = json!(["g"]),
            11 => rule["permissions"] = json!(["x"]),
            12 => rule["permissions"] = json!(["x", "y"]),
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
    prop::collection::btree_map(names.prop_map(str::to_owned), rule(may_look), 0..5)
        .prop_map(|rules| json!(rules))
}

const METHODS: [&str; 10] = [
    "tools/call",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "completion/complete",
    "subscriptions/listen",
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
    let groups = prop::sample::subsequence(vec!["g", "h"], 0..=2);
    let permissions = prop::sample::subsequence(vec!["x", "y"], 0..=2);
    let somebody = (scopes, roles, groups, permissions, client, kind);
    prop::option::weighted(
        0.8,
        somebody.prop_map(|(scopes, roles, groups, permissions, client, kind)| Caller {
            scopes,
            roles,
            groups,
            permissions,
            client,
            kind,
        }),
    )
}

/// Callers of all kinds whom some rule could tell apart.
pub(super) fn everybody() -> Vec<Caller> {
    let mut all = vec![Caller::default()];
    let mut vary = |change: fn(&mut Caller)| {
        let changed = all.iter().cloned().map(|mut caller| {
            change(&mut caller);
            caller
        });
        let changed: Vec<_> = changed.collect();
        all.extend(changed);
    };
    vary(|caller| caller.scopes.push("a"));
    vary(|caller| caller.scopes.push("b"));
    vary(|caller| caller.scopes.push("c"));
    vary(|caller| caller.roles.push("admin"));
    vary(|caller| caller.groups.push("g"));
    vary(|caller| caller.permissions.push("x"));
    vary(|caller| caller.permissions.push("y"));
    vary(|caller| caller.client = Some("console"));
    vary(|caller| caller.kind = Some("user"));
    vary(|caller| caller.kind = Some("client"));
    all
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
    let uris = prop::collection::vec(uri.clone(), 0..3);
    let template = prop::sample::select(TEMPLATES.to_vec());
    let values = prop::sample::select(vec!["1", "a", "b", "a/b", "..", "{h}", "1&z=2"]);
    let variable = prop::sample::select(vec!["h", "id", "p", "q", "x"]);
    let chosen = prop::collection::btree_map(variable.clone(), values.clone(), 0..3);
    let begun = (variable, prop_oneof![2 => Just(""), 1 => values]);
    let begun = begun.prop_map(|(name, value)| json!({ "name": name, "value": value }));
    let texts = prop::sample::select(vec!["", "", "w", "write"]);
    let begun_of_prompt = (prop::sample::select(vec!["x", "z"]), texts)
        .prop_map(|(name, value)| json!({ "name": name, "value": value }));
    let begun = (begun, begun_of_prompt);
    let things = (name, uri, uris, arguments, template, chosen, begun);
    (0..18_u8, things).prop_map(
        |(kind, (name, uri, uris, arguments, template, chosen, (begun, begun_of_prompt)))| {
            match kind {
                0 | 1 => message("tools/call", json!({ "name": name, "arguments": arguments })),
                2 => message("prompts/get", json!({ "name": name, "arguments": arguments })),
                3 | 4 => message("resources/read", json!({ "uri": uri })),
                5 => message("resources/subscribe", json!({ "uri": uri })),
                6 => message(
                    "completion/complete",
                    json!({ "ref": { "type": "ref/prompt", "name": name },
                "argument": begun_of_prompt, "context": { "arguments": arguments } }),
                ),
                7..=9 => message(
                    "completion/complete",
                    json!({ "ref": { "type": "ref/resource", "uri": template },
                "argument": begun, "context": { "arguments": chosen } }),
                ),
                10 | 11 => message(
                    "subscriptions/listen",
                    json!({ "notifications": { "resourceSubscriptions": uris } }),
                ),
                12 => message("tools/list", json!({})),
                13 => message("tools/list", json!({ "uri": uri })),
                14 => message("ping", json!({})),
                15 => message("tasks/get", json!({ "taskId": "1" })),
                16 => message("vendor/x", json!({})),
                _ => message("vendor/x", json!({ "uri": uri })),
            }
        },
    )
}
