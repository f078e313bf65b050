use dev_issuer::{DevIssuer, User};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_confidential_client_gets_a_token_for_itself() {
    let issuer = DevIssuer::builder()
        .users([User::new("dev").email("dev@example.com")])
        .start()
        .await
        .unwrap();
    let agent = Agent::of(issuer);
    let form = [("grant_type", "client_credentials"), ("resource", RESOURCE), ("scope", "a b")];
    let (status, tokens) = answer(agent.post_as_dev("/token", &form).await).await;
    assert_eq!(status, StatusCode::OK);
    assert!(tokens.get("refresh_token").is_none());
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("dev"), &json!("dev")));
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!(RESOURCE), &json!("a b")));
    assert!(claims.get("email").is_none(), "a client is not the user of the same name");
}

#[tokio::test]
async fn the_secret_may_be_posted() {
    let agent = Agent::start().await;
    let form = |secret: &str| {
        [
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", "dev".to_owned()),
            ("client_secret", secret.to_owned()),
            ("resource", RESOURCE.to_owned()),
        ]
    };
    assert_eq!(agent.post("/token", &form("dev")).await.status(), StatusCode::OK);
    for wrong in ["Dev", "dev ", ""] {
        let response = agent.post("/token", &form(wrong)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{wrong:?}");
        assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    }
}

#[tokio::test]
async fn what_is_refused() {
    let agent = Agent::start().await;
    let public = [
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", "dev-public".to_owned()),
        ("resource", RESOURCE.to_owned()),
    ];
    let (_, error) = answer(agent.post("/token", &public).await).await;
    assert_eq!(error["error"], "unauthorized_client");

    for (form, expected) in [
        (vec![("grant_type", "client_credentials")], "invalid_target"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("resource", RESOURCE)], "invalid_request"),
        (vec![("grant_type", "refresh_token"), ("client_secret", "dev")], "invalid_request"),
    ] {
        let (status, error) = answer(agent.post_as_dev("/token", &form).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{form:?}");
        assert_eq!(error["error"], expected, "{form:?}");
    }
}

#[tokio::test]
async fn a_web_page_gets_no_token_without_consent() {
    let agent = Agent::start().await;
    let body = format!(
        "grant_type=client_credentials&client_id=dev&client_secret=dev&resource={RESOURCE}"
    );
    let request = reqwest::Client::new().post(format!("{}/token", agent.issuer.issuer()));
    let request = request.header("origin", "https://evil.example");
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(response.text().await.unwrap().contains("unauthorized_client"));
}
