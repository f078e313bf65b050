use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::*;

async fn register(agent: &Agent, metadata: Value) -> (StatusCode, Value) {
    let request = agent.http.post(agent.url("/register")).body(metadata.to_string());
    answer(request.header("content-type", "application/json").send().await.unwrap()).await
}

#[tokio::test]
async fn a_registered_public_client_signs_in() {
    let mut agent = Agent::start().await;
    let metadata = json!({
        "client_name": "A client",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none",
    });
    let (status, client) = register(&agent, metadata).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(client["client_name"], "A client");
    assert_eq!(client["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(client["response_types"], json!(["code"]));
    assert!(client.get("client_secret").is_none());

    agent.client_id = client["client_id"].as_str().unwrap().to_owned();
    let tokens = agent.sign_in().await;
    assert!(tokens["refresh_token"].is_string());
}

#[tokio::test]
async fn a_confidential_client_gets_a_secret_and_must_show_it() {
    let mut agent = Agent::start().await;
    let metadata = json!({
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code"],
    });
    let (_, client) = register(&agent, metadata).await;
    assert_eq!(client["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(client["client_secret_expires_at"], 0);

    agent.client_id = client["client_id"].as_str().unwrap().to_owned();
    let code = agent.code().await;
    let (status, error) = agent.exchange(&code, VERIFIER).await;
    assert_eq!((status, &error["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));

    let form = [
        ("grant_type", "authorization_code".to_owned()),
        ("code", code),
        ("client_id", agent.client_id.clone()),
        ("client_secret", client["client_secret"].as_str().unwrap().to_owned()),
        ("code_verifier", VERIFIER.to_owned()),
    ];
    let (status, tokens) = answer(agent.post("/token", &form).await).await;
    assert_eq!(status, StatusCode::OK);
    assert!(tokens.get("refresh_token").is_none(), "the client did not register that grant");
}

#[tokio::test]
async fn nonsense_is_refused() {
    let agent = Agent::start().await;
    let ok = json!([REDIRECT_URI]);
    for (metadata, error) in [
        (json!([]), "invalid_client_metadata"),
        (json!({}), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["http://evil.example/"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["mailto:a@evil.example"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["web+x://evil.example/"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["intent://evil.example/"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["data:text/html,x"] }), "invalid_redirect_uri"),
        (
            json!({ "redirect_uris": [REDIRECT_URI, "http://a.example\\.localhost/"] }),
            "invalid_redirect_uri",
        ),
        (json!({ "redirect_uris": "x" }), "invalid_client_metadata"),
        (json!({ "redirect_uris": ok, "grant_types": ["implicit"] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": ok, "response_types": ["token"] }), "invalid_client_metadata"),
        (
            json!({ "redirect_uris": ok, "token_endpoint_auth_method": "private_key_jwt" }),
            "invalid_client_metadata",
        ),
    ] {
        let (status, answer) = register(&agent, metadata.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{metadata}");
        assert_eq!(answer["error"], error, "{metadata}");
    }
}

#[tokio::test]
async fn registrations_are_bounded_in_size_and_number() {
    let mut agent = Agent::start().await;
    let sized =
        |bytes: usize| json!({ "client_name": "x".repeat(bytes), "redirect_uris": [REDIRECT_URI] });
    for bytes in [10 * 1024, 60_000] {
        let (status, answer) = register(&agent, sized(bytes)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bytes}");
        assert_eq!(answer["error"], "invalid_client_metadata", "{bytes}");
    }
    let public = json!({ "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none" });
    let (_, approved) = register(&agent, public.clone()).await;
    let (_, forgotten) = register(&agent, public.clone()).await;
    agent.client_id = approved["client_id"].as_str().unwrap().to_owned();
    let tokens = agent.sign_in().await;
    for _ in 0..256 {
        assert_eq!(register(&agent, public.clone()).await.0, StatusCode::CREATED);
    }
    assert_eq!(agent.refresh(&tokens["refresh_token"], &[]).await.0, StatusCode::OK);
    agent.client_id = forgotten["client_id"].as_str().unwrap().to_owned();
    assert_eq!(agent.authorize(&agent.request()).await.status(), StatusCode::BAD_REQUEST);
}
