use dev_issuer::{DevClient, DevIssuer, Mint};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::*;

pub(crate) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

type Fields<'a> = &'a [(&'a str, &'a str)];

/// An issuer whose client `tools` may get `reports:read` for `reports`, and acts for [`RESOURCE`].
async fn start() -> Agent {
    let tools = DevClient::new("tools")
        .secret("a secret")
        .may_get(["reports:read"])
        .targets(["reports", "https://reports.example.com"])
        .acts_for(RESOURCE);
    let issuer = DevIssuer::builder().clients([tools]).exchanges_own_tokens_only(true);
    Agent::of(issuer.start().await.unwrap())
}

fn subject(agent: &Agent) -> Mint {
    agent.issuer.mint().audience(RESOURCE).client_id("a-client").scope("mcp notes:read")
}

/// Exchanges as `tools`; fields that are empty are left out.
async fn exchange(agent: &Agent, token: &str, more: Fields<'_>) -> (StatusCode, Value) {
    let mut form = vec![
        ("grant_type", EXCHANGE),
        ("subject_token", token),
        ("subject_token_type", ACCESS_TOKEN),
        ("audience", "reports"),
    ];
    form.retain(|(name, _)| more.iter().all(|(changed, _)| changed != name));
    form.extend(more);
    answer(agent.post_as("tools", "a secret", "/token", &form).await).await
}

#[tokio::test]
async fn a_token_is_exchanged_for_one_of_the_same_user_for_another_audience() {
    let agent = start().await;
    let token = subject(&agent).expires_in(600).sign();
    let more = [
        ("scope", "reports:read notes:read"),
        ("resource", "https://reports.example.com"),
        ("requested_token_type", ACCESS_TOKEN),
    ];
    let (status, body) = exchange(&agent, &token, &more).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["scope"], "reports:read notes:read");
    assert!(body.get("refresh_token").is_none());
    let exchanged = claims(body["access_token"].as_str().unwrap());
    assert_eq!(exchanged["sub"], "alice");
    assert_eq!(exchanged["client_id"], "tools");
    assert_eq!(exchanged["aud"], json!(["reports", "https://reports.example.com"]));
    assert_eq!(exchanged["email"], "alice@example.com");
    assert!(exchanged.get("act").is_none());
    assert!(exchanged["exp"].as_u64() <= claims(&token)["exp"].as_u64(), "it outlives its origin");
    assert!(body["expires_in"].as_u64().unwrap() <= 600);
    assert!(agent.is_active(&body["access_token"]).await);

    let (_, default_scope) = exchange(&agent, &token, &[]).await;
    assert_eq!(default_scope["scope"], "mcp notes:read");
    let counts = agent.issuer.requests();
    assert_eq!((counts.token_exchange, counts.id_jag, counts.client_credentials), (2, 0, 0));
}

#[tokio::test]
async fn an_exchanged_token_is_revoked_with_what_it_was_made_of() {
    let agent = start().await;
    let token = subject(&agent).sign();
    let (_, first) = exchange(&agent, &token, &[]).await;
    let first_token = first["access_token"].as_str().unwrap();
    let (status, second) = exchange(&agent, first_token, &[]).await;
    assert_eq!(status, StatusCode::OK, "{second}");
    agent.issuer.revoke(&token);
    assert!(!agent.is_active(&first["access_token"]).await);
    assert!(!agent.is_active(&second["access_token"]).await);
}

#[tokio::test]
async fn delegation_names_the_actor_and_those_before_it() {
    let agent = start().await;
    let token = subject(&agent).claim("act", json!({ "sub": "an earlier one" })).sign();
    let actor = agent.issuer.mint().subject("the tool").client_id("tools").sign();
    let with_actor = [("actor_token", actor.as_str()), ("actor_token_type", ACCESS_TOKEN)];
    let (status, body) = exchange(&agent, &token, &with_actor).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let act = claims(body["access_token"].as_str().unwrap())["act"].clone();
    assert_eq!(act, json!({ "sub": "the tool", "act": { "sub": "an earlier one" } }));

    for (may_act, expected) in
        [("the tool", StatusCode::OK), ("another tool", StatusCode::BAD_REQUEST)]
    {
        let token = subject(&agent).claim("may_act", json!({ "sub": may_act })).sign();
        let (status, body) = exchange(&agent, &token, &with_actor).await;
        assert_eq!(status, expected, "{body}");
    }
}

