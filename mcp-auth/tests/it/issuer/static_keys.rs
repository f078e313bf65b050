//! Keys given by hand: nothing is fetched.

use std::path::PathBuf;

use dev_issuer::{Broken, DevIssuer};
use mcp_auth::settings::ServerType;
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::{Map, Value, json};

use crate::support::hostile::{Hostile, signer};
use crate::support::{Harness, RESOURCE, TestClock, echo, request, send};

/// An issuer that cannot be asked.
const ISSUER: &str = "https://unreachable.example";

async fn keys() -> (DevIssuer, Map<String, Value>) {
    let hostile = Hostile::with(&signer().await).await;
    let Value::Object(keys) = hostile.keys().await else { panic!("no key set") };
    (hostile.signer.clone(), keys)
}

fn server(change: impl FnOnce(&mut AuthorizationServer)) -> AuthorizationServer {
    let mut server = AuthorizationServer::new(ISSUER);
    change(&mut server);
    server
}

fn trusting(server: AuthorizationServer) -> Config {
    Config::default().protect_resource(ProtectedResource::new(RESOURCE, [server]))
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn keys_inline_or_in_a_file_need_no_network() {
    let (signer, keys) = keys().await;
    let path = file("keys.json", &json!(keys).to_string());
    let with_mark = file("keys-with-mark.json", &format!("\u{feff}{}", json!(keys)));
    for server in [
        server(|server| server.jwks = Some(keys)),
        server(|server| server.jwks_file = Some(path)),
        server(|server| server.jwks_file = Some(with_mark)),
    ] {
        let asked = signer.requests();
        let server = Harness::around(signer.clone(), |_| trusting(server));
        let good = server.mint().issuer(ISSUER).expires_in(100 * 24 * 3600).sign();
        let unknown = server.mint().issuer(ISSUER).header("kid", "unknown").sign();
        for _ in 0..3 {
            assert_eq!(server.call(&good).await.code(), "ok");
            for _ in 0..6 {
                assert_eq!(server.call(&unknown).await.code(), "unknown_key");
            }
            // Nobody withdraws them: they do not age.
            server.clock.advance(30 * 24 * 3600);
        }
        assert_eq!(signer.requests(), asked);
    }
}

#[tokio::test]
async fn they_are_ready_and_their_metadata_is_what_was_given() {
    let (_, keys) = keys().await;
    let path = "/.well-known/oauth-authorization-server";
    let document = json!({ "issuer": ISSUER, "token_endpoint": "https://t.example/" });
    for metadata in [None, document.as_object().cloned()] {
        let server = server(|server| {
            server.jwks = Some(keys.clone());
            server.metadata = metadata.clone();
        });
        let builder = McpAuth::builder(trusting(server)).clock(TestClock::new());
        let auth = builder.serve_authorization_server_metadata().build().unwrap();
        auth.ready().await.unwrap();
        let answer = send(auth.protect(echo()), request("GET", path, &[])).await;
        match metadata {
            Some(_) => assert_eq!((answer.status.as_u16(), answer.json()), (200, document.clone())),
            None => {
                assert_eq!(answer.status, 503);
                assert!(answer.error.unwrap().to_string().contains("`metadata` is not"));
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_work_is_a_fault() {
    let (_, keys) = keys().await;
    let empty: Map<String, Value> = serde_json::from_value(json!({ "keys": [] })).unwrap();
    let rows = [
        (
            server(|server| {
                server.jwks = Some(keys.clone());
                server.jwks_file = Some(file("both.json", &json!(keys).to_string()));
                server.metadata_url = Some("https://unreachable.example/m".to_owned());
                server.server_type = ServerType::Oidc;
                server.allowed_key_hosts = vec!["keys.example".to_owned()];
            }),
            vec![
                "`jwks` and `jwks_file` contradict",
                "`jwks` and `metadata_url` contradict",
                "`jwks` and `server_type` contradict",
                "`jwks` and `allowed_key_hosts` contradict",
            ],
        ),
        (server(|server| server.jwks = Some(empty)), vec!["jwks: no key in the set"]),
        (server(|server| server.jwks = Some(Map::new())), vec!["jwks: `keys` is missing"]),
        (server(|server| server.jwks_file = Some("/nowhere/k".into())), vec!["cannot be read"]),
        (server(|server| server.jwks_file = Some(file("text.json", "keys"))), vec!["is not JSON"]),
        (
            server(|server| server.jwks_file = Some(file("empty.json", "{\"keys\":[]}"))),
            vec!["cannot be used"],
        ),
        (
            server(|server| server.allowed_key_hosts = vec!["https://keys.example".to_owned()]),
            vec!["allowed_key_hosts: \"https://keys.example\" is not a host name"],
        ),
    ];
    for (server, expected) in rows {
        let faults = trusting(server).check().unwrap_err().faults;
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with("resources[0].authorization_servers[0]"), "{fault}");
            assert!(fault.contains(expected), "{expected} in {fault}");
        }
    }
}

#[tokio::test]
async fn any_issuer_may_be_named_where_that_is_set_and_nothing_else_is_weaker() {
    let (signer, keys) = keys().await;
    let server = server(|server| {
        server.jwks = Some(keys);
        server.dangerous_accept_any_issuer = true;
    });
    let server = Harness::around(signer.clone(), |_| trusting(server));
    for issuer in [ISSUER, "https://other.example", "mine"] {
        let token = server.mint().issuer(issuer).sign();
        // The second time it comes out of the cache.
        for _ in 0..2 {
            let answer = server.call(&token).await;
            assert_eq!((answer.code(), &answer.json()["issuer"]), ("ok", &json!(issuer)));
        }
    }
    let unsigned = server.mint().issuer("mine").broken(Broken::Signature).sign();
    assert_eq!(server.call(&unsigned).await.code(), "bad_signature");
    let unnamed = server.mint().without("iss").sign();
    assert_eq!(server.call(&unnamed).await.code(), "missing_claim");
    let expired = server.mint().issuer("mine").expires_in(-3600).sign();
    assert_eq!(server.call(&expired).await.code(), "expired");
    let elsewhere = server.mint().issuer("mine").audience("https://other.example").sign();
    assert_eq!(server.call(&elsewhere).await.code(), "wrong_audience");
}

#[tokio::test]
async fn any_issuer_needs_keys_and_no_other_server() {
    let (_, keys) = keys().await;
    let found = server(|server| server.dangerous_accept_any_issuer = true);
    let faults = trusting(found).check().unwrap_err().faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].ends_with("dangerous_accept_any_issuer: needs `metadata`, `jwks` or `jwks_file`")
    );
    let by_hand = server(|server| {
        server.jwks = Some(keys);
        server.dangerous_accept_any_issuer = true;
    });
    let other = AuthorizationServer::new("https://other.example");
    let both = ProtectedResource::new(RESOURCE, [by_hand, other]);
    let faults = Config::default().protect_resource(both).check().unwrap_err().faults;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].ends_with("dangerous_accept_any_issuer: needs to be the only server"));
}

#[test]
fn they_are_data_like_everything_else() {
    let toml_like = json!({ "resources": [{ "resource": RESOURCE, "authorization_servers": [
        { "issuer": ISSUER, "jwks_file": "/etc/keys.json", "allowed_key_hosts": ["a"] },
    ] }], "ca_files": ["/etc/ca.pem"] });
    let config: Config = serde_json::from_value(toml_like).unwrap();
    let data = serde_json::to_value(&config).unwrap();
    assert_eq!(serde_json::from_value::<Config>(data).unwrap(), config);
}
