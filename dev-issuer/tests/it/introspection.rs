use dev_issuer::Broken;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn an_active_token_shows_its_claims() {
    let agent = Agent::start().await;
    let tokens = agent.sign_in().await;
    let form = [("token", tokens["access_token"].as_str().unwrap())];
    let (_, answer) = answer(agent.post_as_dev("/introspect", &form).await).await;
    assert_eq!(answer["active"], true);
    assert_eq!(answer["sub"], "alice");
    assert_eq!(answer["aud"], RESOURCE);
    assert_eq!(answer["scope"], "mcp notes:read");
    assert_eq!(answer["token_type"], "Bearer");
    assert!(agent.is_active(&tokens["refresh_token"]).await);
}

#[tokio::test]
async fn everything_else_is_just_inactive() {
    let agent = Agent::start().await;
    let mint = || agent.issuer.mint().audience(RESOURCE);
    assert!(agent.is_active(&json!(mint().sign())).await);
    for token in [
        "nonsense".to_owned(),
        mint().expires_in(-1).sign(),
        mint().not_before_in(60).sign(),
        mint().issuer("https://other.example").sign(),
        mint().broken(Broken::Signature).sign(),
        mint().broken(Broken::AlgorithmNone).sign(),
        mint().broken(Broken::ForeignKey).sign(),
        mint().broken(Broken::HmacWithPublicKey).sign(),
    ] {
        let form = [("token", token.as_str())];
        let (_, answer) = answer(agent.post_as_dev("/introspect", &form).await).await;
        assert_eq!(answer, json!({ "active": false }), "{token}");
    }
}

#[tokio::test]
async fn only_confidential_clients_may_ask() {
    let agent = Agent::start().await;
    let token = ("token", agent.issuer.mint().sign());
    for form in [vec![token.clone()], vec![token, ("client_id", "dev-public".into())]] {
        let response = agent.post("/introspect", &form).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}
