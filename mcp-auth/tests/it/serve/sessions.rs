//! Whose sessions are, to a server that knows nothing of it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use axum::routing::any_service;
use dev_issuer::DevIssuer;
use mcp_auth::{Config, McpAuth};
use serde_json::{Value, json};
use tower::service_fn;

use crate::support::{Answer, RESOURCE, send};

/// A server that gives out these session identifiers, and remembers which were named to it.
struct SessionServer {
    issuer: DevIssuer,
    app: Router,
    named: Arc<Mutex<Vec<HeaderMap>>>,
}

impl SessionServer {
    async fn giving(identifiers: &'static [&[u8]], change: impl FnOnce(&mut Config)) -> Self {
        let issuer = DevIssuer::start().await.unwrap();
        let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
        change(&mut config);
        let auth = McpAuth::new(config).unwrap();
        let named = Arc::new(Mutex::new(Vec::new()));
        let remembered = named.clone();
        let server = any_service(service_fn(move |request: Request<Body>| {
            remembered.lock().unwrap().push(request.headers().clone());
            let mut response = Response::new(Body::from("{}"));
            response
                .headers_mut()
                .insert("content-type", HeaderValue::from_static("application/json"));
            for identifier in identifiers {
                let value = HeaderValue::from_bytes(identifier).unwrap();
                response.headers_mut().append("mcp-session-id", value);
            }
            async { Ok::<_, Infallible>(response) }
        }));
        Self { issuer, app: auth.protect(server), named }
    }

    fn token(&self, user: &str) -> String {
        self.issuer.mint().subject(user).audience(RESOURCE).sign()
    }

    /// The answer to a call in these sessions.
    async fn call(&self, token: Option<&str>, method: &str, sessions: &[&[u8]]) -> Answer {
        let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method });
        let mut request = Request::post("/mcp").header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for session in sessions {
            request = request.header("mcp-session-id", HeaderValue::from_bytes(session).unwrap());
        }
        send(self.app.clone(), request.body(Body::from(message.to_string())).unwrap()).await
    }

    /// The sessions that the server was told of since this was asked for, one list for each request.
    fn named(&self) -> Vec<Vec<Vec<u8>>> {
        let mut named = Vec::new();
        for headers in self.named.lock().unwrap().drain(..) {
            let values = headers.get_all("mcp-session-id").iter();
            named.push(values.map(|value| value.as_bytes().to_vec()).collect());
        }
        named
    }
}

