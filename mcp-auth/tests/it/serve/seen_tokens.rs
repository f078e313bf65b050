//! Requests whose token was accepted before: nothing waits for them, and nothing else is decided.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, header};
use axum::response::IntoResponse as _;
use axum::routing::post;
use dev_issuer::DevIssuer;
use futures_util::FutureExt as _;
use mcp_auth::decision::Decision;
use mcp_auth::revocation::Revocation;
use mcp_auth::settings::ChallengeStyle;
use mcp_auth::{Config, McpAuth, Principal, ProtectedResource, ScopePolicy};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

use crate::support::{RESOURCE, request, send};

/// A server whose configuration is changed, and its issuer.
async fn server(change: impl FnOnce(&mut ProtectedResource)) -> (McpAuth, DevIssuer) {
    let issuer = DevIssuer::start().await.unwrap();
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    change(&mut config.resources[0]);
    (McpAuth::new(config).unwrap(), issuer)
}

fn token(issuer: &DevIssuer, scope: &str) -> String {
    let token = issuer.mint().subject("alice").audience(RESOURCE).scope(scope);
    format!("Bearer {}", token.client_id("app").sign())
}

fn parts(method: &str, headers: &[(&str, &str)]) -> axum::http::request::Parts {
    request(method, "/mcp", headers).into_parts().0
}

#[tokio::test]
async fn it_goes_on_at_once_where_a_token_alone_decides() {
    let (auth, issuer) = server(|resource| resource.required_scopes = "mcp".into()).await;
    let (good, poor) = (token(&issuer, "mcp"), token(&issuer, "other"));
    let asked = parts("POST", &[("authorization", &good)]);
    assert!(auth.decide_seen(&asked).is_none(), "it was not seen");
    for token in [&good, &poor] {
        let _ = auth.decide(&parts("POST", &[("authorization", token)])).await;
    }
    for method in ["POST", "GET", "DELETE"] {
        let forward = auth.decide_seen(&parts(method, &[("authorization", &good)])).unwrap();
        assert_eq!(forward.auth_info.unwrap().subject(), Some("alice"), "{method}");
    }
    let page = ("origin", "https://mcp.example.com");
    assert!(auth.decide_seen(&parts("POST", &[("authorization", &good), page])).is_some());
}

/// Its handler is called before anything waits.
#[tokio::test]
async fn so_does_a_new_token_that_a_known_key_has_signed() {
    let (auth, issuer) = server(|_| {}).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let mut service = auth.layer().layer(service_fn(move |_: Request<Body>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Response::new(Body::empty())) }
    }));
    let asked = || request("GET", "/mcp", &[("authorization", &token(&issuer, "mcp"))]);
    drop(service.call(asked()));
    assert_eq!(calls.load(Ordering::Relaxed), 0, "its key is not known yet");
    auth.ready().await.unwrap();
    let answer = service.call(asked());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(answer.await.unwrap().status(), 200);
    auth.revoke(Revocation::of_subject(issuer.issuer(), "alice"));
    let refused = service.call(asked()).await.unwrap();
    assert_eq!((refused.status().as_u16(), calls.load(Ordering::Relaxed)), (401, 1));
}

#[tokio::test]
async fn it_is_looked_at_in_full_where_more_decides() {
    let (auth, issuer) = server(|resource| resource.required_scopes = "mcp".into()).await;
    let (good, poor) = (token(&issuer, "mcp"), token(&issuer, "other"));
    for token in [&good, &poor] {
        let _ = auth.decide(&parts("POST", &[("authorization", token)])).await;
    }
    let rows = [
        parts("POST", &[("authorization", &poor)]),
        parts("OPTIONS", &[("authorization", &good)]),
        parts("POST", &[("authorization", &good), ("origin", "https://other.example")]),
        parts("POST", &[("authorization", &good), ("authorization", &good)]),
        parts("POST", &[]),
        request("POST", "/mcp?access_token=x", &[("authorization", &good)]).into_parts().0,
        request("GET", "/.well-known/oauth-protected-resource/mcp", &[("authorization", &good)])
            .into_parts()
            .0,
    ];
    for asked in rows {
        assert!(auth.decide_seen(&asked).is_none(), "{asked:?}");
    }
}

