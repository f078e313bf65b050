use dev_issuer::{DevClient, DevIssuer, Mode, TokenMode};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::*;

async fn start() -> Agent {
    let tools = DevClient::new("tools")
        .secret("a secret")
        .may_get(["api://reports/read", "api://reports/write", "User.Read"])
        .acts_for(RESOURCE);
    let issuer = DevIssuer::builder().clients([tools]).exchanges_own_tokens_only(true);
    Agent::of(issuer.start().await.unwrap())
}

async fn ask(agent: &Agent, assertion: &str, scope: &str) -> (StatusCode, Value) {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("requested_token_use", "on_behalf_of"),
        ("assertion", assertion),
        ("scope", scope),
    ];
    answer(agent.post_as("tools", "a secret", "/token", &form).await).await
}

#[tokio::test]
async fn a_token_is_given_on_behalf_of_the_user() {
    let agent = start().await;
    let token = agent.issuer.mint().audience(RESOURCE).sign();
    for (scope, granted, audience) in [
        ("api://reports/read", "api://reports/read", "api://reports"),
        ("api://reports/.default", "api://reports/read api://reports/write", "api://reports"),
        ("User.Read", "User.Read", "00000003-0000-0000-c000-000000000000"),
    ] {
        let (status, body) = ask(&agent, &token, scope).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body["scope"], granted);
        assert_eq!(body["expires_in"], body["ext_expires_in"]);
        assert!(body.get("issued_token_type").is_none(), "this is not RFC 8693");
        let claims = claims(body["access_token"].as_str().unwrap());
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!("alice"), &json!(audience)));
    }
    assert_eq!(agent.issuer.requests().on_behalf_of, 3);
    assert_eq!(agent.issuer.requests().jwt_bearer, 0);
}

#[tokio::test]
async fn what_is_refused() {
    let agent = start().await;
    let mint = || agent.issuer.mint().audience(RESOURCE).client_id("a-client");
    let good = mint().sign();
    let app_only = mint().subject("a-client").sign();
    let expired = mint().expires_in(-1).sign();
    let of_others = mint().audience("https://else.example").sign();
    for (token, scope, expected) in [
        (&good, "api://payroll/read", "invalid_scope"),
        (&good, "api://payroll/.default", "invalid_scope"),
        (&good, "api://reports/read User.Read", "invalid_scope"),
        (&good, "", "invalid_request"),
        (&app_only, "api://reports/read", "invalid_grant"),
        (&expired, "api://reports/read", "invalid_grant"),
        (&of_others, "api://reports/read", "invalid_grant"),
    ] {
        let (status, body) = ask(&agent, token, scope).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{scope} {body}");
        assert_eq!(body["error"], expected, "{scope} {body}");
    }
}

#[tokio::test]
async fn a_step_up_and_a_consent_can_be_asked_for() {
    let agent = start().await;
    let token = agent.issuer.mint().audience(RESOURCE).sign();
    agent.issuer.set_mode(Mode::Token(TokenMode::InteractionRequired));
    let (status, body) = ask(&agent, &token, "api://reports/read").await;
    assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("interaction_required")));
    assert_eq!(body["error_codes"], json!([50076]));
    let claims: Value = serde_json::from_str(body["claims"].as_str().unwrap()).unwrap();
    assert_eq!(claims["access_token"]["acrs"]["value"], "c1");

    agent.issuer.set_mode(Mode::Token(TokenMode::ConsentRequired));
    let (_, body) = ask(&agent, &token, "api://reports/read").await;
    assert_eq!(
        (&body["error"], &body["suberror"]),
        (&json!("invalid_grant"), &json!("consent_required"))
    );
    agent.issuer.set_mode(Mode::Online);
    let (status, _) = ask(&agent, &token, "api://reports/read").await;
    assert_eq!(status, StatusCode::OK);
}

/// `vectors/token-answers.json` has what Entra ID's documentation shows.
#[tokio::test]
async fn the_answers_have_the_shapes_that_are_recorded() {
    let recorded: Value =
        serde_json::from_str(include_str!("../../../vectors/token-answers.json")).unwrap();
    let recorded = recorded["answers"].as_array().unwrap();
    let agent = start().await;
    let token = agent.issuer.mint().audience(RESOURCE).sign();
    for (name, mode) in [
        ("entra: on behalf of a user", Mode::Online),
        ("entra: another factor has to be registered", Mode::Token(TokenMode::InteractionRequired)),
        ("entra: nobody has consented", Mode::Token(TokenMode::ConsentRequired)),
    ] {
        agent.issuer.set_mode(mode);
        let (status, body) = ask(&agent, &token, "api://reports/read").await;
        let shape = recorded.iter().find(|answer| answer["name"] == name).unwrap();
        assert_eq!(shape["status"], status.as_u16(), "{name}");
        for (member, value) in shape["body"].as_object().unwrap() {
            let same_type = match value {
                Value::String(_) => body[member].is_string(),
                Value::Number(_) => body[member].is_number(),
                _ => body[member].is_array(),
            };
            assert!(same_type, "{name}: {member} is {}", body[member]);
        }
    }
}
