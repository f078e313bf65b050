//! The last thing that is admitted, and the first that is not: what a wrong comparison would change.

use std::error::Error;

use mcp_auth::policy::{AccessRequest, Verdict};
use mcp_auth::{AuthInfo, Authorizer, Config, McpAuth, Operation, ScopePolicy, Scopes};
use serde_json::{Value, json};

use super::{PolicyServer, message, tool_call};
use crate::support::RESOURCE;

fn policy(rules: Value) -> ScopePolicy {
    serde_json::from_value(rules).unwrap()
}

#[tokio::test]
async fn every_message_of_the_longest_batch_is_judged() {
    let server = PolicyServer::start(policy(json!({ "tools": { "secret": ["s"] } }))).await;
    let token = server.mint("mcp").sign();
    let batch = |fine: usize| {
        let mut messages = vec![tool_call("fine"); fine];
        messages.push(tool_call("secret"));
        Value::from(messages).to_string()
    };
    for (fine, status) in [(0, 403), (98, 403), (99, 403), (100, 413), (150, 413)] {
        let (answer, ran) = server.post(Some(&token), &[], batch(fine)).await;
        assert_eq!(answer.status.as_u16(), status, "{fine}");
        assert!(ran.is_empty());
    }
    let fine = Value::from(vec![tool_call("fine"); 100]).to_string();
    assert_eq!(server.post(Some(&token), &[], fine).await.1.len(), 100);
}

#[tokio::test]
async fn a_member_of_another_type_than_its_own_is_a_fault() {
    let server = PolicyServer::start(policy(json!({}))).await;
    let token = server.mint("mcp").sign();
    let rows = [
        r#"{"jsonrpc":"2.0","id":1,"method":null,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"params":[]}"#,
    ];
    for body in rows {
        let (answer, ran) = server.post(Some(&token), &[], body).await;
        assert_eq!((answer.status.as_u16(), ran.len()), (400, 0), "{body}");
    }
}

fn completion(uri: &str, chosen: &str) -> String {
    let params = json!({
        "ref": { "type": "ref/resource", "uri": uri },
        "argument": { "name": "b", "value": "" },
        "context": { "arguments": { "a": chosen } },
    });
    message("completion/complete", params).to_string()
}

#[tokio::test]
async fn a_template_that_is_filled_in_is_as_long_as_a_uri_at_most() {
    let server = PolicyServer::start(policy(json!({ "resources": { "n://{+any}": [] } }))).await;
    let token = server.mint("mcp").sign();
    // `n://` and `/{b}` are eight bytes.
    for (length, status) in [(8184, 200), (8185, 413), (9000, 413)] {
        let body = completion("n://{a}/{b}", &"x".repeat(length));
        let (answer, _) = server.post(Some(&token), &[], body).await;
        assert_eq!(answer.status.as_u16(), status, "{length}");
    }
    let written = completion(&format!("n://{}/{{b}}", "x".repeat(8185)), "");
    assert_eq!(server.post(Some(&token), &[], written).await.0.status.as_u16(), 413);
}

#[tokio::test]
async fn what_is_chosen_for_a_completion_fulfils_no_unless() {
    let when = json!([
        { "argument": "dry_run", "unless": "yes", "scopes": "s" },
        { "argument": "mode", "equals": "write", "scopes": "t" },
    ]);
    let rules = json!({ "prompts": { "p": { "all_of": [], "when": when } } });
    let server = PolicyServer::start(policy(rules)).await;
    let [none, some, all] = ["mcp", "mcp s", "mcp s t"].map(|scope| server.mint(scope).sign());
    let completing = |chosen: Value, name: &str, begun: &str| {
        let params = json!({
            "ref": { "type": "ref/prompt", "name": "p" },
            "argument": { "name": name, "value": begun },
            "context": { "arguments": chosen },
        });
        message("completion/complete", params).to_string()
    };
    let complete = |chosen: Value| completing(chosen, "x", "");
    let dry = json!({ "dry_run": "yes" });
    let get = message("prompts/get", json!({ "name": "p", "arguments": dry })).to_string();
    assert_eq!(server.post(Some(&none), &[], get).await.0.status.as_u16(), 200);
    for chosen in [dry, json!({})] {
        let (answer, _) = server.post(Some(&none), &[], complete(chosen.clone())).await;
        assert_eq!(answer.status.as_u16(), 403, "{chosen}");
        let (answer, _) = server.post(Some(&some), &[], complete(chosen.clone())).await;
        assert_eq!(answer.status.as_u16(), 200, "{chosen}");
    }
    let write = complete(json!({ "mode": "write" }));
    assert_eq!(server.post(Some(&some), &[], write.clone()).await.0.status.as_u16(), 403);
    assert_eq!(server.post(Some(&all), &[], write).await.0.status.as_u16(), 200);
    // What is begun counts too, and hides nothing that was chosen.
    let rows = [
        (json!({}), "mode", "", 200),
        (json!({}), "mode", "wri", 200),
        (json!({}), "mode", "write", 403),
        (json!({ "mode": "write" }), "mode", "read", 403),
        (json!({ "mode": "read" }), "mode", "write", 403),
    ];
    for (chosen, name, begun, status) in rows {
        let body = completing(chosen.clone(), name, begun);
        let (answer, _) = server.post(Some(&some), &[], body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{chosen} {begun}");
        assert_eq!(server.post(Some(&all), &[], body).await.0.status.as_u16(), 200, "{chosen}");
    }
}

/// Lacks a scope that it does not say beforehand.
struct Surprise;

impl Authorizer for Surprise {
    fn authorize(&self, _: &AccessRequest<'_>) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
        Ok(Verdict::MissingScopes(Scopes::parse("surprise")))
    }
}

#[test]
fn an_explanation_asks_for_what_the_refusal_asks_for() {
    let mut config = Config::new(RESOURCE, "https://issuer.example.com").unwrap();
    config.resources[0].policy = Some(policy(json!({ "require": "mcp" })));
    let auth = McpAuth::builder(config).authorizer(Surprise).build().unwrap();
    let claims = json!({ "iss": "https://issuer.example.com", "sub": "a", "scope": "mcp" });
    let caller = AuthInfo::from_verified_claims(claims.as_object().unwrap().clone()).unwrap();
    let said = auth.explain("/mcp", Some(&caller), &Operation::tool("t")).unwrap();
    assert_eq!(said.code, "insufficient_scope");
    assert_eq!(said.required.to_string(), "mcp surprise");
}
