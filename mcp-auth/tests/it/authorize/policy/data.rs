//! A policy as data means what the builder means, and every fault in it is listed.

use mcp_auth::policy::{Access, ArgumentRule, Requirement};
use mcp_auth::{AuthInfo, Config, McpAuth, Operation, Principal, ProtectedResource, ScopePolicy};
use serde_json::{Value, json};

use crate::support::RESOURCE;

const TOML: &str = r#"
require = "mcp"
deny_undeclared = true
strict_lists = true
roles_claim = "/realm_access/roles"

[implies]
"notes:write" = ["notes:read"]

[tools]
read_note = "notes:read"
delete_note = ["notes:write", "notes:delete"]

[tools.wipe]
all_of = ["notes:write"]
any_of = [["a", "b"], "c"]
roles = ["admin"]
caller = "user"
allowed_clients = ["console"]
when = [{ argument = "all", equals = true, scopes = ["notes:all"] }]

[tools.about]
access = "public"

[resources]
"notes://{id}" = ["notes:read"]

[prompts]
summary = { permissions = ["p"], groups = ["g"] }

[methods]
"tasks/get" = {}
"#;

fn built() -> ScopePolicy {
    let wipe = Requirement::all_of(["notes:write"])
        .any_of(["a b", "c"])
        .roles(["admin"])
        .caller(Principal::User)
        .allowed_clients(["console"])
        .when(ArgumentRule::new("all", ["notes:all"]).equals(true));
    let mut policy = ScopePolicy::new()
        .require(["mcp"])
        .deny_undeclared()
        .strict_lists()
        .implies("notes:write", ["notes:read"])
        .require_for_tool("read_note", ["notes:read"])
        .require_for_tool("delete_note", ["notes:write", "notes:delete"])
        .require_for_tool("wipe", wipe)
        .require_for_tool("about", Requirement::public())
        .require_for_resource("notes://{id}", ["notes:read"])
        .require_for_prompt("summary", Requirement::default().permissions(["p"]).groups(["g"]))
        .require_for_method("tasks/get", Requirement::default());
    policy.roles_claim = "/realm_access/roles".to_owned();
    policy
}

#[test]
fn data_and_builder_mean_the_same() {
    let read: ScopePolicy = toml::from_str(TOML).unwrap();
    assert_eq!(read, built());
    let json = serde_json::to_value(&read).unwrap();
    assert_eq!(serde_json::from_value::<ScopePolicy>(json).unwrap(), read);
}

/// The data of the documentation means what the code beside it means.
#[test]
fn the_page_on_policies_is_right() {
    let page = include_str!("../../../../../docs/policies.md");
    let data = page.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    let config: Config = toml::from_str(data).unwrap();
    config.check().unwrap();
    let built = ScopePolicy::new()
        .require(["mcp"])
        .require_for_tool("read_note", ["notes:read"])
        .require_for_tool("delete_note", ["notes:write"])
        .require_for_tool("wipe", Requirement::all_of(["notes:write"]).roles(["admin"]))
        .require_for_resource("notes://{id}", ["notes:read"])
        .implies("notes:write", ["notes:read"])
        .deny_undeclared();
    assert_eq!(config.resources[0].policy, Some(built));
}

#[test]
fn every_fault_of_a_policy_is_listed_beside_those_of_the_configuration() {
    let policy: ScopePolicy = serde_json::from_value(json!({
        "require": "quo\"te",
        "implies": { "a": "b", "b": "c", "c": "a" },
        "tools": { "": "x", "t": { "any_of": [""], "roles": [""] }, "p": { "access": "public", "all_of": "x" } },
        "resources": { "notes://{": "x", "NOTES://a": "x", "notes://a": "y" },
        "methods": { "vendor/m": { "when": [{ "scopes": "x" }, { "argument": "a" }, { "argument": "a", "scopes": "x", "unless": 1, "equals": 2 }] } },
        "roles_claim": "",
    }))
    .unwrap();
    let mut resource = ProtectedResource::new(RESOURCE, ["http://as.example"]);
    resource.policy = Some(policy.clone());
    let faults = McpAuth::new(Config::default().protect_resource(resource)).unwrap_err().faults;
    let starts = [
        "resources[0].authorization_servers[0].issuer:",
        "resources[0].policy.require:",
        "resources[0].policy.implies: \"a\" includes itself",
        "resources[0].policy.implies: \"b\" includes itself",
        "resources[0].policy.implies: \"c\" includes itself",
        "resources[0].policy.tools: a rule without a name",
        "resources[0].policy.tools.t.any_of:",
        "resources[0].policy.tools.t: an empty name",
        "resources[0].policy.tools.p: who needs no token needs nothing else",
        "resources[0].policy.resources.notes://{: `{` without `}`",
        "resources.NOTES://a is for the same URI",
        "resources[0].policy.methods.vendor/m.when: `argument` must be set",
        "resources[0].policy.methods.vendor/m.when: `scopes` must be set",
        "resources[0].policy.methods.vendor/m.when: `equals`, `starts_with` and `unless` stand alone",
        "resources[0].policy.methods.vendor/m.when: there are no arguments",
        "resources[0].policy.roles_claim",
    ];
    for start in starts {
        assert!(faults.iter().any(|fault| fault.contains(start)), "{start} is not in {faults:#?}");
    }
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    let config = Config::new(RESOURCE, "https://as.example").unwrap();
    let faults = McpAuth::builder(config).authorizer(policy).build().unwrap_err().faults;
    assert_eq!(faults.len(), starts.len() - 1, "the same in code: {faults:#?}");
    assert!(faults.iter().all(|fault| fault.starts_with("authorizer.")), "{faults:#?}");
}

