use dev_issuer::{Mode, TokenMode};
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::*;
use crate::token_exchange::{ACCESS_TOKEN, EXCHANGE};

async fn exchange(agent: &Agent) -> reqwest::Response {
    let token = agent.issuer.mint().scope("mcp").sign();
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("audience", "reports"),
    ];
    agent.post_as_dev("/token", &form).await
}

async fn in_mode(agent: &Agent, mode: &str) -> reqwest::Response {
    let mode: Mode = format!("token:{mode}").parse().unwrap();
    agent.issuer.set_mode(mode);
    exchange(agent).await
}

#[tokio::test]
async fn each_mode_changes_one_thing() {
    let agent = Agent::start().await;
    let good: Value = exchange(&agent).await.json().await.unwrap();
    for (mode, member, expected) in [
        ("other-token-type", "token_type", Some("DPoP")),
        (
            "other-issued-token-type",
            "issued_token_type",
            Some("urn:ietf:params:oauth:token-type:saml2"),
        ),
        ("without-issued-token-type", "issued_token_type", None),
        ("more-scopes", "scope", Some("mcp admin:everything")),
        ("without-expires-in", "expires_in", None),
    ] {
        let response = in_mode(&agent, mode).await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut body: Value = response.json().await.unwrap();
        assert_eq!(body.get(member).and_then(Value::as_str), expected, "{mode}");
        body[member] = good[member].clone();
        body["access_token"] = good["access_token"].clone();
        assert_eq!(body, good, "{mode} changes something else too");
    }
}

#[tokio::test]
async fn the_same_token_a_repeated_member_a_page_a_status_and_a_redirect() {
    let agent = Agent::start().await;
    let token = agent.issuer.mint().scope("mcp").sign();
    agent.issuer.set_mode(Mode::Token(TokenMode::SameToken));
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS_TOKEN),
        ("audience", "reports"),
    ];
    let (_, body) = answer(agent.post_as_dev("/token", &form).await).await;
    assert_eq!(body["access_token"], token);

    let text = in_mode(&agent, "repeated-member").await.text().await.unwrap();
    assert_eq!(text.matches("\"access_token\"").count(), 2, "{text}");
    let page = in_mode(&agent, "html").await;
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let redirect = in_mode(&agent, "redirect").await;
    assert_eq!(redirect.status(), StatusCode::TEMPORARY_REDIRECT);
    assert!(redirect.headers()["location"].to_str().unwrap().starts_with("http://localhost:"));
    assert_eq!(in_mode(&agent, "status:503").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let (_, body) = answer(in_mode(&agent, "error:invalid_grant").await).await;
    assert_eq!(body["error"], "invalid_grant");
    let (_, keys) = answer(agent.http.get(agent.issuer.jwks_uri()).send().await.unwrap()).await;
    assert!(keys["keys"].is_array(), "only the token endpoint is in this mode");
}

#[tokio::test]
async fn held_requests_are_counted_at_once_and_answered_when_the_mode_changes() {
    let agent = Agent::start().await;
    agent.issuer.set_mode(Mode::Token(TokenMode::Hold));
    let waiting = async { exchange(&agent).await.status() };
    let release = async {
        while agent.issuer.requests().token_exchange == 0 {
            tokio::task::yield_now().await;
        }
        agent.issuer.set_mode(Mode::Online);
    };
    let (status, ()) = tokio::join!(waiting, release);
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_mode_that_is_unknown_is_refused() {
    let agent = Agent::start().await;
    for mode in ["token:", "token:slow", "token:status:99", "token:error:oops", "token:Html"] {
        let response = agent.post("/dev/mode", &[("mode", mode.to_owned())]).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{mode}");
    }
    let response = agent.post("/dev/mode", &[("mode", "token:html".to_owned())]).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}
