//! Where metadata is looked for, and which documents are believed.

use axum::body::Bytes;
use axum::http::{Request, Response};
use dev_issuer::{DevIssuer, MetadataLocation};
use futures_util::future::{BoxFuture, ready};
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::settings::ServerType;
use mcp_auth::{AuthError, AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::{Map, Value, json};

use crate::support::{Harness, RESOURCE};

const PLACES: [MetadataLocation; 4] = [
    MetadataLocation::OAuthInserted,
    MetadataLocation::OpenIdInserted,
    MetadataLocation::OpenIdAppended,
    MetadataLocation::OAuthAppended,
];

fn members(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// A configuration with this one authorization server.
fn trusting(server: AuthorizationServer) -> Config {
    let mut resource = ProtectedResource::new(RESOURCE, Vec::<String>::new());
    resource.authorization_servers = vec![server];
    Config::default().protect_resource(resource)
}

async fn code_with(issuer: DevIssuer, server: AuthorizationServer) -> &'static str {
    let harness = Harness::around(issuer, |_| trusting(server));
    harness.call(&harness.mint().sign()).await.code()
}

/// Why the issuer could not be asked.
async fn reason(harness: &Harness) -> String {
    let answer = harness.call(&harness.mint().sign()).await;
    match answer.error {
        Some(AuthError::Unavailable(unavailable)) => unavailable.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_well_known_place_is_found() {
    for path in ["", "/tenant1", "/realms/a/b"] {
        for place in PLACES {
            let issuer =
                DevIssuer::builder().path(path).metadata_at([place]).start().await.unwrap();
            let server = AuthorizationServer::new(issuer.issuer());
            assert_eq!(code_with(issuer, server).await, "ok", "{path} {place:?}");
        }
    }
}

#[tokio::test]
async fn the_server_type_narrows_the_search() {
    let rows = [
        (MetadataLocation::OAuthInserted, ServerType::Oauth, "ok"),
        (MetadataLocation::OAuthInserted, ServerType::Oidc, "unavailable"),
        (MetadataLocation::OAuthAppended, ServerType::Oauth, "ok"),
        (MetadataLocation::OpenIdInserted, ServerType::Oidc, "ok"),
        (MetadataLocation::OpenIdAppended, ServerType::Oidc, "ok"),
        (MetadataLocation::OpenIdAppended, ServerType::Oauth, "unavailable"),
    ];
    for (place, server_type, expected) in rows {
        let issuer = DevIssuer::builder().path("/t").metadata_at([place]).start().await.unwrap();
        let mut server = AuthorizationServer::new(issuer.issuer());
        server.server_type = server_type;
        assert_eq!(code_with(issuer, server).await, expected, "{place:?} {server_type:?}");
    }
}

#[tokio::test]
async fn a_document_of_another_issuer_is_not_used() {
    for (claimed, hint) in [("https://other.example", ""), ("slash", "slash at the end")] {
        let issuer = DevIssuer::builder();
        let issuer =
            issuer.metadata_override(members(json!({ "issuer": claimed }))).start().await.unwrap();
        let server = Harness::around(issuer, |config| config);
        let reason = reason(&server).await;
        assert!(reason.contains("must be exactly"), "{reason}");
        assert!(reason.contains(server.issuer.issuer()) && reason.contains(claimed), "{reason}");
        assert!(hint.is_empty() || !reason.contains(hint), "{reason}");
    }
}

#[tokio::test]
async fn an_issuer_that_differs_by_a_slash_is_named() {
    let issuer = DevIssuer::start().await.unwrap();
    let with_slash = format!("{}/", issuer.issuer());
    let server = Harness::around(issuer, |_| Config::new(RESOURCE, &with_slash).unwrap());
    let token = server.mint().issuer(&with_slash).sign();
    let answer = server.call(&token).await;
    let Some(AuthError::Unavailable(unavailable)) = answer.error else { panic!("{answer:?}") };
    assert!(unavailable.reason.contains("differ only by a slash"), "{}", unavailable.reason);
}

#[tokio::test]
async fn the_error_names_every_url_that_was_tried() {
    let issuer = DevIssuer::builder().path("/t").metadata_at([]).start().await.unwrap();
    let server = Harness::around(issuer, |config| config);
    let reason = reason(&server).await;
    for place in [
        "oauth-authorization-server/t:",
        "openid-configuration/t:",
        "/t/.well-known/openid-configuration:",
    ] {
        assert!(reason.contains(place), "{place} in {reason}");
    }
}

#[tokio::test]
async fn metadata_by_url_and_by_hand() {
    let issuer = DevIssuer::builder().path("/t").start().await.unwrap();
    let mut by_url = AuthorizationServer::new(issuer.issuer());
    by_url.metadata_url = Some(format!("{}/.well-known/openid-configuration", issuer.issuer()));
    assert_eq!(code_with(issuer.clone(), by_url).await, "ok");
    let fetched = issuer.requests().metadata;

    let mut by_hand = AuthorizationServer::new(issuer.issuer());
    by_hand.metadata =
        Some(members(json!({ "issuer": issuer.issuer(), "jwks_uri": issuer.jwks_uri() })));
    assert_eq!(code_with(issuer.clone(), by_hand).await, "ok");
    assert_eq!(issuer.requests().metadata, fetched, "nothing is discovered");
}

#[tokio::test]
async fn a_patch_mends_a_document_before_it_is_read() {
    let wrong = members(json!({ "issuer": "https://other.example", "jwks_uri": null }));
    let issuer = DevIssuer::builder().metadata_override(wrong).start().await.unwrap();
    let (own, jwks_uri) = (issuer.issuer().to_owned(), issuer.jwks_uri());
    let auth = McpAuth::builder(Config::new(RESOURCE, &own).unwrap())
        .patch_metadata(move |asked, document| {
            assert_eq!(asked, own);
            document["issuer"] = json!(asked);
            document["jwks_uri"] = json!(jwks_uri);
        })
        .build()
        .unwrap();
    auth.ready().await.unwrap();
}

#[tokio::test]
async fn a_patch_that_panics_is_an_outage_and_not_a_crash() {
    let issuer = DevIssuer::start().await.unwrap();
    let config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    let patch = |_: &str, _: &mut Value| panic!("a bug in the patch");
    let auth = McpAuth::builder(config).patch_metadata(patch).build().unwrap();
    for _ in 0..2 {
        assert!(auth.ready().await.unwrap_err().reason.contains("panicked"));
    }
}

#[tokio::test]
async fn a_key_set_over_http_on_another_host_is_not_fetched() {
    let insecure = members(json!({ "jwks_uri": "http://keys.example/jwks" }));
    let issuer = DevIssuer::builder().metadata_override(insecure).start().await.unwrap();
    let server = Harness::around(issuer, |config| config);
    assert!(reason(&server).await.contains("must use https"));
}

#[tokio::test]
async fn a_public_issuer_cannot_send_us_to_our_own_machine() {
    struct Metadata;
    impl HttpClient for Metadata {
        fn send(
            &self,
            request: Request<Bytes>,
        ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
            assert!(request.uri().path().starts_with("/.well-known/"), "{}", request.uri());
            let document =
                json!({ "issuer": "https://as.example", "jwks_uri": "http://127.0.0.1:6379/" });
            Box::pin(ready(Ok(Response::new(Bytes::from(document.to_string())))))
        }
    }
    let config = Config::new(RESOURCE, "https://as.example").unwrap();
    let auth = McpAuth::builder(config).http_client(Metadata).build().unwrap();
    let reason = auth.ready().await.unwrap_err().reason;
    assert!(reason.contains("must use https"), "{reason}");
}

#[tokio::test]
async fn several_issuers_keep_their_keys_apart() {
    let (one, two) = (DevIssuer::start().await.unwrap(), DevIssuer::start().await.unwrap());
    let both = ProtectedResource::new(RESOURCE, [one.issuer(), two.issuer()]);
    let server = Harness::around(one.clone(), |_| Config::default().protect_resource(both));
    let minted_by = |issuer: &DevIssuer, iss: &str| {
        issuer.mint().issuer(iss).audience(RESOURCE).without_header("kid").sign()
    };
    assert_eq!(server.call(&minted_by(&one, one.issuer())).await.code(), "ok");
    assert_eq!(server.call(&minted_by(&two, two.issuer())).await.code(), "ok");
    assert_eq!(server.call(&minted_by(&two, one.issuer())).await.code(), "bad_signature");
    let fetched = (one.requests().jwks, two.requests().jwks);
    let stranger = server.call(&minted_by(&two, "https://stranger.example")).await;
    assert_eq!(stranger.code(), "unknown_issuer");
    assert_eq!((one.requests().jwks, two.requests().jwks), fetched, "a stranger causes no fetch");
}
