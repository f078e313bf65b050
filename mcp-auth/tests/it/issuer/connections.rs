//! What an issuer does with the connections on which its documents are fetched.

use mcp_auth::{AuthorizationServer, Config, ProtectedResource};
use serde_json::{Value, json};

use crate::support::hostile::{Hostile, signer};
use crate::support::kept_connections::{KeptConnections, Manner};
use crate::support::{Harness, RESOURCE};

/// An issuer with keys, whose metadata is at this path.
async fn issuer(manner: Manner, metadata_path: &'static str, keys: Value) -> KeptConnections {
    KeptConnections::start(manner, |origin| {
        move |path: &str, _: &str| {
            let metadata = json!({ "issuer": origin, "jwks_uri": format!("{origin}/jwks") });
            match path {
                "/jwks" => Some(keys.to_string()),
                _ if path == metadata_path => Some(metadata.to_string()),
                _ => None,
            }
        }
    })
    .await
}

#[tokio::test]
async fn the_first_call_gets_keys_from_an_issuer_that_closes_the_connections_that_it_kept() {
    let signer = signer().await;
    let keys = Hostile::with(&signer).await.keys().await;
    let oauth = "/.well-known/oauth-authorization-server";
    let oidc = "/.well-known/openid-configuration";
    // At the first place, at the second one, and where the configuration says.
    for (path, by_url) in [(oauth, false), (oidc, false), ("/elsewhere", true)] {
        let issuer = issuer(Manner::ClosesOnReuse, path, keys.clone()).await;
        let mut server = AuthorizationServer::new(&*issuer.origin);
        server.metadata_url = by_url.then(|| format!("{}{path}", issuer.origin));
        let config = Config::default().protect_resource(ProtectedResource::new(RESOURCE, [server]));
        let harness = Harness::around(signer.clone(), |_| config);
        let token = harness.mint().issuer(&issuer.origin).sign();
        assert_eq!(harness.call(&token).await.code(), "ok", "{path}");
    }
}

#[tokio::test]
async fn keys_that_nobody_asked_for_are_not_taken_for_an_answer() {
    let signer = signer().await;
    let own = Hostile::with(&signer).await.keys().await;
    let foreign: &str = r#"{"keys":[]}"#;
    for manner in [Manner::AnswersTwice(foreign), Manner::AnswersTwiceAtOnce(foreign)] {
        let path = "/.well-known/oauth-authorization-server";
        let issuer = issuer(manner, path, own.clone()).await;
        let config =
            Config::default().protect_resource(ProtectedResource::new(RESOURCE, [&issuer.origin]));
        let harness = Harness::around(signer.clone(), |_| config);
        let token = harness.mint().issuer(&issuer.origin).sign();
        assert_eq!(harness.call(&token).await.code(), "ok");
    }
}