#[tokio::test]
async fn a_policy_holds_for_it_with_every_method() {
    let (mut for_machines, mut for_others) = (ScopePolicy::new(), ScopePolicy::new());
    for_machines.caller = Some(Principal::Client);
    for_others.allowed_clients = Some(vec!["other".to_owned()]);
    for policy in [ScopePolicy::new().require(["admin"]), for_machines, for_others] {
        let (auth, issuer) = server(|resource| resource.policy = Some(policy)).await;
        let app = auth.protect(axum::routing::any(|| async { "ran" }));
        let token = token(&issuer, "mcp");
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#;
        for method in ["POST", "GET", "DELETE", "POST", "GET", "DELETE"] {
            let headers = [("authorization", &*token), ("content-type", "application/json")];
            assert!(auth.decide_seen(&parts(method, &headers)).is_none(), "{method}");
            let mut asked = request(method, "/mcp", &headers);
            if method == "POST" {
                *asked.body_mut() = Body::from(body);
            }
            assert_eq!(send(app.clone(), asked).await.status, 403, "{method}");
        }
    }
}

#[tokio::test]
async fn a_body_that_decides_is_read_for_it_too() {
    let (auth, issuer) =
        server(|resource| resource.challenge_style = ChallengeStyle::ToolResult).await;
    let app = auth.protect(post(|| async { "ran" }));
    let token = token(&issuer, "mcp");
    for (body, status) in [("no JSON", 400), ("no JSON", 400), ("[]", 400), ("{}", 400)] {
        let asked = Request::post("/mcp")
            .header("authorization", &token)
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        assert!(auth.decide_seen(&asked.into_parts().0).is_none());
        let asked = request(
            "POST",
            "/mcp",
            &[("authorization", &token), ("content-type", "application/json")],
        );
        let asked = asked.map(|_| Body::from(body));
        assert_eq!(send(app.clone(), asked).await.status, status, "{body}");
    }
}

/// Each request that waits has it, and it is written whole.
#[tokio::test]
async fn little_memory_is_taken_to_wait_for_a_decision() {
    let (auth, issuer) =
        server(|resource| resource.challenge_style = ChallengeStyle::ToolResult).await;
    let token = token(&issuer, "mcp");
    let headers = [("authorization", &*token), ("content-type", "application/json")];
    let asked = parts("POST", &headers);
    let by_head = auth.decide(&asked);
    assert!(size_of_val(&by_head) <= 512, "{}", size_of_val(&by_head));
    let Decision::ReadBody(pending) = by_head.await else { panic!("the body decides") };
    let by_body = pending.decide(&asked, b"{}");
    assert!(size_of_val(&by_body) <= 512, "{}", size_of_val(&by_body));
    assert!(matches!(by_body.await, Decision::Reply(_)));
}

/// Whoever listens gets the head of a stream whose first event may be a long time coming.
#[tokio::test]
async fn a_subscription_begins_before_its_first_event() {
    let (auth, issuer) = server(|_| {}).await;
    let silent = || async {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let head = [(header::CONTENT_TYPE, "text/event-stream")];
        (head, Body::from_stream(never)).into_response()
    };
    let app = auth.protect(post(silent));
    let token = token(&issuer, "mcp");
    let authorization = ("authorization", &*token);
    // From now on nothing waits for the issuer.
    let Decision::Forward(_) = auth.decide(&parts("POST", &[authorization])).await else {
        panic!("a good token")
    };
    let rows = [("subscriptions/listen", true), ("tools/call", false), ("", false)];
    for (method, begins) in rows {
        let asked = request("POST", "/mcp", &[authorization, ("mcp-method", method)]);
        let answer = app.clone().oneshot(asked).now_or_never();
        assert_eq!(answer.is_some(), begins, "{method}");
    }
}

#[tokio::test]
async fn the_headers_that_may_hold_a_token_are_known_by_name() {
    let (auth, issuer) = server(|resource| {
        let mut server = resource.authorization_servers.remove(0);
        server.token_header = Some("Cf-Access-Jwt-Assertion".to_owned());
        resource.authorization_servers.push(server);
    })
    .await;
    let token = issuer.mint().subject("alice").audience(RESOURCE).sign();
    let asked = parts("POST", &[("cf-access-jwt-assertion", &token)]);
    let Decision::Forward(forward) = auth.decide(&asked).await else { panic!("a good token") };
    let held = ["authorization", "Authorization", "AUTHORIZATION", "cf-access-jwt-assertion"];
    for name in held.into_iter().chain(["Cf-Access-JWT-Assertion"]) {
        assert!(forward.withholds(name), "{name}");
    }
    for name in ["accept", "accept-encoding", "authorization2", "cf-access", ""] {
        assert!(!forward.withholds(name), "{name}");
    }
}
