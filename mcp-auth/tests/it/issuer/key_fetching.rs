//! Where keys are fetched from, and when again.

use axum::body::Bytes;
use axum::http::{Request, Response};
use futures_util::future::{BoxFuture, join_all, ready};
use mcp_auth::http_client::{AllowedAddresses, HttpClient, HttpError};
use mcp_auth::{AuthError, AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::json;

use crate::support::hostile::{Hostile, Reply, signer};
use crate::support::{Harness, RESOURCE};

const METADATA: &str = "/.well-known/oauth-authorization-server";

async fn reason(server: &Harness, token: &str) -> String {
    match server.call(token).await.error {
        Some(AuthError::Unavailable(unavailable)) => unavailable.reason,
        other => panic!("{other:?}"),
    }
}

/// Lets everything that can go on go on.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn cache_control_says_when_keys_are_refreshed() {
    let rows = [
        ("x: y", 600),
        ("cache-control: max-age=120", 120),
        ("cache-control: public, max-age=300, must-revalidate", 300),
        ("cache-control: max-age=86400", 600),
        ("cache-control: max-age=1", 60),
        ("cache-control: no-store", 60),
        ("cache-control: no-cache", 60),
        ("cache-control: max-age=abc", 60),
        ("cache-control: max-age=300\r\nage: 100", 200),
    ];
    let signer = signer().await;
    let issuers = join_all(rows.map(|_| Hostile::with(&signer))).await;
    let server = Hostile::harness_of(&issuers, |config| config);
    for ((header, fresh_for), hostile) in rows.into_iter().zip(&issuers) {
        hostile.reply("/jwks", Reply::new("200 OK", &[header], hostile.keys().await.to_string()));
        let token = hostile.token(&server);
        assert_eq!(server.call(&token).await.code(), "ok");
        server.clock.advance(fresh_for);
        assert_eq!(server.call(&token).await.code(), "ok");
        settle().await;
        assert_eq!(hostile.count("/jwks"), 1, "{header}");
        server.clock.advance(1);
        assert_eq!(server.call(&token).await.code(), "ok");
        while hostile.count("/jwks") < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hostile.count(METADATA), 2, "{header}: metadata is refreshed along");
    }
}