fn sessions(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("mcp-session-id").iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn has_policy(config: &mut Config) {
    let policy = json!({ "methods": { "initialize": { "access": "public" } } });
    config.resources[0].policy = Some(serde_json::from_value(policy).unwrap());
}

#[tokio::test]
async fn a_server_sees_its_own_identifiers_and_a_client_sealed_ones() {
    for change in [|_: &mut Config| {}, has_policy] {
        let server = SessionServer::giving(&[b"8f3c"], change).await;
        let token = server.token("alice");
        let begun = server.call(Some(&token), "initialize", &[]).await;
        let [sealed] = &*sessions(&begun) else { panic!("{begun:?}") };
        assert!(sealed.starts_with("8f3c.") && sealed.len() == 27, "{sealed}");
        let again = server.call(Some(&token), "tools/list", &[sealed.as_bytes()]).await;
        assert_eq!((again.status, &*sessions(&again)), (StatusCode::OK, &[sealed.clone()][..]));
        assert_eq!(server.named(), [vec![], vec![b"8f3c".to_vec()]]);
    }
}

#[tokio::test]
async fn the_answer_to_a_stranger_is_that_of_an_unknown_session() {
    for change in [|_: &mut Config| {}, has_policy] {
        let server = SessionServer::giving(&[b"8f3c"], change).await;
        let (alice, bob) = (server.token("alice"), server.token("bob"));
        let begun = server.call(Some(&alice), "initialize", &[]).await;
        let sealed = sessions(&begun).remove(0);
        server.named();
        let rows: &[&[&[u8]]] = &[
            &[b"8f3c"],
            &[b""],
            &[b"."],
            &["8f3c.é".as_bytes()],
            &[sealed.as_bytes(), sealed.as_bytes()],
            &[sealed.as_bytes(), b"8f3c"],
        ];
        for named in rows {
            for token in [&alice, &bob] {
                let answer = server.call(Some(token), "tools/list", named).await;
                assert_eq!(
                    (answer.status, answer.code()),
                    (StatusCode::NOT_FOUND, "unknown_session")
                );
                assert!(sessions(&answer).is_empty() && answer.challenge().is_none());
            }
        }
        let answer = server.call(Some(&bob), "tools/list", &[sealed.as_bytes()]).await;
        assert_eq!(
            answer.json()["error"],
            json!({ "code": -32001, "message": "Session not found" })
        );
        // Whoever is not let in at all learns nothing of sessions.
        let answer = server.call(None, "logging/setLevel", &[sealed.as_bytes()]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(server.named().is_empty());
    }
}

#[tokio::test]
async fn a_session_that_began_without_a_token_ends_when_one_is_used() {
    let server = SessionServer::giving(&[b"8f3c"], has_policy).await;
    let token = server.token("alice");
    let begun = server.call(None, "initialize", &[]).await;
    let of_nobody = sessions(&begun).remove(0);
    let answer = server.call(None, "initialize", &[of_nobody.as_bytes()]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = server.call(Some(&token), "tools/list", &[of_nobody.as_bytes()]).await;
    assert_eq!(answer.code(), "unknown_session");
    let begun = server.call(Some(&token), "tools/list", &[]).await;
    let of_alice = sessions(&begun).remove(0);
    let answer = server.call(None, "initialize", &[of_alice.as_bytes()]).await;
    assert_eq!(answer.code(), "unknown_session");
}

/// Nobody looks at the token of a public call, except to know whose session it is.
#[tokio::test]
async fn a_session_that_a_public_call_begins_is_of_whoever_sent_a_token() {
    let no_memory = |config: &mut Config| {
        has_policy(config);
        config.token_cache_bytes = 0;
    };
    for change in [has_policy, no_memory] {
        let server = SessionServer::giving(&[b"8f3c"], change).await;
        let token = server.token("alice");
        let begun = server.call(Some(&token), "initialize", &[]).await;
        let sealed = sessions(&begun).remove(0);
        let rows = [
            (Some(&*token), "tools/list", "ok"),
            (Some(&*token), "initialize", "ok"),
            (None, "initialize", "unknown_session"),
            (Some("no-token"), "initialize", "unknown_session"),
            (Some(&*server.token("bob")), "initialize", "unknown_session"),
        ];
        for (token, method, code) in rows {
            let answer = server.call(token, method, &[sealed.as_bytes()]).await;
            assert_eq!(answer.code(), code, "{token:?} {method}");
        }
    }
}

#[tokio::test]
async fn identifiers_of_any_kind_are_sealed_or_withheld() {
    let rows: [(&'static [&[u8]], &[&str]); 4] = [
        (&[b""], &["."]),
        (&[b"a.b.c"], &["a.b.c."]),
        (&[b"a", b"b"], &["a.", "b."]),
        (&[&[0xff], b"b"], &["b."]),
    ];
    for (identifiers, expected) in rows {
        let server = SessionServer::giving(identifiers, |_| {}).await;
        let token = server.token("alice");
        let answer = server.call(Some(&token), "initialize", &[]).await;
        let sealed = sessions(&answer);
        let starts: Vec<&str> = sealed.iter().map(|one| &one[..one.len() - 22]).collect();
        assert_eq!(starts, expected);
    }
}

#[tokio::test]
async fn an_adapter_that_keeps_no_decision_seals_for_the_same_caller() {
    let issuer = DevIssuer::start().await.unwrap();
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    let auth = McpAuth::new(config.clone()).unwrap();
    let token = issuer.mint().subject("alice").audience(RESOURCE).sign();
    let caller = auth.authenticate(&token).await.unwrap();
    let given = HeaderValue::from_static("8f3c");
    let sealed = auth.seal_session("/mcp", &caller, &given).unwrap();
    let request = Request::get("/mcp")
        .header("authorization", format!("Bearer {token}"))
        .header("mcp-session-id", &sealed);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let forward = auth.decide_seen(&parts).unwrap();
    assert_eq!(forward.session_header().unwrap().1, "8f3c");
    assert_eq!(forward.seal_session(&given), Some(sealed));
    let unreadable = HeaderValue::from_bytes(b"\xe9").unwrap();
    assert_eq!(auth.seal_session("/mcp", &caller, &unreadable), None);
    config.resources[0].dangerous_unbound_sessions = true;
    let unbound = McpAuth::new(config).unwrap();
    assert_eq!(unbound.seal_session("/mcp", &caller, &given), Some(given));
}

#[tokio::test]
async fn sessions_that_are_not_bound_are_the_servers_business() {
    let unbound = |config: &mut Config| config.resources[0].dangerous_unbound_sessions = true;
    let server = SessionServer::giving(&[b"8f3c"], unbound).await;
    let token = server.token("alice");
    let answer = server.call(Some(&token), "tools/list", &[b"x", b"y"]).await;
    assert_eq!(sessions(&answer), ["8f3c"]);
    assert_eq!(server.named(), [vec![b"x".to_vec(), b"y".to_vec()]]);
}

#[test]
fn keys_that_cannot_seal_are_faults() {
    let folder = std::env::temp_dir().join(format!("mcp-auth-handle-keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let long = "x".repeat(32);
    let good = file("good", format!("\u{feff}{long}\r\n\n  {long}  \n").as_bytes());
    let rows = [
        (json!({ "handle_keys": [long] }), None),
        (json!({ "handle_keys": [], "handle_keys_file": good }), None),
        (json!({ "handle_keys": [long], "handle_keys_file": good }), None),
        (json!({ "handle_keys": ["short"] }), Some("handle_keys[0]: a key has 32 characters")),
        (json!({ "handle_keys": [long, ""] }), Some("handle_keys[1]: a key has 32 characters")),
        (json!({ "handle_keys": vec![&long; 9] }), Some("handle_keys: at most 8")),
        (json!({ "handle_keys": vec![&long; 7], "handle_keys_file": good }), Some("at most 8")),
        (json!({ "handle_keys_file": file("empty", b"\n") }), Some("holds no key")),
        (json!({ "handle_keys_file": file("bytes", &[0xff; 40]) }), Some("is not text")),
        (json!({ "handle_keys_file": file("short", b"secret-thing") }), Some("32 characters")),
        (json!({ "handle_keys_file": "/nowhere/at/all" }), Some("cannot be read")),
    ];
    for (settings, expected) in rows {
        let mut data =
            json!({ "resource": RESOURCE, "authorization_servers": ["https://as.example"] });
        let Value::Object(members) = settings else { panic!("an object") };
        data.as_object_mut().unwrap().extend(members);
        let checked = Config::from_json(&data.to_string()).unwrap().check();
        match (checked, expected) {
            (Ok(()), None) => {}
            (Err(error), Some(expected)) => {
                let told = error.to_string();
                assert!(told.contains(expected) && !told.contains("secret-thing"), "{told}");
            }
            (other, _) => panic!("{data}: {other:?}"),
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