#[test]
fn unknown_members_are_refused() {
    for text in ["tool = {}", "[tools.x]\nscope = \"a\"", "[tools.x]\naccess = \"none\""] {
        assert!(toml::from_str::<ScopePolicy>(text).is_err(), "{text}");
    }
}

fn caller(claims: Value) -> AuthInfo {
    AuthInfo::from_verified_claims(claims.as_object().unwrap().clone()).unwrap()
}

#[test]
fn decisions_are_explained_as_data() {
    let mut config = Config::new(RESOURCE, "https://as.example").unwrap();
    config.resources[0].policy = Some(built());
    let auth = McpAuth::new(config).unwrap();
    let explain = |claims: Value, operation: Operation<'_>| {
        let caller = caller(claims);
        serde_json::to_value(auth.explain("/mcp", Some(&caller), &operation).unwrap()).unwrap()
    };
    let claims =
        json!({ "sub": "alice", "email": "alice@example.com", "scope": "mcp notes:write" });
    assert_eq!(
        explain(claims.clone(), Operation::tool("delete_note")),
        json!({
            "allowed": false, "code": "insufficient_scope", "method": "tools/call",
            "name": "delete_note", "access": "required", "rules": ["tools.delete_note"],
            "reason": "scopes [mcp notes:write notes:delete] are required, the token grants [mcp notes:write]",
            "required": ["mcp", "notes:write", "notes:delete"], "granted": ["mcp", "notes:write"],
            "asked": [
                { "rule": "require", "access": "required", "scopes": ["mcp"], "lacks": null, "is_replaced": false },
                {
                    "rule": "tools.delete_note", "access": "required", "lacks": null, "is_replaced": false,
                    "scopes": ["notes:write", "notes:delete"],
                },
            ],
        })
    );
    let rows = [
        (Operation::tool("read_note"), "allowed", json!(["tools.read_note"]), "nothing is missing"),
        (
            Operation::tool("wipe"),
            "policy_denied",
            json!(["tools.wipe"]),
            "the client is not one of `allowed_clients`",
        ),
        (
            Operation::tool("other"),
            "policy_denied",
            json!(["deny_undeclared"]),
            "no rule of the policy names it",
        ),
        (
            Operation::resource("notes://7"),
            "allowed",
            json!(["resources.notes://{id}"]),
            "nothing is missing",
        ),
        (
            Operation::resource("notes://../7"),
            "policy_denied",
            json!([]),
            "its URI can be read in two ways",
        ),
        (
            Operation::new("tasks/get"),
            "allowed",
            json!(["methods.tasks/get"]),
            "nothing is missing",
        ),
        (
            Operation::prompt("summary"),
            "policy_denied",
            json!(["prompts.summary"]),
            "the caller is in none of the groups",
        ),
    ];
    for (operation, code, rules, reason) in rows {
        let place = format!("{operation:?}");
        let explanation = explain(claims.clone(), operation);
        assert_eq!(
            (&explanation["code"], &explanation["rules"]),
            (&json!(code), &rules),
            "{place}"
        );
        assert_eq!(explanation["reason"], reason, "{place}");
    }
    let nobody = auth.explain("/mcp", None, &Operation::tool("about")).unwrap();
    assert_eq!((nobody.allowed, nobody.access), (true, Access::Public));
    assert_eq!(auth.explain("/mcp", None, &Operation::tool("wipe")).unwrap().code, "missing_token");
}
