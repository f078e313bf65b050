use dev_issuer::{DevIssuer, User};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn the_page_has_one_form_and_strict_headers() {
    let agent = Agent::start().await;
    let page = agent.authorize(&agent.request_with(&[("login_hint", "bob")])).await;
    let headers = page.headers().clone();
    assert_eq!(headers["x-frame-options"], "DENY");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!headers.contains_key("access-control-allow-origin"));

    let html = page.text().await.unwrap();
    assert_eq!(html.matches("<form method=\"post\"").count(), 1);
    assert_eq!(html.matches(r#"name="request""#).count(), 1);
    assert_eq!(ticked_scopes(&html), ["mcp", "notes:read"]);
    assert!(html.contains(r#"value="bob" required checked"#));
    assert!(html.contains(RESOURCE));
    assert!(!html.contains("<script"));
}

#[tokio::test]
async fn everything_shown_is_escaped() {
    let evil = r#""'><script>alert(1)</script>&"#;
    let user = User::new(evil).name(evil).email(evil);
    let issuer = DevIssuer::builder().users([user]).start().await.unwrap();
    let mut agent = Agent::of(issuer);
    let body = json!({ "client_name": evil, "redirect_uris": [REDIRECT_URI] });
    let register = agent.http.post(agent.url("/register")).body(body.to_string());
    let (_, client) = answer(register.send().await.unwrap()).await;
    agent.client_id = client["client_id"].as_str().unwrap().to_owned();

    let resource = format!("https://a.example/?{evil}");
    let scope = "<script>alert(1)</script>'&";
    let request = agent.request_with(&[("resource", &resource), ("scope", scope)]);
    let html = agent.authorize(&request).await.text().await.unwrap();
    assert!(!html.contains("<script"), "{html}");
    assert!(!html.contains(evil), "{html}");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");

    let refused = agent.authorize(&agent.request_with(&[("redirect_uri", evil)])).await;
    assert!(!refused.text().await.unwrap().contains("<script"));
}

#[tokio::test]
async fn unticked_scopes_are_not_granted() {
    let agent = Agent::start().await;
    let html = agent.authorize(&agent.request()).await.text().await.unwrap();
    let form = [
        ("request", hidden_request(&html)),
        ("user", "bob".into()),
        ("scope", "notes:read".into()),
        ("scope", "never:asked".into()),
        ("decision", "approve".into()),
    ];
    let params = redirect_params(&agent.post("/authorize", &form).await);
    let (_, tokens) = agent.exchange(&params["code"], VERIFIER).await;
    assert_eq!(tokens["scope"], "notes:read");
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["sub"], "bob");
}

#[tokio::test]
async fn deny_and_nothing_ticked_are_access_denied() {
    let agent = Agent::start().await;
    for decision in ["deny", "approve"] {
        let html = agent.authorize(&agent.request()).await.text().await.unwrap();
        let form = [
            ("request", hidden_request(&html)),
            ("user", "alice".into()),
            ("decision", decision.into()),
        ];
        let params = redirect_params(&agent.post("/authorize", &form).await);
        assert_eq!(params["error"], "access_denied");
        assert_eq!(params["state"], "a state");
    }
}

#[tokio::test]
async fn a_decision_is_taken_once_and_only_for_a_real_request() {
    let agent = Agent::start().await;
    let html = agent.authorize(&agent.request()).await.text().await.unwrap();
    let form = |request: String, user: &str, decision: &str| {
        [
            ("request", request),
            ("user", user.to_owned()),
            ("scope", "mcp".to_owned()),
            ("decision", decision.to_owned()),
        ]
    };
    let id = hidden_request(&html);
    for (form, status) in [
        (form("unknown".into(), "alice", "approve"), StatusCode::BAD_REQUEST),
        (form(id.clone(), "mallory", "approve"), StatusCode::BAD_REQUEST),
        (form(id.clone(), "alice", "maybe"), StatusCode::BAD_REQUEST),
        (form(id.clone(), "alice", "approve"), StatusCode::SEE_OTHER),
        (form(id, "alice", "approve"), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(agent.post("/authorize", &form).await.status(), status, "{form:?}");
    }
}

#[tokio::test]
async fn web_sites_are_not_approved_by_themselves() {
    let issuer = DevIssuer::builder().auto_approve(true).start().await.unwrap();
    let mut agent = Agent::of(issuer);
    let applications = ["app.example:/cb", "cursor://mcp/cb"];
    let listed = ["https://site.example/cb", REDIRECT_URI, applications[0], applications[1]];
    let body = json!({ "redirect_uris": listed });
    let register = agent.http.post(agent.url("/register")).body(body.to_string());
    let (_, client) = answer(register.send().await.unwrap()).await;
    agent.client_id = client["client_id"].as_str().unwrap().to_owned();
    for (redirect_uri, status) in [
        (listed[0], StatusCode::OK),
        (REDIRECT_URI, StatusCode::SEE_OTHER),
        (applications[0], StatusCode::OK),
        (applications[1], StatusCode::OK),
    ] {
        let request = agent.request_with(&[("redirect_uri", redirect_uri)]);
        let response = agent.authorize(&request).await;
        assert_eq!(response.status(), status, "{redirect_uri}");
        let location = response.headers().get("location");
        assert_eq!(location.is_some(), redirect_uri == REDIRECT_URI, "{redirect_uri}");
    }
    for redirect_uri in [listed[0], applications[0]] {
        let request = agent.request_with(&[("redirect_uri", redirect_uri), ("prompt", "none")]);
        let location = location(&agent.authorize(&request).await);
        assert!(location.as_str().contains("error=interaction_required"), "{location}");
    }
}

#[tokio::test]
async fn names_cannot_turn_the_page_around_or_fill_it() {
    let mut agent = Agent::start().await;
    let harmful =
        ['\u{202e}', '\u{2066}', '\u{200f}', '\u{200b}', '\u{1b}', '\u{9b}', '\u{7f}', '\u{2028}'];
    let name = format!("Good{}{}", String::from_iter(harmful), "x".repeat(5_000));
    let body = json!({ "client_name": name, "redirect_uris": [REDIRECT_URI] });
    let register = agent.http.post(agent.url("/register")).body(body.to_string());
    let (_, client) = answer(register.send().await.unwrap()).await;
    agent.client_id = client["client_id"].as_str().unwrap().to_owned();
    let resource = format!("https://a.example/{}", String::from_iter(harmful));
    let request = agent.request_with(&[("resource", &resource)]);
    let html = agent.authorize(&request).await.text().await.unwrap();
    assert!(html.contains(r"<bdi>Good\u{202e}\u{2066}") && html.contains("</bdi> asks"), "{html}");
    assert!(!html.contains(harmful), "{html:?}");
    assert!(!html.contains(&"x".repeat(300)), "{html}");
}
