use dev_issuer::{DevIssuer, MetadataLocation, StartError};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::*;

async fn get(issuer: &DevIssuer, path: &str) -> (StatusCode, Value) {
    let url = format!("http://{}{path}", issuer.address());
    answer(http().get(url).send().await.unwrap()).await
}

#[tokio::test]
async fn every_well_known_url_serves_the_same_document() {
    for (path, well_known) in [
        ("", vec!["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]),
        ("/", vec!["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]),
        (
            "/tenant1",
            vec![
                "/.well-known/oauth-authorization-server/tenant1",
                "/.well-known/openid-configuration/tenant1",
                "/tenant1/.well-known/openid-configuration",
                "/tenant1/.well-known/oauth-authorization-server",
            ],
        ),
    ] {
        let issuer = DevIssuer::builder().path(path).start().await.unwrap();
        let origin = format!("http://{}", issuer.address());
        assert_eq!(issuer.issuer(), format!("{origin}{path}"));
        for location in well_known {
            let (status, document) = get(&issuer, location).await;
            assert_eq!(status, StatusCode::OK, "{location}");
            assert_eq!(document["issuer"], issuer.issuer());
            assert_eq!(document["jwks_uri"], issuer.jwks_uri());
            let base = format!("{origin}{}", path.trim_end_matches('/'));
            assert_eq!(document["token_endpoint"], format!("{base}/token"));
            assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
            assert_eq!(document["authorization_response_iss_parameter_supported"], true);
            assert_eq!(document["client_id_metadata_document_supported"], true);
        }
    }
}

#[tokio::test]
async fn a_subset_of_the_urls_and_other_members() {
    let members = json!({ "issuer": "https://wrong.example", "registration_endpoint": null });
    let issuer = DevIssuer::builder()
        .path("/tenant1")
        .metadata_at([MetadataLocation::OpenIdAppended])
        .metadata_override(members.as_object().unwrap().clone())
        .start()
        .await
        .unwrap();
    let (status, _) = get(&issuer, "/.well-known/oauth-authorization-server/tenant1").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, document) = get(&issuer, "/tenant1/.well-known/openid-configuration").await;
    assert_eq!(document["issuer"], "https://wrong.example");
    assert!(document.get("registration_endpoint").is_none());
    assert_eq!(issuer.requests().metadata, 2);
}

#[tokio::test]
async fn browsers_may_read_what_clients_need() {
    let agent = Agent::start().await;
    for (endpoint, is_open) in [
        ("/.well-known/oauth-authorization-server", true),
        ("/jwks", true),
        ("/token", true),
        ("/register", true),
        ("/authorize", false),
        ("/introspect", false),
    ] {
        let request = agent.http.request(Method::OPTIONS, agent.url(endpoint));
        let response = request.header("origin", "http://localhost:6274").send().await.unwrap();
        let allowed = response.headers().get("access-control-allow-origin");
        assert_eq!(allowed.is_some(), is_open, "{endpoint}");
        assert_eq!(response.status() == StatusCode::NO_CONTENT, is_open, "{endpoint}");
    }
    let refused = agent.post("/token", &[]).await;
    assert_eq!(refused.headers()["access-control-allow-origin"], "*");
    assert_eq!(agent.issuer.requests().jwks, 0, "a preflight is not counted");
}

#[tokio::test]
async fn unusable_configurations_do_not_start() {
    for path in ["tenant1", "//", "/a//b", "/{a}", "/a?b", "/a/../b", "/a b"] {
        let error = DevIssuer::builder().path(path).start().await.unwrap_err();
        assert!(matches!(error, StartError::InvalidPath(_)), "{path}");
    }
    let error = DevIssuer::builder().scopes(["a b"]).start().await.unwrap_err();
    assert!(matches!(error, StartError::InvalidScope(_)));
    let error = DevIssuer::builder().users([]).start().await.unwrap_err();
    assert!(matches!(error, StartError::NoUsers));
}
