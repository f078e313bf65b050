//! Many at once: fetched as little as can be, and nobody with a known key waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::http::{Request, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev_issuer::Mode;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all, ready};
use mcp_auth::decision::Decision;
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::{Config, McpAuth, ProtectedResource};
use serde_json::{Value, json};

use crate::support::hostile::{Hostile, signer};
use crate::support::{Harness, RESOURCE, request};

#[tokio::test]
async fn a_thousand_first_requests_share_one_fetch() {
    let server = Harness::around(signer().await, |config| config);
    let token = server.mint().sign();
    let answers = join_all((0..1000).map(|_| server.call(&token))).await;
    assert!(answers.iter().all(|answer| answer.code() == "ok"));
    let requests = server.issuer.requests();
    assert_eq!((requests.metadata, requests.jwks), (1, 1));
}

#[tokio::test]
async fn known_keys_never_wait_while_a_refresh_hangs() {
    for token_cache_bytes in [0, 1 << 20] {
        let server = Harness::around(signer().await, |mut config| {
            config.token_cache_bytes = token_cache_bytes;
            config
        });
        let token = server.mint().expires_in(24 * 3600).sign();
        assert_eq!(server.call(&token).await.code(), "ok");
        server.issuer.set_mode(Mode::Hang);
        server.clock.advance(601);
        let code = |answer: Option<crate::support::Answer>| answer.map(|answer| answer.code());
        // This one starts the refresh, and one with an unknown key waits for it.
        assert_eq!(code(server.call(&token).now_or_never()), Some("ok"));
        server.issuer.rotate_keys();
        let unknown = server.mint().sign();
        let mut waiting = Box::pin(server.call(&unknown));
        assert_eq!(code(waiting.as_mut().now_or_never()), None);
        while server.issuer.requests().metadata < 2 {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            assert_eq!(code(server.call(&token).now_or_never()), Some("ok"));
            let other = server.mint().expires_in(24 * 3600).claim("n", 1);
            let other = other.header("kid", kid_of(&token)).broken(dev_issuer::Broken::ForeignKey);
            let forged = other.sign();
            assert_eq!(code(server.call(&forged).now_or_never()), Some("bad_signature"));
        }
        assert_eq!(code(waiting.as_mut().now_or_never()), None);
    }
}

#[tokio::test]
async fn ten_thousand_random_key_ids_and_a_rotation() {
    let server = Harness::around(signer().await, |config| config);
    assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
    // Right after a fetch, with the second one.
    server.issuer.rotate_keys();
    let token = server.mint().sign();
    assert_eq!(server.call(&token).await.code(), "ok");
    assert_eq!(server.issuer.requests().jwks, 2);

    let (_, rest) = token.split_once('.').unwrap();
    for index in 0..10_000 {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": format!("random-{index}") });
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        assert_eq!(server.call(&format!("{header}.{rest}")).await.code(), "unknown_key");
    }
    assert_eq!(server.issuer.requests().jwks, 4, "the budget bounds them");
    assert_eq!(server.call(&token).await.code(), "ok");

    server.issuer.rotate_keys();
    server.clock.advance(15);
    assert_eq!(server.call(&server.mint().sign()).await.code(), "ok");
    assert_eq!(server.issuer.requests().jwks, 5);
}

/// Is every issuer, without a network.
struct Everyone {
    keys: Value,
    asked: Arc<AtomicUsize>,
}

impl HttpClient for Everyone {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let origin = format!("https://{}", request.uri().host().unwrap());
        let metadata = json!({ "issuer": origin, "jwks_uri": format!("{origin}/jwks") });
        let document = if request.uri().path() == "/jwks" { &self.keys } else { &metadata };
        Box::pin(ready(Ok(Response::new(Bytes::from(document.to_string())))))
    }
}

#[tokio::test]
async fn a_thousand_issuers_are_each_asked_once() {
    let hostile = Hostile::with(&signer().await).await;
    let issuers: Vec<_> = (0..1000).map(|index| format!("https://i{index}.example")).collect();
    let resource = ProtectedResource::new(RESOURCE, issuers.clone());
    let asked = Arc::new(AtomicUsize::new(0));
    let client = Everyone { keys: hostile.keys().await, asked: asked.clone() };
    let config = Config::default().protect_resource(resource);
    let auth = McpAuth::builder(config).http_client(client).build().unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 0, "nothing is fetched before it is needed");
    let tokens: Vec<_> = issuers
        .iter()
        .map(|issuer| hostile.signer.mint().issuer(issuer).audience(RESOURCE).sign())
        .collect();
    for _ in 0..2 {
        for token in &tokens {
            let authorization = format!("Bearer {token}");
            let request = request("POST", "/mcp", &[("authorization", &authorization)]);
            let decision = auth.decide(&request.into_parts().0).await;
            assert!(matches!(decision, Decision::Forward(_)), "{decision:?}");
        }
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2 * issuers.len());
}

fn kid_of(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}
