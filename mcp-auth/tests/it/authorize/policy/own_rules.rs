//! Rules that are code: alone, and beside a policy.

use std::error::Error;

use mcp_auth::policy::{AccessRequest, ArgumentRule, Requirement, Verdict};
use mcp_auth::{Authorizer, ScopePolicy, Scopes};
use serde_json::json;

use super::{PolicyServer, message, tool_call};

/// Notes belong to whoever they are named after.
struct OwnNotes;

impl Authorizer for OwnNotes {
    fn authorize(
        &self,
        request: &AccessRequest<'_>,
    ) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        let AccessRequest { caller, operation, .. } = *request;
        let Some(note) = operation.arguments().and_then(|arguments| arguments.get("note")) else {
            return Ok(Verdict::Allow);
        };
        let note = note.as_str().ok_or("a note must be a text")?;
        let owner = note.split('/').next();
        Ok(match owner {
            _ if note == "shared" => Verdict::MissingScopes(Scopes::parse("notes:share")),
            Some(owner) if caller.subject() == Some(owner) => Verdict::Allow,
            _ => Verdict::forbidden("another's note"),
        })
    }
}

#[tokio::test]
async fn rules_of_ones_own_see_caller_and_arguments_and_an_error_denies() {
    let policy = ScopePolicy::new().require_for_tool("read", ["notes:read"]);
    let server =
        PolicyServer::with(policy, |config| config, |builder| builder.authorizer(OwnNotes)).await;
    let token = server.mint("notes:read").sign();
    let rows = [
        (json!({ "note": "alice/1" }), 200, "ok"),
        (json!({ "note": "bob/1" }), 403, "policy_denied"),
        (json!({ "note": 7 }), 403, "policy_denied"),
        (json!({ "note": "shared" }), 403, "insufficient_scope"),
        (json!({}), 200, "ok"),
    ];
    for (arguments, status, code) in rows {
        let body = message("tools/call", json!({ "name": "read", "arguments": arguments }));
        let (answer, ran) = server.post(Some(&token), &[], body.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{arguments}");
        assert_eq!(ran.len(), usize::from(status == 200));
        if code == "insufficient_scope" {
            let challenge = answer.challenge().unwrap();
            assert!(challenge.contains("scope=\"notes:read notes:share\""), "{challenge}");
        }
    }
    // The policy must allow as well.
    let token = server.mint("other").sign();
    let (answer, _) = server.post(Some(&token), &[], tool_call("read").to_string()).await;
    assert_eq!(answer.code(), "insufficient_scope");
}

#[tokio::test]
async fn arguments_change_what_a_tool_needs() {
    let write = || ArgumentRule::new("mode", ["notes:write"]).equals("write");
    let rule = Requirement::all_of(["notes:read"])
        .when(write())
        .when(ArgumentRule::new("/target/path", ["system"]).starts_with("/etc/"))
        .when(ArgumentRule::new("dry_run", ["notes:run"]).unless(true));
    let policy = ScopePolicy::new().require_for_tool("edit", rule).require_by_arguments(
        "edit",
        |arguments| {
            let is_many = arguments.get("count").and_then(serde_json::Value::as_u64) > Some(10);
            if is_many { Scopes::parse("notes:bulk") } else { Scopes::default() }
        },
    );
    let server = PolicyServer::start(policy).await;
    let rows = [
        (json!({ "dry_run": true }), "notes:read"),
        (json!({}), "notes:read notes:run"),
        (json!({ "dry_run": false }), "notes:read notes:run"),
        (json!({ "dry_run": true, "mode": "write" }), "notes:read notes:write"),
        (json!({ "dry_run": true, "mode": "read" }), "notes:read"),
        (json!({ "dry_run": true, "target": { "path": "/etc/x" } }), "notes:read system"),
        (json!({ "dry_run": true, "count": 11 }), "notes:read notes:bulk"),
    ];
    let (nothing, read) = (server.mint("x").sign(), server.mint("notes:read").sign());
    for (arguments, scopes) in rows {
        let body =
            message("tools/call", json!({ "name": "edit", "arguments": arguments })).to_string();
        let (answer, _) = server.post(Some(&nothing), &[], body.clone()).await;
        let challenge = answer.challenge().unwrap();
        assert!(challenge.contains(&format!("scope=\"{scopes}\"")), "{arguments}: {challenge}");
        let (answer, _) = server.post(Some(&read), &[], body.clone()).await;
        assert_eq!(answer.status.as_u16(), if scopes == "notes:read" { 200 } else { 403 });
        let token = server.mint(scopes).sign();
        let (answer, _) = server.post(Some(&token), &[], body).await;
        assert_eq!(answer.status.as_u16(), 200, "{arguments}");
    }
}

#[tokio::test]
async fn one_of_several_sets_of_scopes_is_enough_and_the_nearest_is_asked_for() {
    let rule = Requirement::all_of(["base"]).any_of(["a b", "c d e"]);
    let server = PolicyServer::start(ScopePolicy::new().require_for_tool("x", rule)).await;
    for (scopes, asked) in [
        ("base a b", None),
        ("base c d e", None),
        ("base a", Some("base a b")),
        ("base c d", Some("base c d e")),
        ("base", Some("base a b")),
        ("a b", Some("base a b")),
    ] {
        let token = server.mint(scopes).sign();
        let (answer, _) = server.post(Some(&token), &[], tool_call("x").to_string()).await;
        let expected = asked.map(|asked| format!("scope=\"{asked}\""));
        let challenge = answer.challenge();
        assert_eq!(challenge.is_some(), expected.is_some(), "{scopes}");
        assert!(
            expected.is_none_or(|expected| challenge.unwrap().contains(&expected)),
            "{challenge:?}"
        );
    }
}

#[tokio::test]
async fn permissions_groups_and_clients_are_found_where_the_policy_says() {
    let rule = || Requirement::default();
    let mut policy = ScopePolicy::new()
        .require_for_tool("grouped", rule().groups(["staff", "ops"]))
        .require_for_tool("permitted", rule().permissions(["a", "b"]))
        .require_for_tool("client", rule().allowed_clients(["good-client"]));
    policy.groups_claim = "/https:~1~1example.com~1app/groups".to_owned();
    let server = PolicyServer::start(policy).await;
    let mint = || server.mint("x");
    let rows = [
        ("grouped", mint().claim("https://example.com/app", json!({ "groups": ["ops"] })), "ok"),
        (
            "grouped",
            mint().claim("https://example.com/app", json!({ "groups": "not ops" })),
            "policy_denied",
        ),
        ("grouped", mint().claim("groups", json!(["ops"])), "policy_denied"),
        ("grouped", mint().claim("hasgroups", true), "policy_denied"),
        ("permitted", mint().claim("permissions", json!(["b", "a", "c"])), "ok"),
        ("permitted", mint().claim("permissions", json!(["a"])), "policy_denied"),
        ("permitted", mint(), "policy_denied"),
        ("client", mint().client_id("good-client"), "ok"),
        ("client", mint().client_id("GOOD-client"), "policy_denied"),
        ("client", mint().without("client_id"), "policy_denied"),
    ];
    for (tool, token, expected) in rows {
        let (answer, _) = server.post(Some(&token.sign()), &[], tool_call(tool).to_string()).await;
        assert_eq!(answer.code(), expected, "{tool}");
        assert_eq!(answer.challenge(), None, "another token would not help");
    }
}
