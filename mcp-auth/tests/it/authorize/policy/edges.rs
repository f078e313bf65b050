//! Where a rule begins and ends, and what is said about it: what no other test would notice.

use std::error::Error;

use mcp_auth::policy::{Access, AccessRequest, Requirement, Verdict};
use mcp_auth::{AuthInfo, Authorizer, McpAuth, Operation, Principal, ScopePolicy, Scopes};
use serde_json::{Value, json};

use super::{PolicyServer, message, tool_call};
use crate::support::RESOURCE;

/// A caller with these claims besides `iss` and `sub`.
fn caller(claims: Value) -> AuthInfo {
    let mut all = json!({ "iss": "https://issuer.example.com", "sub": "alice" });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    AuthInfo::from_verified_claims(all.as_object().unwrap().clone()).unwrap()
}

fn protected_by(policy: ScopePolicy) -> McpAuth {
    let mut config = mcp_auth::Config::new(RESOURCE, "https://issuer.example.com").unwrap();
    config.resources[0].policy = Some(policy);
    McpAuth::new(config).unwrap()
}

/// Allows everything, and says nothing else.
struct Everything;

impl Authorizer for Everything {
    fn authorize(&self, _: &AccessRequest<'_>) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        Ok(Verdict::Allow)
    }
}

#[tokio::test]
async fn the_scopes_of_a_resource_are_needed_beside_rules_that_ask_for_none() {
    let policy = ScopePolicy::new().implies("everything", ["mcp", "files"]);
    let server = PolicyServer::with(
        policy,
        |config| config.with_required_scopes(["mcp", "files"]),
        |builder| builder.authorizer(Everything),
    )
    .await;
    let rows = [
        ("mcp files", "ok"),
        ("mcp", "insufficient_scope"),
        ("files", "insufficient_scope"),
        ("other", "insufficient_scope"),
        ("", "insufficient_scope"),
    ];
    for (scope, code) in rows {
        let token = server.mint(scope).sign();
        for body in [tool_call("any"), message("initialize", json!({}))] {
            let (answer, ran) = server.post(Some(&token), &[], body.to_string()).await;
            assert_eq!((answer.code(), ran.len()), (code, usize::from(code == "ok")), "{scope:?}");
        }
    }
}

#[test]
fn rules_of_ones_own_that_say_no_more_than_they_must_have_strict_defaults() {
    let (caller, call) = (caller(json!({ "scope": "a b" })), Operation::tool("x"));
    let [none, one, other] = ["", "a", "c"].map(Scopes::parse);
    assert_eq!(Everything.access(&call), None);
    assert!(!Everything.allows_anonymous());
    assert_eq!(Everything.required_scopes(std::slice::from_ref(&call), &one), none);
    assert_eq!(Everything.uncovered(caller.scopes(), &one), None);
    assert_eq!(Everything.uncovered(&one, &other), Some(other.clone()));
    assert_eq!(Everything.uncovered(&none, &one), Some(one));
    assert!(Everything.lists(Some(&caller), &call));
    assert!(!Everything.lists(None, &call), "whoever calls would be asked about");
    assert!(Everything.rules(&call).is_empty() && Everything.faults().is_empty());
}

/// A policy as data is asked directly where rules of one's own ask it: it must say what a server says.
#[test]
fn a_policy_that_is_asked_directly_says_what_it_says_in_a_server() {
    let policy = ScopePolicy::new()
        .require_for_tool("read", ["notes:read"])
        .require_for_tool("about", Requirement::public())
        .require_for_tool("admin", Requirement::default().roles(["admin"]))
        .require_for_resource("notes://{id}", ["notes:read"])
        .implies("notes:write", ["notes:read"]);
    let auth = protected_by(policy.clone());
    let callers = ["notes:read", "notes:write", "other"];
    let callers = callers.map(|scope| caller(json!({ "scope": scope, "roles": ["user"] })));
    let mut seen = Vec::new();
    for caller in &callers {
        for call in ["read", "about", "admin", "undeclared"] {
            let operation = Operation::tool(call);
            let said = auth.explain("/mcp", Some(caller), &operation).unwrap();
            let is_open = policy.access(&operation) != Some(Access::Required);
            let verdict = policy.authorize(&AccessRequest::new(caller, &operation)).unwrap();
            assert_eq!(said.allowed, is_open || verdict == Verdict::Allow, "{said:?}");
            assert_eq!(Some(said.access), policy.access(&operation));
            assert_eq!(said.rules, policy.rules(&operation));
            let lists = policy.lists(Some(caller), &operation);
            assert_eq!(lists, !matches!(verdict, Verdict::Forbidden(_)), "{said:?}");
            seen.push(lists);
        }
    }
    assert!(seen.contains(&true) && seen.contains(&false), "both were seen");
    assert!(policy.allows_anonymous());
    let [read, write] = ["notes:read", "notes:write"].map(Scopes::parse);
    assert_eq!(policy.uncovered(&write, &read), None);
    assert_eq!(policy.uncovered(&read, &write), Some(write));
}

