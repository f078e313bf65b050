use reqwest::StatusCode;
use serde_json::Value;

use crate::support::*;

async fn revoke(agent: &Agent, token: &Value) -> StatusCode {
    let token = token.as_str().unwrap().to_owned();
    let form = [("token", token), ("client_id", agent.client_id.clone())];
    agent.post("/revoke", &form).await.status()
}

#[tokio::test]
async fn an_access_token_is_revoked_alone() {
    let agent = Agent::start().await;
    let tokens = agent.sign_in().await;
    assert_eq!(revoke(&agent, &tokens["access_token"]).await, StatusCode::OK);
    assert!(!agent.is_active(&tokens["access_token"]).await);
    assert!(agent.is_active(&tokens["refresh_token"]).await);
}

#[tokio::test]
async fn a_refresh_token_takes_its_access_tokens_along() {
    let agent = Agent::start().await;
    let tokens = agent.sign_in().await;
    assert_eq!(revoke(&agent, &tokens["refresh_token"]).await, StatusCode::OK);
    assert!(!agent.is_active(&tokens["access_token"]).await);
    assert!(!agent.is_active(&tokens["refresh_token"]).await);
}

#[tokio::test]
async fn an_unknown_token_is_as_good_as_revoked() {
    let agent = Agent::start().await;
    assert_eq!(revoke(&agent, &"unknown".into()).await, StatusCode::OK);
}

#[tokio::test]
async fn another_clients_token_stays() {
    let agent = Agent::start().await;
    let tokens = agent.sign_in().await;
    for kind in ["access_token", "refresh_token"] {
        let form = [("token", tokens[kind].as_str().unwrap())];
        let (_, error) = answer(agent.post_as_dev("/revoke", &form).await).await;
        assert_eq!(error["error"], "invalid_grant", "{kind}");
        assert!(agent.is_active(&tokens[kind]).await, "{kind}");
    }
}