#[tokio::test]
async fn an_id_token_of_the_client_is_exchanged_and_no_other() {
    let agent = start().await;
    let id_token = |client: &str| {
        let token = agent.issuer.mint().audience(client).header("typ", "JWT");
        token.without("client_id").without("scope")
    };
    for (token, token_type, expected) in [
        (id_token("tools"), ID_TOKEN, StatusCode::OK),
        (id_token("tools"), ACCESS_TOKEN, StatusCode::BAD_REQUEST),
        (id_token("another"), ID_TOKEN, StatusCode::BAD_REQUEST),
        (id_token("tools").expires_in(-1), ID_TOKEN, StatusCode::BAD_REQUEST),
        (subject(&agent).audience("tools"), ID_TOKEN, StatusCode::BAD_REQUEST),
    ] {
        let more = [("subject_token_type", token_type), ("scope", "reports:read")];
        let (status, body) = exchange(&agent, &token.sign(), &more).await;
        assert_eq!(status, expected, "{body}");
    }
}

#[tokio::test]
async fn what_is_wider_than_allowed_or_does_not_hold_is_refused() {
    let agent = start().await;
    let other = DevIssuer::start().await.unwrap();
    let good = subject(&agent).sign();
    let revoked = subject(&agent).sign();
    agent.issuer.revoke(&revoked);
    let expired = subject(&agent).expires_in(-1).sign();
    let foreign = other.mint().audience(RESOURCE).sign();
    let pretended = other.mint().issuer(agent.issuer.issuer()).audience(RESOURCE).sign();
    let of_others = subject(&agent).audience("https://else.example").sign();
    let rows: [(&str, Fields<'_>, &str); 15] = [
        (&good, &[("scope", "reports:read reports:write")], "invalid_scope"),
        (&good, &[("scope", "notes:write")], "invalid_scope"),
        (&good, &[("audience", "payroll")], "invalid_target"),
        (&good, &[("resource", "https://payroll.example.com")], "invalid_target"),
        (&good, &[("resource", "https://reports.example.com#a")], "invalid_target"),
        (&good, &[("audience", "")], "invalid_target"),
        (&good, &[("subject_token_type", "")], "invalid_request"),
        (
            &good,
            &[("subject_token_type", "urn:ietf:params:oauth:token-type:saml2")],
            "invalid_request",
        ),
        (&good, &[("requested_token_type", "urn:x")], "invalid_request"),
        (&good, &[("actor_token", &good)], "invalid_request"),
        (&good, &[("actor_token", "x"), ("actor_token_type", ACCESS_TOKEN)], "invalid_request"),
        (&revoked, &[], "invalid_request"),
        (&expired, &[], "invalid_request"),
        (&foreign, &[], "invalid_request"),
        (&of_others, &[], "invalid_request"),
    ];
    for (token, more, expected) in rows {
        let (status, body) = exchange(&agent, token, more).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{more:?} {body}");
        assert_eq!(body["error"], expected, "{more:?} {body}");
        assert!(body.get("access_token").is_none());
    }
    let (_, body) = exchange(&agent, &pretended, &[]).await;
    assert_eq!(body["error"], "invalid_request");
    let (status, _) = exchange(&agent, &good, &[]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn public_clients_and_web_pages_exchange_nothing() {
    let agent = start().await;
    let token = subject(&agent).sign();
    let form = [
        ("grant_type", EXCHANGE.to_owned()),
        ("subject_token", token.clone()),
        ("subject_token_type", ACCESS_TOKEN.to_owned()),
        ("audience", "reports".to_owned()),
        ("client_id", "dev-public".to_owned()),
    ];
    let (_, body) = answer(agent.post("/token", &form).await).await;
    assert_eq!(body["error"], "unauthorized_client");

    for grant_type in [EXCHANGE, "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
        let request = agent.http.post(agent.url("/token")).basic_auth("dev", Some("dev"));
        let request = request.header("origin", "https://evil.example");
        let form = encode(&[("grant_type", grant_type), ("assertion", &token)]);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let (_, body) = answer(request.body(form).send().await.unwrap()).await;
        assert_eq!(body["error"], "unauthorized_client", "{grant_type}");
    }
}
