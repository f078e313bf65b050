use dev_issuer::DevIssuer;
use reqwest::StatusCode;

use crate::support::*;

#[tokio::test]
async fn errors_go_to_the_client_with_state_and_iss() {
    let issuer = DevIssuer::builder().any_scope(false).start().await.unwrap();
    let agent = Agent::of(issuer);
    for (name, value, error) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "too-short", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "unknown:scope", "invalid_scope"),
        ("scope", "m\"cp", "invalid_scope"),
        ("resource", "", "invalid_target"),
        ("resource", "/relative", "invalid_target"),
        ("resource", "https://mcp.example.com/#fragment", "invalid_target"),
        ("request", "jar", "request_not_supported"),
        ("request_uri", "urn:x", "request_uri_not_supported"),
        ("prompt", "none", "interaction_required"),
    ] {
        let mut request = agent.request_with(&[("scope", "mcp")]);
        request.retain(|(other, _)| *other != name);
        request.push((name, value.into()));
        let params = redirect_params(&agent.authorize(&request).await);
        assert_eq!(params["error"], error, "{name}={value}");
        assert_eq!(params["state"], "a state", "{name}={value}");
        assert_eq!(params["iss"], agent.issuer.issuer(), "{name}={value}");
        assert!(!params.contains_key("code"), "{name}={value}");
    }
}

#[tokio::test]
async fn a_parameter_given_twice_is_refused() {
    let agent = Agent::start().await;
    for name in ["state", "scope", "response_type", "code_challenge", "nonce"] {
        let mut request = agent.request();
        request.extend([(name, "x".into()), (name, "y".into())]);
        let params = redirect_params(&agent.authorize(&request).await);
        assert_eq!(params["error"], "invalid_request", "{name}");
    }
}

#[tokio::test]
async fn nobody_is_sent_to_an_unregistered_place() {
    let agent = Agent::start().await;
    for (name, value) in [
        ("client_id", ""),
        ("client_id", "unknown"),
        ("client_id", "https://"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/"),
        ("redirect_uri", "http://127.0.0.1.evil.example/"),
        ("redirect_uri", "http://127.0.0.1@evil.example/"),
        ("redirect_uri", "http://127.0.0.1\\.evil.example/"),
        ("redirect_uri", "//evil.example"),
        ("redirect_uri", "http://evil.example\\.localhost/cb"),
        ("redirect_uri", "http://evil.example\\@localhost/cb"),
        ("redirect_uri", "http:\\\\evil.example/.localhost"),
        ("redirect_uri", "http://user@localhost/cb"),
        ("redirect_uri", "http://@localhost/cb"),
        ("redirect_uri", "http://evil.exa\tmple/.localhost"),
        ("redirect_uri", "http://0x7f000001/cb"),
        ("redirect_uri", "mailto:a@evil.example"),
        ("redirect_uri", "web+x://evil.example/cb"),
        ("redirect_uri", "intent://evil.example/cb"),
        ("redirect_uri", "data:text/html,x"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", "http://127.0.0.1:9/\r\nx: y"),
    ] {
        let response = agent.authorize(&agent.request_with(&[(name, value)])).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}={value}");
        assert!(!response.headers().contains_key("location"), "{name}={value}");
        assert!(response.text().await.unwrap().starts_with("<!doctype html>"));
    }
}

#[tokio::test]
async fn the_query_of_a_redirect_uri_is_kept() {
    let agent = Agent::start().await;
    let request = agent.request_with(&[
        ("redirect_uri", "http://127.0.0.1:9/callback?tenant=a%20b"),
        ("response_type", "token"),
    ]);
    let location = location(&agent.authorize(&request).await);
    assert!(location.as_str().contains("/callback?tenant=a%20b&error="), "{location}");
}
