use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::*;

async fn mint(agent: &Agent, form: &[(&str, &str)]) -> String {
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.to_string())).collect();
    let response = agent.post("/dev/mint", &form).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    response.text().await.unwrap()
}

#[tokio::test]
async fn any_token_can_be_minted() {
    let agent = Agent::start().await;
    let form = [
        ("user", "admin"),
        ("resource", RESOURCE),
        ("resource", "https://other.example"),
        ("scope", "mcp notes:write"),
        ("client_id", "c"),
        ("expires_in", "-60"),
        ("claim.tenant", "acme"),
        ("claim.groups", r#"["a"]"#),
        ("without", "email"),
        ("alg", "EdDSA"),
        ("typ", "JWT"),
    ];
    let token = mint(&agent, &form).await;
    assert_eq!(header(&token)["alg"], "EdDSA");
    assert_eq!(header(&token)["typ"], "JWT");
    let claims = claims(&token);
    assert_eq!(claims["sub"], "admin");
    assert_eq!(claims["roles"], json!(["admin"]));
    assert_eq!(claims["aud"], json!([RESOURCE, "https://other.example"]));
    assert_eq!(claims["scope"], "mcp notes:write");
    assert_eq!(claims["tenant"], "acme");
    assert_eq!(claims["groups"], json!(["a"]));
    assert!(claims["exp"].as_u64() < claims["iat"].as_u64());
    assert!(claims.get("email").is_none());

    let token = mint(&agent, &[("broken", "algorithm-none")]).await;
    assert_eq!(header(&token)["alg"], "none");
    for (name, value) in [("broken", "unknown"), ("alg", "HS256"), ("expires_in", "x"), ("z", "1")]
    {
        let response = agent.post("/dev/mint", &[(name, value.to_owned())]).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}");
    }
}

#[tokio::test]
async fn web_pages_are_refused() {
    let agent = Agent::start().await;
    for endpoint in ["/dev/mint", "/dev/rotate", "/dev/mode"] {
        let request = agent.http.post(agent.url(endpoint)).header("origin", "null");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{endpoint}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_endpoint() {
    let agent = Agent::start().await;
    agent.sign_in().await;
    let requests = agent.http.get(agent.url("/dev/requests")).send().await.unwrap();
    let counts: Value = requests.json().await.unwrap();
    assert_eq!(counts["authorize"], 2);
    assert_eq!(counts["token"], 1);
    assert_eq!(counts["jwks"], 0);
    assert_eq!(agent.issuer.requests().authorize, 2);
}

#[tokio::test]
async fn keys_rotate_and_old_ones_drop() {
    let agent = Agent::start().await;
    let count = async || {
        let (_, jwks) = answer(agent.http.get(agent.issuer.jwks_uri()).send().await.unwrap()).await;
        jwks["keys"].as_array().unwrap().len()
    };
    agent.post("/dev/rotate", &[]).await;
    assert_eq!(count().await, 2);
    agent.post("/dev/rotate?drop=true", &[]).await;
    assert_eq!(count().await, 1);
}
