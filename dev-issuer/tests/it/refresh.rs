use reqwest::StatusCode;
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn refresh_tokens_rotate() {
    let agent = Agent::start().await;
    let first = agent.sign_in().await;
    let (status, second) = agent.refresh(&first["refresh_token"], &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_ne!(first["access_token"], second["access_token"]);
    assert_eq!(second["scope"], "mcp notes:read");
    let (status, _) = agent.refresh(&second["refresh_token"], &[]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_used_twice_revokes_its_family() {
    let agent = Agent::start().await;
    let first = agent.sign_in().await;
    let (_, second) = agent.refresh(&first["refresh_token"], &[]).await;
    let (status, error) = agent.refresh(&first["refresh_token"], &[]).await;
    assert_eq!((status, &error["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    let (status, _) = agent.refresh(&second["refresh_token"], &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!agent.is_active(&second["access_token"]).await);
}

#[tokio::test]
async fn scope_can_be_narrowed_and_never_widened() {
    let agent = Agent::start().await;
    let tokens = agent.sign_in().await;
    let (status, error) = agent.refresh(&tokens["refresh_token"], &[("scope", "mcp admin")]).await;
    assert_eq!((status, &error["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));

    // The refused request did not spend the refresh token.
    let (_, narrow) = agent.refresh(&tokens["refresh_token"], &[("scope", "mcp")]).await;
    assert_eq!(narrow["scope"], "mcp");
    let (_, wide) = agent.refresh(&narrow["refresh_token"], &[]).await;
    assert_eq!(wide["scope"], "mcp notes:read");
}

#[tokio::test]
async fn a_refresh_token_is_for_its_client_only() {
    let agent = Agent::start().await;
    let tokens = agent.sign_in().await;
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    let (_, error) = answer(agent.post_as_dev("/token", &form).await).await;
    assert_eq!(error["error"], "invalid_grant");
    let (status, _) = agent.refresh(&tokens["refresh_token"], &[]).await;
    assert_eq!(status, StatusCode::OK);
}
