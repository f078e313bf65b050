//! The challenge as a tool result: what is refused stays the same.

use mcp_auth::policy::Requirement;
use mcp_auth::settings::ChallengeStyle;
use mcp_auth::{Config, ScopePolicy};
use serde_json::json;

use super::{PolicyServer, message, tool_call};

fn policy() -> ScopePolicy {
    ScopePolicy::new()
        .require(["mcp"])
        .require_for_tool("open", Requirement::optional())
        .require_for_tool("delete", ["notes:write"])
        .require_for_tool("admin", Requirement::default().roles(["admin"]))
        .require_for_prompt("secret", ["notes:write"])
}

fn as_tool_results(mut config: Config) -> Config {
    config.resources[0].challenge_style = ChallengeStyle::ToolResult;
    config
}

#[tokio::test]
async fn the_style_changes_the_answer_and_never_the_decision() {
    let http = PolicyServer::start(policy()).await;
    let tool = PolicyServer::with(policy(), as_tool_results, |builder| builder).await;
    let calls = [
        tool_call("open"),
        tool_call("delete"),
        tool_call("admin"),
        message("prompts/get", json!({ "name": "secret" })),
        message("tools/list", json!({})),
    ];
    for call in calls {
        for scope in [None, Some("mcp"), Some("mcp notes:write"), Some("")] {
            let mint = |server: &PolicyServer| scope.map(|scope| server.mint(scope).sign());
            let (first, ran) = http.post(mint(&http).as_deref(), &[], call.to_string()).await;
            let (second, also_ran) = tool.post(mint(&tool).as_deref(), &[], call.to_string()).await;
            assert_eq!((first.code(), ran), (second.code(), also_ran), "{call} {scope:?}");
            let is_result = call["method"] == "tools/call" && first.challenge().is_some();
            if !is_result {
                assert_eq!(first.status, second.status);
                continue;
            }
            assert_eq!((second.status.as_u16(), second.challenge()), (200, None));
            let answer = second.json();
            assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(7), &json!(true)));
            let challenge = &answer["result"]["_meta"]["mcp/www_authenticate"][0];
            let issued = first.challenge().unwrap();
            assert_eq!(challenge, issued, "the same challenge");
        }
    }
}

#[tokio::test]
async fn without_a_policy_the_baseline_is_challenged_in_this_style_too() {
    let server = PolicyServer::with(
        ScopePolicy::new(),
        |config| {
            let mut config = as_tool_results(config.with_required_scopes(["mcp"]));
            config.resources[0].policy = None;
            config
        },
        |builder| builder,
    )
    .await;
    let token = server.mint("other").sign();
    let (answer, ran) = server.post(Some(&token), &[], tool_call("any").to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.code(), ran.len()), (200, "insufficient_scope", 0));
    let (answer, _) = server.post(None, &[], tool_call("any").to_string()).await;
    assert_eq!(answer.status.as_u16(), 401, "whoever has no token is not read");
}
