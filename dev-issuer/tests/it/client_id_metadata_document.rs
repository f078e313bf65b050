use std::collections::HashSet;

use axum::Router;
use axum::http::{StatusCode as Status, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use reqwest::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::*;

/// Serves documents on a loopback port and gives its origin.
async fn documents() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let document = |client_id: String, more: &str| {
        let body = format!(
            r#"{{"client_id":"{client_id}","client_name":"Documented","redirect_uris":["{REDIRECT_URI}"]{more}}}"#
        );
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let at = |path: &str| format!("{origin}{path}");
    let good = at("/good");
    let other = at("/good");
    let secret = at("/secret");
    let large = at("/large");
    let to_good = at("/good");
    let text = json!({ "client_id": at("/text"), "redirect_uris": [REDIRECT_URI] }).to_string();
    let router = Router::new()
        .route("/good", get(async move || document(good.clone(), "")))
        .route("/mismatch", get(async move || document(other.clone(), "")))
        .route("/redirect", get(async move || Redirect::to(&to_good)))
        .route("/gone", get(async || Status::NOT_FOUND))
        .route("/text", get(async move || text.clone()))
        .route(
            "/secret",
            get(async move || {
                let method = r#","token_endpoint_auth_method":"client_secret_post""#;
                document(secret.clone(), method)
            }),
        )
        .route(
            "/large",
            get(async move || {
                let padding = format!(r#","client_uri":"{}""#, "x".repeat(10 * 1024));
                document(large.clone(), &padding)
            }),
        );
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

#[tokio::test]
async fn a_client_is_known_by_its_document() {
    let mut agent = Agent::start().await;
    agent.client_id = format!("{}/good", documents().await);
    let html = agent.authorize(&agent.request()).await.text().await.unwrap();
    assert!(html.contains("Documented") && html.contains(&agent.client_id));
    let tokens = agent.sign_in().await;
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(claims["client_id"], agent.client_id.as_str());
    assert!(tokens["refresh_token"].is_string());
}

#[tokio::test]
async fn only_listed_redirect_uris_are_used() {
    let mut agent = Agent::start().await;
    agent.client_id = format!("{}/good", documents().await);
    let request = agent.request_with(&[("redirect_uri", "http://127.0.0.1:9/other")]);
    assert_eq!(agent.authorize(&request).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn unsound_documents_are_refused() {
    let mut agent = Agent::start().await;
    let origin = documents().await;
    let mut said = HashSet::new();
    for path in ["/mismatch", "/redirect", "/gone", "/text", "/secret", "/large", "/missing", "/"] {
        agent.client_id = format!("{origin}{path}");
        let response = agent.authorize(&agent.request()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
        // That `/` is no place of a document is said of the URL alone.
        if path != "/" {
            said.insert(response.text().await.unwrap());
        }
    }
    for client_id in [closed_port(), "https://10.0.0.1/client".to_owned()] {
        agent.client_id = client_id;
        said.insert(agent.authorize(&agent.request()).await.text().await.unwrap());
    }
    assert_eq!(said.len(), 1, "nobody learns what answers at a URL: {said:?}");
}

#[tokio::test]
async fn nothing_is_fetched_for_whoever_asks_without_a_user() {
    let agent = Agent::start().await;
    let origin = documents().await;
    let mut said = HashSet::new();
    for endpoint in ["/token", "/revoke", "/introspect"] {
        for client_id in [format!("{origin}/good"), format!("{origin}/gone"), closed_port()] {
            let form = [
                ("client_id", client_id.clone()),
                ("grant_type", "authorization_code".to_owned()),
                ("token", "t".to_owned()),
                ("code", "c".to_owned()),
            ];
            let response = agent.post(endpoint, &form).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{endpoint} {client_id}");
            said.insert(response.text().await.unwrap());
        }
    }
    assert_eq!(said.len(), 1, "{said:?}");
}

#[tokio::test]
async fn a_foreign_page_may_lead_its_user_here_and_not_ask_itself() {
    let mut agent = Agent::start().await;
    agent.client_id = format!("{}/good", documents().await);
    let url = format!("{}?{}", agent.url("/authorize"), encode(&agent.request()));
    for (site, destination, status) in [
        ("cross-site", "empty", StatusCode::BAD_REQUEST),
        ("same-site", "iframe", StatusCode::BAD_REQUEST),
        ("cross-site", "image", StatusCode::BAD_REQUEST),
        ("cross-site", "document", StatusCode::OK),
        ("none", "document", StatusCode::OK),
    ] {
        let request = agent.http.get(&url).header("sec-fetch-site", site);
        let response = request.header("sec-fetch-dest", destination).send().await.unwrap();
        assert_eq!(response.status(), status, "{site} {destination}");
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }
}

/// Where nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("http://{}/x", listener.local_addr().unwrap())
}

#[tokio::test]
async fn private_addresses_are_never_asked() {
    let mut agent = Agent::start().await;
    for client_id in ["https://10.0.0.1/client", "https://[fd00::1]/client", "http://10.0.0.1/c"] {
        agent.client_id = client_id.into();
        let response = agent.authorize(&agent.request()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{client_id}");
    }
}
