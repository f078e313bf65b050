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
async fn what_no_control_takes_is_refused_with_the_names_that_it_takes() {
    let agent = Agent::start().await;
    let rows = [
        ("/dev/mint", "scopes=mcp", "scopes is unknown"),
        ("/dev/mint", "scope=mcp&Scope=mcp", "Scope is unknown"),
        ("/dev/mint", "expires=", "expires is unknown"),
        ("/dev/mint", "claim.=x", "claim. is unknown"),
        ("/dev/mint", "header.=x", "header. is unknown"),
        ("/dev/mint", r#"{"scope":"mcp"}"#, "is unknown"),
        ("/dev/mint", "opaque=yes", "opaque cannot be yes"),
        ("/dev/mint", "broken=signatur", "known broken: signature, payload, "),
        ("/dev/mint", "alg=HS256", "ES256"),
        (
            "/dev/mode",
            "mode=down",
            "known mode: online, offline, hang, garbage, status:NNN, token:NAME",
        ),
        ("/dev/mint", "user=alice&user=admin", "user is given twice"),
        ("/dev/mint?scope=mcp", "", "scope is unknown: the query takes nothing"),
        ("/dev/rotate?drop_old=true", "", "drop_old is unknown"),
        ("/dev/rotate?drop=yes", "", "drop cannot be yes"),
        ("/dev/mode", "mode=online&modes=hang", "modes is unknown"),
    ];
    for (path, form, reason) in rows {
        let response = agent.http.post(agent.url(path)).body(form).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path} {form}");
        let answer: Value = response.json().await.unwrap();
        let description = answer["error_description"].as_str().unwrap();
        assert!(description.contains(reason), "{path} {form}: {description}");
    }
    let described = agent.http.get(agent.url("/dev/mint")).send().await.unwrap();
    let described = described.text().await.unwrap();
    let unknown = agent.http.post(agent.url("/dev/mint")).body("z=1").send().await.unwrap();
    let unknown = unknown.text().await.unwrap();
    let page = include_str!("../../../docs/try.md");
    for line in described.lines().skip(1) {
        let name = line.split_whitespace().next().unwrap();
        assert!(page.contains(&format!("`{name}`")), "docs/try.md does not know {name}");
        assert!(unknown.contains(name), "{unknown}");
    }
    assert!(described.lines().count() > 10, "{described}");
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
