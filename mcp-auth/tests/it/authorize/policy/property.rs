//! For any policy and any token: what is listed as callable is callable, and what is denied never
//! runs.

use mcp_auth::policy::Requirement;
use mcp_auth::{ScopePolicy, Scopes};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{PolicyServer, message, tool_call};

const TOOLS: [&str; 4] = ["one", "two", "three", "undeclared"];

fn scopes() -> impl Strategy<Value = Scopes> {
    prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=3)
        .prop_map(|list| list.iter().collect())
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let any_of = prop::collection::vec(scopes(), 0..3);
    let role = prop::option::of(prop::sample::select(vec!["admin", "user"]));
    (scopes(), any_of, role, 0..8_u8).prop_map(|(all_of, any_of, role, access)| {
        if access == 0 {
            return Requirement::public();
        }
        let mut requirement = Requirement::all_of(all_of.iter());
        let any_of: Vec<_> = any_of.into_iter().filter(|set| !set.is_empty()).collect();
        if !any_of.is_empty() {
            requirement = requirement.any_of(any_of);
        }
        requirement.roles = role.map(|role| vec![role.to_owned()]);
        requirement
    })
}

fn policy() -> impl Strategy<Value = ScopePolicy> {
    let rules = [requirement(), requirement(), requirement()];
    let implies = prop::sample::subsequence(vec![("a", "b"), ("b", "c"), ("a", "d")], 0..=3);
    (scopes(), rules, implies, any::<bool>(), any::<bool>()).prop_map(
        |(baseline, rules, implies, deny, strict)| {
            let mut policy = ScopePolicy::new().require(baseline.iter());
            for (name, rule) in TOOLS.into_iter().zip(rules) {
                policy = policy.require_for_tool(name, rule);
            }
            let mut all = std::collections::BTreeMap::<&str, Vec<&str>>::new();
            for (broad, narrow) in implies {
                all.entry(broad).or_default().push(narrow);
            }
            for (broad, narrow) in all {
                policy = policy.implies(broad, narrow);
            }
            policy.deny_undeclared = deny;
            policy.strict_lists = strict;
            policy
        },
    )
}

fn tools_of(answer: &Value) -> Vec<String> {
    let tools = answer["result"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..Default::default() })]

    #[test]
    fn lists_and_calls_agree(
        policy in policy(),
        granted in scopes(),
        roles in prop::sample::subsequence(vec!["admin", "user"], 0..=2),
    ) {
        Runtime::new().unwrap().block_on(async {
            let strict = policy.strict_lists;
            let list = |_: &Value| json!({ "tools": TOOLS.map(|name| json!({ "name": name })) });
            let server = PolicyServer::answering(policy, |config| config, |builder| builder, list).await;
            let token = server.mint(&granted.to_string()).claim("roles", json!(roles)).sign();
            let (answer, _) = server.post(Some(&token), &[], message("tools/list", json!({})).to_string()).await;
            // The baseline itself may be missing: then nothing is listed.
            let listed = if answer.status.is_success() { tools_of(&answer.json()) } else { Vec::new() };
            let may_list = answer.status.is_success();
            for name in TOOLS {
                let (answer, ran) = server.post(Some(&token), &[], tool_call(name).to_string()).await;
                assert_eq!(ran.is_empty(), answer.error.is_some(), "what is denied never runs");
                let is_listed = listed.iter().any(|listed| listed == name);
                match answer.code() {
                    "ok" => assert!(is_listed || !may_list, "{name} can be called and is not listed"),
                    "policy_denied" => assert!(!is_listed, "{name} is listed and forbidden"),
                    "insufficient_scope" => {
                        assert_eq!(is_listed, may_list && !strict, "{name} could be unlocked");
                        // Asking for what the challenge says is enough.
                        let challenge = answer.challenge().unwrap();
                        let asked = challenge.split("scope=\"").nth(1).unwrap().split('"').next().unwrap();
                        let token = server.mint(asked).claim("roles", json!(roles)).sign();
                        let (answer, _) = server.post(Some(&token), &[], tool_call(name).to_string()).await;
                        assert_eq!(answer.code(), "ok", "{name} with {asked}");
                    }
                    other => panic!("{name}: {other}"),
                }
            }
        });
    }
}
