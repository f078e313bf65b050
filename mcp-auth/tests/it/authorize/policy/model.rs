//! Over generated policies, callers and messages: the SDK and the reference beside it say the same, and
//! nothing that is added to a refused message admits it.
//!
//! `MCP_AUTH_LONG_PROPERTIES=1` runs a hundred times as many cases.

mod added;
mod careless;
mod generated;

use std::sync::LazyLock;

use axum::http::{HeaderMap, Request, StatusCode, request::Parts};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mcp_auth::decision::{Decision, Forward, Passage};
use mcp_auth::{
    AuthError, AuthInfo, Authorizer as _, Config, McpAuth, Operation, ScopePolicy, TokenVerifier,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use self::added::{add, additions, decorated, decorations, repeated, respelled, texts, with_text};
use self::generated::{SECTIONS, TEMPLATES, URIS, callers, everybody, messages, policies, rule};
use super::message;
use super::reference::{Caller, Reference};
use crate::support::RESOURCE;

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
        "groups": caller.groups, "permissions": caller.permissions,
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
    let mirrored = [("t".to_owned(), [("X".to_owned(), "x".to_owned())].into())];
    config.resources[0].mirrored_arguments = mirrored.into();
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

/// The operation of a message that names one thing at most, as somebody writes it by hand.
fn operation(message: &Value) -> Option<Operation<'_>> {
    let params = &message["params"];
    let by_hand = match message["method"].as_str()? {
        "tools/call" => Operation::tool(params["name"].as_str()?),
        "prompts/get" => Operation::prompt(params["name"].as_str()?),
        "resources/read" => Operation::resource(params["uri"].as_str()?),
        "resources/subscribe" | "completion/complete" | "subscriptions/listen" => return None,
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

/// Anybody may do what is below `n://a/`.
static OPEN_BELOW_A: LazyLock<McpAuth> = LazyLock::new(|| {
    let policy = json!({ "resources": { "n://a/*": { "access": "public" } }, "require": ["a"] });
    protect(&policy).unwrap()
});

fn warnings(policy: &Value) -> Vec<String> {
    serde_json::from_value::<ScopePolicy>(policy.clone()).unwrap().warnings()
}

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

    /// Unless another rule is about the URI with it, or about what a careless server reads, which is open, declares it, or
    /// takes the place of one that asks for more, of which a warning tells.
    #[test]
    fn nothing_that_is_added_to_a_uri_admits(
        policy in policies(), caller in callers(), message in messages(),
        more in prop::collection::vec(texts(), 8),
    ) {
        let Some(auth) = protect(&policy) else { return Ok(()) };
        let head = head(caller.as_ref());
        if decide(&auth, &head, &message.to_string()) == "ok" {
            return Ok(());
        }
        // Of several resources, nobody could tell below which of them a rule is about.
        let listened_to = message["params"]["notifications"]["resourceSubscriptions"].as_array();
        if listened_to.is_some_and(|uris| uris.len() > 1) {
            return Ok(());
        }
        let reference = Reference { policy: &policy, caller: caller.as_ref() };
        let before = reference.named_rules(&message);
        let warned = warnings(&policy);
        for (text, is_first) in more {
            let Some(longer) = with_text(&message, text, is_first) else { continue };
            let after = reference.named_rules(&longer);
            // What was added makes it another resource, which a rule names.
            let was_undeclared = policy["deny_undeclared"] == true && !reference.declares_all(&message);
            let declares = was_undeclared && !after.is_empty();
            let opens = !reference.open_for_a_reading(&longer).is_subset(&before);
            let is_warned = before.difference(&after).any(|gone| {
                let is_instead = |new: &String| {
                    let begin = format!("{new} takes the place of {gone} ");
                    warned.iter().any(|warning| warning.starts_with(&begin))
                };
                after.iter().any(is_instead)
            });
            let code = decide(&auth, &head, &longer.to_string());
            let is_meant = declares || opens || is_warned;
            prop_assert!(code != "ok" || is_meant, "{policy}\n{caller:?}\n{message}\n{longer}");
        }
    }

    #[test]
    fn a_narrower_rule_that_asks_for_less_is_warned_of(policy in policies()) {
        if protect(&policy).is_none() {
            return Ok(());
        }
        let reference = Reference { policy: &policy, caller: None };
        let expected = reference.warned(&everybody());
        let warnings = warnings(&policy);
        for (narrow, broad) in &expected {
            let begin = format!("{narrow} takes the place of {broad} ");
            let is_warned = warnings.iter().any(|warning| warning.starts_with(&begin));
            prop_assert!(is_warned, "{begin}: {policy}\n{warnings:?}");
        }
        prop_assert_eq!(warnings.len(), expected.len(), "{}\n{:?}", policy, warnings);
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

    /// Headers that repeat a message change nothing; others can have it refused, and nothing else.
    #[test]
    fn headers_decide_nothing_but_that_they_are_wrong(
        policy in policies(), caller in callers(), message in messages(),
        more in prop::collection::vec(decorations(), 6),
    ) {
        let Some(auth) = protect(&policy) else { return Ok(()) };
        let head = head(caller.as_ref());
        let body = message.to_string();
        let plain = decide(&auth, &head, &body);
        let mut repeating = repeated(&head, &message);
        prop_assert_eq!(decide(&auth, &repeating, &body), plain, "{}\n{:?}\n{}", policy, caller, message);
        for one in more {
            repeating = decorated(&repeating, one);
            for head in [&repeating, &decorated(&head, one)] {
                let code = decide(&auth, head, &body);
                let is_refused = matches!(code, "unreadable" | "unsupported_media_type");
                prop_assert!(code == plain || is_refused, "{policy}\n{caller:?}\n{message}\n{head:?}");
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

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn no_value_of_a_completion_leaves_what_is_open(
        template in prop::sample::select(careless::TEMPLATES.to_vec()), chosen in careless::VALUES, begun in careless::VALUES,
    ) {
        let params = json!({
            "ref": { "type": "ref/resource", "uri": template }, "argument": { "name": "b", "value": begun },
            "context": { "arguments": { "c": chosen } },
        });
        let body = message("completion/complete", params).to_string();
        let code = decide(&OPEN_BELOW_A, &head(None), &body);
        let is_refused = code != "ok";
        prop_assert!(is_refused || !careless::leaves(template, &chosen, &begun), "{template} {chosen:?} {begun:?}");
    }
}

proptest! {
    // A template stands for hundreds of URIs.
    #![proptest_config(cases(100))]

    #[test]
    fn a_template_is_listed_if_something_of_it_could_be_read(policy in policies(), caller in callers()) {
        let Some(auth) = protect(&policy) else { return Ok(()) };
        let head = head(caller.as_ref());
        let asked = message("resources/templates/list", json!({})).to_string();
        let Decision::Forward(forward) = decision(&auth, &head, &asked) else { return Ok(()) };
        let items = TEMPLATES.map(|template| json!({ "uriTemplate": template }));
        let shown = listed(forward, &json!({ "resourceTemplates": items }));
        let shown = shown["resourceTemplates"].as_array().unwrap();
        let reference = Reference { policy: &policy, caller: caller.as_ref() };
        for template in TEMPLATES {
            let is_shown = shown.iter().any(|item| item["uriTemplate"] == template);
            let could_read = reference.lists_template(template);
            let is_one_rule = policy["resources"].as_object().unwrap().len() == 1;
            let agrees = if is_one_rule { is_shown == could_read } else { is_shown || !could_read };
            prop_assert!(agrees, "{policy}\n{caller:?}\n{template}: {is_shown}");
        }
    }
}
