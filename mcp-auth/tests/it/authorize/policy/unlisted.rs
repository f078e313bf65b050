//! A rule for what no list shows is warned of, once.

use std::sync::{Arc, Mutex};

use mcp_auth::ScopePolicy;
use serde_json::{Value, json};

use super::{PolicyServer, message};
use crate::support::log::Log;

/// A server whose answers a test chooses.
struct Lists {
    server: PolicyServer,
    answer: Arc<Mutex<Value>>,
}

impl Lists {
    async fn start(policy: ScopePolicy) -> Self {
        Log::start();
        let answer = Arc::new(Mutex::new(json!({})));
        let given = answer.clone();
        let result = move |_: &Value| given.lock().unwrap().clone();
        let server =
            PolicyServer::answering(policy, |config| config, |builder| builder, result).await;
        Self { server, answer }
    }

    /// Asks for a list that is answered so; the warnings that were logged of it.
    async fn ask(&self, method: &str, params: Value, answer: Value) -> Vec<String> {
        *self.answer.lock().unwrap() = answer;
        let token = self.server.mint("").sign();
        Log::take();
        let (reply, _) =
            self.server.post(Some(&token), &[], message(method, params).to_string()).await;
        assert_eq!(reply.status, 200);
        let log = Log::take();
        log.lines().filter(|line| line.contains("no list has shown")).map(str::to_owned).collect()
    }
}

fn named(member: &str, names: &[&str]) -> Value {
    names.iter().map(|name| json!({ member: name })).collect()
}

#[tokio::test]
async fn a_rule_for_a_tool_or_a_prompt_that_no_list_shows_is_warned_of_once_with_the_nearest_name()
{
    for (kind, list) in [("tools", "tools/list"), ("prompts", "prompts/list")] {
        let policy: ScopePolicy = serde_json::from_value(
            json!({ kind: { "add_note": "w", "deleteNote": "w", "unlike": "w" } }),
        )
        .unwrap();
        let lists = Lists::start(policy).await;
        let answer = json!({ kind: named("name", &["list_notes", "add_note", "delete_note"]) });
        let warnings = lists.ask(list, json!({}), answer.clone()).await;
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains(&format!("{kind}.deleteNote")), "{warnings:?}");
        assert!(warnings[0].contains("did_you_mean=\"delete_note\""), "{warnings:?}");
        assert!(warnings[0].contains("WARN"), "{warnings:?}");
        assert!(warnings[1].contains(&format!("{kind}.unlike")), "{warnings:?}");
        assert!(!warnings[1].contains("did_you_mean"), "{warnings:?}");
        assert_eq!(lists.ask(list, json!({}), answer).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn many_rules_and_a_long_list_are_compared_only_in_part() {
    let mut policy = ScopePolicy::new();
    for number in 0..1000 {
        policy = policy.require_for_tool(format!("tool_{number:04}x"), ["w"]);
    }
    let lists = Lists::start(policy).await;
    let names: Vec<_> = (0..5000).map(|number| format!("tool_{number:04}")).collect();
    let shown: Vec<_> = names.iter().map(String::as_str).collect();
    let warnings =
        lists.ask("tools/list", json!({}), json!({ "tools": named("name", &shown) })).await;
    assert_eq!(warnings.len(), 1000);
    let with_nearest = warnings.iter().filter(|one| one.contains("did_you_mean")).count();
    assert_eq!(with_nearest, 16);
}

#[tokio::test]
async fn a_list_that_is_not_whole_says_nothing_of_what_it_does_not_show() {
    let policy = ScopePolicy::new().require_for_tool("b", ["w"]).require_for_tool("c", ["w"]);
    let lists = Lists::start(policy).await;
    let no_warning = Vec::<String>::new();
    let first = json!({ "tools": named("name", &["a", "b"]), "nextCursor": "2" });
    assert_eq!(lists.ask("tools/list", json!({}), first).await, no_warning);
    let last = json!({ "tools": named("name", &["x"]) });
    assert_eq!(lists.ask("tools/list", json!({ "cursor": "2" }), last.clone()).await, no_warning);
    // Neither is what another method answers, nor a result without a list.
    assert_eq!(lists.ask("tools/call", json!({ "name": "a" }), last.clone()).await, no_warning);
    assert_eq!(lists.ask("tools/list", json!({}), json!({ "tools": null })).await, no_warning);
    // What the first page has shown was there, so only the other rule is warned of.
    let warnings = lists.ask("tools/list", json!({ "cursor": null }), last).await;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("tools.c"), "{warnings:?}");
}

#[tokio::test]
async fn a_pattern_is_warned_of_when_neither_resources_nor_templates_have_shown_something_of_it() {
    let policy = ScopePolicy::new()
        .require_for_resource("notes://{id}", ["r"])
        .require_for_resource("notes://*", ["r"])
        .require_for_resource("files://{+path}", ["r"])
        .require_for_resource("note://{id}", ["r"]);
    let lists = Lists::start(policy).await;
    let resources = json!({ "resources": named("uri", &["notes://1", "other:x"]) });
    assert_eq!(
        lists.ask("resources/list", json!({}), resources).await,
        Vec::<String>::new(),
        "the templates may show the others"
    );
    let templates = json!({ "resourceTemplates": named("uriTemplate", &["files://{+path}"]) });
    let warnings = lists.ask("resources/templates/list", json!({}), templates).await;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("resources.note://{id}"), "{warnings:?}");
}