#[test]
fn a_rule_for_one_kind_of_caller_says_for_which() {
    let kinds = [(Principal::User, "users"), (Principal::Client, "machine clients")];
    for (kind, word) in kinds {
        let rule = Requirement::default().caller(kind);
        let policy = ScopePolicy::new().require_for_tool("x", rule);
        let auth = protected_by(policy);
        // A client that acts for itself is its own subject (RFC 9068 §2.2).
        let machine = json!({ "sub": "service", "client_id": "service", "idtyp": "app" });
        let person = json!({ "sub": "alice", "client_id": "app", "idtyp": "user" });
        let mut allowed = 0;
        for claims in [machine, person] {
            let said = auth.explain("/mcp", Some(&caller(claims)), &Operation::tool("x")).unwrap();
            allowed += usize::from(said.allowed);
            let names_it = said.reason.contains(&format!("for {word}"));
            assert_eq!(names_it, !said.allowed, "{said:?}");
        }
        assert_eq!(allowed, 1, "{word}");
    }
}

#[test]
fn of_too_many_groups_it_is_said_that_they_are_not_in_the_token() {
    let policy = ScopePolicy::new().require_for_tool("x", Requirement::default().groups(["staff"]));
    let auth = protected_by(policy);
    let rows = [
        (json!({ "groups": ["staff"] }), "nothing"),
        (json!({ "groups": ["other"] }), "none of the groups"),
        (json!({}), "none of the groups"),
        (json!({ "hasgroups": true }), "too many"),
        (json!({ "hasgroups": "true" }), "too many"),
        (json!({ "hasgroups": false }), "none of the groups"),
        (json!({ "_claim_names": { "groups": "src1" } }), "too many"),
        (json!({ "_claim_names": { "roles": "src1" } }), "none of the groups"),
        (json!({ "_claim_names": "groups" }), "none of the groups"),
        (json!({ "hasgroups": true, "_claim_names": { "groups": "src1" } }), "too many"),
    ];
    for (claims, reason) in rows {
        let said = auth.explain("/mcp", Some(&caller(claims)), &Operation::tool("x")).unwrap();
        assert!(said.reason.contains(reason), "{said:?}");
        assert_eq!(said.allowed, reason == "nothing");
    }
}

/// A reader that compares names with a few first must not stop comparing after them.
#[tokio::test]
async fn a_second_member_of_one_name_is_found_wherever_it_is() {
    let server = PolicyServer::start(ScopePolicy::new().require_for_tool("x", ["notes"])).await;
    let token = server.mint("notes").sign();
    for count in [1, 2, 15, 16, 17, 18, 40] {
        for doubled in [None, Some(0), Some(count / 2), Some(count - 1)] {
            let names = (0..count).chain(doubled).map(|at| format!("\"m{at}\":{at}"));
            let arguments = names.collect::<Vec<_>>().join(",");
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x","arguments":{{{arguments}}}}}}}"#
            );
            let (answer, ran) = server.post(Some(&token), &[], body).await;
            let status = if doubled.is_none() { 200 } else { 400 };
            assert_eq!(answer.status.as_u16(), status, "{count} {doubled:?}");
            assert_eq!(ran.len(), usize::from(status == 200));
        }
    }
}

/// However many slashes a server takes for the beginning of the host.
#[test]
fn slashes_before_the_host_make_no_other_resource() {
    let policy = ScopePolicy::new().require_for_resource("notes://secret/{id}", ["secret"]);
    let auth = protected_by(policy);
    let caller = caller(json!({ "scope": "other" }));
    for uri in ["notes://secret/1", "notes:///secret/1", "notes:////secret/1", "NOTES://SECRET/1"] {
        let said = auth.explain("/mcp", Some(&caller), &Operation::resource(uri)).unwrap();
        assert!(!said.allowed, "{uri}");
    }
}

/// JSON-RPC 2.0, "Response object": whoever could not read a request answers it with `null`.
#[tokio::test]
async fn an_answer_to_something_unreadable_has_no_id() {
    let server = PolicyServer::start(ScopePolicy::new().require(["mcp"])).await;
    let token = server.mint("mcp").sign();
    let error = json!({ "code": -32700, "message": "Parse error" });
    let rows = [
        (json!({ "jsonrpc": "2.0", "id": null, "error": error }), 200),
        (json!({ "jsonrpc": "2.0", "id": null, "method": "ping" }), 400),
        (json!({ "jsonrpc": "2.0", "id": true, "error": error }), 400),
        (json!({ "jsonrpc": "2.0", "id": [], "error": error }), 400),
    ];
    for (body, status) in rows {
        let (answer, _) = server.post(Some(&token), &[], body.to_string()).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        let (answer, _) = server.post(None, &[], body.to_string()).await;
        assert_eq!(answer.status.as_u16(), 401, "{body}");
    }
}
