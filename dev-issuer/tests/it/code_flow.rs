use dev_issuer::{DevIssuer, User};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_user_signs_in_and_the_token_says_so() {
    let agent = Agent::start().await;
    let params = agent.approve(&agent.request()).await;
    assert_eq!(params["state"], "a state");
    assert_eq!(params["iss"], agent.issuer.issuer());

    let (status, tokens) = agent.exchange(&params["code"], VERIFIER).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], "mcp notes:read");
    assert!(tokens["refresh_token"].is_string());
    assert!(tokens.get("id_token").is_none());

    let token = tokens["access_token"].as_str().unwrap();
    let claims = claims(token);
    assert_eq!(header(token)["typ"], "at+jwt");
    assert_eq!(claims["iss"], agent.issuer.issuer());
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["email"], "alice@example.com");
    assert_eq!(claims["aud"], RESOURCE);
    assert_eq!(claims["client_id"], "dev-public");
    assert_eq!(claims["scope"], "mcp notes:read");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    assert!(claims["jti"].is_string());
    assert!(claims.get("nbf").is_none());
}

#[tokio::test]
async fn who_only_asks_who_signs_in_gets_a_token_for_no_server() {
    let agent = Agent::start().await;
    let request = agent.request_with(&[("scope", "openid"), ("resource", "")]);
    let request: Vec<_> = request.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let params = agent.approve(&request).await;
    let (status, tokens) = agent.exchange(&params["code"], VERIFIER).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["sub"], "alice");
    let audience = claims(tokens["access_token"].as_str().unwrap())["aud"].clone();
    assert_eq!(audience, agent.issuer.issuer());

    for scope in ["mcp", "openid mcp", "openid profile"] {
        let request = agent.request_with(&[("scope", scope), ("resource", "")]);
        let request: Vec<_> = request.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let refused = redirect_params(&agent.authorize(&request).await);
        assert_eq!(refused["error"], "invalid_target", "{scope}");
    }
}

#[tokio::test]
async fn a_token_response_is_not_stored() {
    let agent = Agent::start().await;
    let form = [("grant_type", "client_credentials"), ("resource", RESOURCE)];
    let response = agent.post_as_dev("/token", &form).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let refused = agent.post("/token", &[]).await;
    assert_eq!(refused.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_wrong_verifier_is_refused_and_spends_the_code() {
    let agent = Agent::start().await;
    let code = agent.code().await;
    let (status, error) = agent.exchange(&code, "another-verifier").await;
    assert_eq!((status, &error["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    let (status, _) = agent.exchange(&code, VERIFIER).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_code_used_twice_revokes_what_came_of_it() {
    let agent = Agent::start().await;
    let code = agent.code().await;
    let (_, tokens) = agent.exchange(&code, VERIFIER).await;
    assert!(agent.is_active(&tokens["access_token"]).await);

    let (status, error) = agent.exchange(&code, VERIFIER).await;
    assert_eq!((status, &error["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    assert!(!agent.is_active(&tokens["access_token"]).await);
    let (status, _) = agent.refresh(&tokens["refresh_token"], &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_code_is_for_its_client_and_redirect_uri_only() {
    let mut agent = Agent::start().await;
    let code = agent.code().await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let (_, error) = answer(agent.post_as_dev("/token", &form).await).await;
    assert_eq!(error["error"], "invalid_grant");

    agent.client_id = "dev-public".into();
    let form = [
        ("grant_type", "authorization_code".to_owned()),
        ("code", code),
        ("redirect_uri", "http://127.0.0.1:9/other".to_owned()),
        ("client_id", "dev-public".to_owned()),
        ("code_verifier", VERIFIER.to_owned()),
    ];
    let (_, error) = answer(agent.post("/token", &form).await).await;
    assert_eq!(error["error"], "invalid_grant");
}

#[tokio::test]
async fn several_resources_make_an_array_and_can_be_narrowed() {
    let agent = Agent::start().await;
    let other = "https://other.example/mcp";
    let mut request = agent.request();
    request.push(("resource", other.into()));

    let code = agent.approve(&request).await["code"].clone();
    let (_, tokens) = agent.exchange(&code, VERIFIER).await;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(claims(token)["aud"], json!([RESOURCE, other]));

    let refresh_token = &tokens["refresh_token"];
    let (status, error) =
        agent.refresh(refresh_token, &[("resource", "https://foreign.example/")]).await;
    assert_eq!((status, &error["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_target")));
    let (_, tokens) = agent.refresh(refresh_token, &[("resource", other)]).await;
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["aud"], other);
}

#[tokio::test]
async fn auto_approve_signs_in_as_the_hinted_user_or_the_first() {
    let issuer = DevIssuer::builder()
        .users([User::new("carol"), User::new("dave").email("dave@example.com")])
        .auto_approve(true)
        .default_audience(RESOURCE)
        .start()
        .await
        .unwrap();
    let agent = Agent::of(issuer);
    for (hint, subject) in [("", "carol"), ("dave", "dave"), ("dave@example.com", "dave")] {
        let request = agent.request_with(&[("login_hint", hint), ("resource", "")]);
        let code = redirect_params(&agent.authorize(&request).await)["code"].clone();
        let (_, tokens) = agent.exchange(&code, VERIFIER).await;
        let claims = claims(tokens["access_token"].as_str().unwrap());
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!(subject), &json!(RESOURCE)));
    }
}

#[tokio::test]
async fn openid_brings_an_id_token_and_userinfo() {
    let agent = Agent::start().await;
    let request = agent.request_with(&[("scope", "openid email"), ("nonce", "n-1")]);
    let code = agent.approve(&request).await["code"].clone();
    let (_, tokens) = agent.exchange(&code, VERIFIER).await;

    let id_token = tokens["id_token"].as_str().unwrap();
    let claims = claims(id_token);
    assert_eq!(header(id_token)["typ"], "JWT");
    assert_eq!(claims["aud"], "dev-public");
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["email"], "alice@example.com");
    assert!(claims["at_hash"].is_string() && claims["auth_time"].is_u64());
    assert!(claims.get("name").is_none() && claims.get("client_id").is_none());

    let access_token = tokens["access_token"].as_str().unwrap();
    let userinfo = agent.http.get(agent.url("/userinfo")).bearer_auth(access_token);
    let (_, userinfo) = answer(userinfo.send().await.unwrap()).await;
    assert_eq!(userinfo, json!({ "sub": "alice", "email": "alice@example.com" }));
    let id_token_as_bearer = agent.http.get(agent.url("/userinfo")).bearer_auth(id_token);
    let refused = id_token_as_bearer.send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}