#[tokio::test]
async fn a_short_key_max_age_is_kept_below_the_minimum_for_cache_control() {
    let hostile = Hostile::start().await;
    let server = hostile.harness(|mut config| {
        config.key_max_age = std::time::Duration::from_secs(10);
        config
    });
    let token = hostile.token(&server);
    assert_eq!(server.call(&token).await.code(), "ok");
    server.clock.advance(11);
    assert_eq!(server.call(&token).await.code(), "ok");
    while hostile.count("/jwks") < 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn keys_that_moved_are_found() {
    let hostile = Hostile::start().await;
    let server = hostile.harness(|config| config);
    assert_eq!(server.call(&hostile.token(&server)).await.code(), "ok");
    hostile.signer.rotate_keys_and_drop_old();
    let moved = json!({ "issuer": hostile.origin, "jwks_uri": format!("{}/new", hostile.origin) });
    hostile.reply(METADATA, Reply::json(&moved));
    hostile.reply("/jwks", Reply::new("410 Gone", &[], ""));
    hostile.reply("/new", Reply::json(&hostile.keys().await));
    assert_eq!(server.call(&hostile.token(&server)).await.code(), "ok");
    assert_eq!((hostile.count("/jwks"), hostile.count("/new")), (1, 1));
}

#[tokio::test]
async fn three_redirects_within_the_origin_are_followed() {
    let hostile = Hostile::start().await;
    for (from, to) in [("/jwks", "/a"), ("/a", "/b"), ("/b", "/c")] {
        hostile.reply(from, Reply::redirect(to));
    }
    hostile.reply("/c", Reply::json(&hostile.keys().await));
    let server = hostile.harness(|config| config);
    let token = hostile.token(&server);
    assert_eq!(server.call(&token).await.code(), "ok");

    hostile.reply("/c", Reply::redirect("/d"));
    hostile.reply("/d", Reply::json(&hostile.keys().await));
    let server = hostile.harness(|config| config);
    assert!(reason(&server, &token).await.contains("redirected too often"));
    assert_eq!(hostile.count("/d"), 0);
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_not_followed() {
    let other = Hostile::start().await;
    let issuers = join_all([(); 8].map(|()| Hostile::with(&other.signer))).await;
    let server = Hostile::harness_of(&issuers, |config| config);
    for (index, hostile) in issuers.iter().enumerate() {
        let port = hostile.origin.rsplit(':').next().unwrap();
        let elsewhere = [
            format!("{}/jwks", other.origin),
            format!("//localhost:{port}/jwks"),
            format!("https://127.0.0.1:{port}/jwks"),
            "https://keys.example/".to_owned(),
        ];
        let (path, place) = ([METADATA, "/jwks"][index % 2], &elsewhere[index / 2]);
        hostile.reply(path, Reply::redirect(place));
        let reason = reason(&server, &hostile.token(&server)).await;
        assert!(reason.contains("redirected to another origin"), "{path} {place}: {reason}");
    }
    assert_eq!(other.total(), 0);
}

#[tokio::test]
async fn a_public_issuer_leads_to_no_private_address() {
    let hostile = Hostile::start().await;
    let port = hostile.origin.rsplit(':').next().unwrap();
    let private = [
        format!("https://localhost:{port}/"),
        format!("https://LOCALHOST:{port}/"),
        format!("https://keys.localhost:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://[::ffff:7f00:1]:{port}/"),
        format!("https://127.0.0.2:{port}/"),
        format!("https://127.1:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://0x7f000001:{port}/"),
        format!("https://0.0.0.0:{port}/"),
        "https://10.0.0.1/".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://192.168.1.1/".to_owned(),
        "https://100.64.0.1/".to_owned(),
        "https://[fd00::1]/".to_owned(),
        "https://[fe80::1]/".to_owned(),
    ];
    // Nobody asks these issuers: their metadata is at URLs given by hand.
    let issuer = |index: usize| format!("https://as{index}.example");
    let servers = (0..private.len()).map(|index| {
        let mut server = AuthorizationServer::new(issuer(index));
        server.metadata_url = Some(format!("{}/meta{index}", hostile.origin));
        server.allowed_key_hosts = vec!["keys.internal".to_owned()];
        server
    });
    let config = Config::default().protect_resource(ProtectedResource::new(RESOURCE, servers));
    let server = Harness::around(hostile.signer.clone(), |_| config);
    for (index, jwks_uri) in private.iter().enumerate() {
        let document = json!({ "issuer": issuer(index), "jwks_uri": jwks_uri });
        hostile.reply(&format!("/meta{index}"), Reply::json(&document));
        let reason = reason(&server, &server.mint().issuer(issuer(index)).sign()).await;
        assert!(reason.contains("allowed_key_hosts"), "{jwks_uri}: {reason}");
    }
    assert_eq!(hostile.total(), private.len(), "nothing but metadata was asked for");
}

#[tokio::test]
async fn a_private_host_that_is_allowed_is_asked() {
    let (tls, authority) = Hostile::with_tls().await;
    let plain = Hostile::with(&tls.signer).await;
    let jwks_uri = format!("{}/jwks", tls.origin.replace("127.0.0.1", "localhost"));
    let document = json!({ "issuer": "https://as.example", "jwks_uri": jwks_uri });
    plain.reply("/meta", Reply::json(&document));
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("allowed-host.pem");
    std::fs::write(&file, format!("\u{feff}{authority}")).unwrap();
    for (allowed, expected) in [(vec!["localhost"], "ok"), (vec![], "unavailable")] {
        let mut config = Config::new(RESOURCE, "https://as.example").unwrap();
        config.ca_files = vec![file.clone()];
        let server = &mut config.resources[0].authorization_servers[0];
        server.metadata_url = Some(format!("{}/meta", plain.origin));
        server.allowed_key_hosts = allowed.into_iter().map(str::to_owned).collect();
        let server = Harness::around(tls.signer.clone(), |_| config);
        let token = server.mint().issuer("https://as.example").sign();
        assert_eq!(server.call(&token).await.code(), expected);
    }
    assert_eq!(tls.count("/jwks"), 1);
}

#[tokio::test]
async fn a_client_is_told_which_addresses_are_allowed() {
    struct Recorder;
    impl HttpClient for Recorder {
        fn send(
            &self,
            request: Request<Bytes>,
        ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
            let allowed = request.extensions().get::<AllowedAddresses>().copied().unwrap();
            let document = match request.uri().host().unwrap() {
                "as.example" => {
                    assert_eq!(allowed, AllowedAddresses::Any);
                    json!({ "issuer": "https://as.example", "jwks_uri": "https://keys.example/" })
                }
                _ => {
                    assert_eq!(allowed, AllowedAddresses::Public);
                    assert!(!allowed.permits([10, 0, 0, 1].into()));
                    json!({ "keys": "asked for" })
                }
            };
            Box::pin(ready(Ok(Response::new(Bytes::from(document.to_string())))))
        }
    }
    let config = Config::new(RESOURCE, "https://as.example").unwrap();
    let auth = McpAuth::builder(config).http_client(Recorder).build().unwrap();
    let reason = auth.ready().await.unwrap_err().reason;
    assert_eq!(reason, "https://keys.example/: `keys` is a string, an array is needed");
}
