//! Where a protected service answers: paths, slashes, nested routers, several resources.

use axum::Router;
use axum::routing::get;
use dev_issuer::DevIssuer;
use mcp_auth::decision::Decision;
use mcp_auth::{AuthInfo, Config, McpAuth, ProtectedResource};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Harness, RESOURCE, echo, request, send};

#[tokio::test]
async fn both_slash_forms_answer_without_a_redirect() {
    let server = Harness::start().await;
    let authorization = format!("Bearer {}", server.mint().sign());
    for path in ["/mcp", "/mcp/"] {
        let allowed =
            server.send(request("POST", path, &[("authorization", &authorization)])).await;
        assert_eq!(allowed.status, 200, "{path}");
        assert_eq!(server.send(request("POST", path, &[])).await.status, 401, "{path}");
    }
}

/// One issuer, two resources with different scopes.
fn two_resources(issuer: &DevIssuer) -> McpAuth {
    let config = Config::new("https://h.example/api/notes", issuer.issuer())
        .unwrap()
        .with_required_scopes(["notes"]);
    let mut mail = ProtectedResource::new("https://h.example/api/mail", [issuer.issuer()]);
    mail.required_scopes = ["mail"].iter().collect();
    McpAuth::new(config.protect_resource(mail)).unwrap()
}

#[tokio::test]
async fn a_path_that_routers_read_differently_belongs_to_no_resource() {
    let issuer = DevIssuer::start().await.unwrap();
    let outer = Config::new("https://h.example/mcp", issuer.issuer()).unwrap();
    let inner = ProtectedResource::new("https://h.example/mcp/Admin%20x", [issuer.issuer()]);
    let auth = McpAuth::new(outer.protect_resource(inner)).unwrap();
    let for_outer = issuer.mint().audience("https://h.example/mcp").sign();
    let for_inner = issuer.mint().audience("https://h.example/mcp/Admin%20x").sign();
    let status = async |path: &str, token: &str| {
        let authorization = format!("Bearer {token}");
        let request = request("POST", path, &[("authorization", &*authorization)]);
        match auth.decide(&request.into_parts().0).await {
            Decision::Forward(_) => 200,
            Decision::Reply(reply) => reply.status.as_u16(),
            other => panic!("{other:?}"),
        }
    };
    for path in ["/mcp", "/mcp/", "/mcp/any", "/mcp/a%2Fb", "/mcp//any;x"] {
        assert_eq!(status(path, &for_outer).await, 200, "{path}");
    }
    for path in ["/mcp/Admin%20x", "/mcp/Admin%20x/y"] {
        assert_eq!(status(path, &for_inner).await, 200, "{path}");
        assert_eq!(status(path, &for_outer).await, 401, "{path}");
    }
    let disguised = ["admin%20x", "%41dmin%20x/y", "/Admin%20x", "./Admin%20x", "b/../Admin%20x"];
    let disguised = disguised.into_iter().chain(["Admin%20x;v=1", "b%2F..%5CAdmin%20x", "%FF"]);
    for name in disguised {
        assert_eq!(status(&format!("/mcp/{name}"), &for_outer).await, 404, "{name}");
        assert_eq!(status(&format!("/mcp/{name}"), &for_inner).await, 404, "{name}");
    }
}

#[tokio::test]
async fn the_path_says_which_resource_is_meant() {
    let issuer = DevIssuer::start().await.unwrap();
    let app = two_resources(&issuer).protect(echo());
    let token = issuer.mint().audience("https://h.example/api/mail").scope("mail").sign();
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", &*authorization), ("host", "h.example")];
    assert_eq!(send(app.clone(), request("POST", "/api/mail", &headers)).await.code(), "ok");
    assert_eq!(
        send(app.clone(), request("POST", "/api/notes", &headers)).await.code(),
        "wrong_audience"
    );

    for name in ["notes", "mail"] {
        let path = format!("/.well-known/oauth-protected-resource/api/{name}");
        let document = send(app.clone(), request("GET", &path, &[])).await.json();
        assert_eq!(document["resource"], format!("https://h.example/api/{name}"));
        let refused = send(app.clone(), request("POST", &format!("/api/{name}"), &[])).await;
        assert!(refused.challenge().unwrap().contains(&path));
    }
    // With two resources the document at the root would be ambiguous.
    let root = send(app, request("GET", "/.well-known/oauth-protected-resource", &[])).await;
    assert_eq!(root.status, 404);
    assert_eq!(issuer.requests().jwks, 1, "an issuer's keys are shared");
}

#[tokio::test]
async fn a_layer_in_a_nested_router_sees_the_whole_path() {
    let issuer = DevIssuer::start().await.unwrap();
    let auth = two_resources(&issuer);
    let hello = |auth: AuthInfo| async move { auth.subject().unwrap_or_default().to_owned() };
    let api = Router::new()
        .route("/notes", get(hello))
        .route("/mail", get(hello))
        .route("/mailbox", get(hello))
        .layer(auth.layer());
    let app = Router::new().nest("/api", api).merge(auth.metadata_router());

    let token =
        issuer.mint().subject("bob").audience("https://h.example/api/mail").scope("mail").sign();
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", &*authorization)];
    let allowed = send(app.clone(), request("GET", "/api/mail", &headers)).await;
    assert_eq!((allowed.status.as_u16(), &*allowed.body), (200, &b"bob"[..]));
    assert_eq!(send(app.clone(), request("GET", "/api/notes", &headers)).await.status, 401);
    let unknown = send(app, request("GET", "/api/mailbox", &headers)).await;
    assert_eq!(unknown.status, 404, "no resource is there, so nothing gets through");
}

#[tokio::test]
async fn a_layer_around_everything_leaves_the_metadata_open() {
    let issuer = DevIssuer::start().await.unwrap();
    let auth = McpAuth::new(Config::new(RESOURCE, issuer.issuer()).unwrap()).unwrap();
    let app = Router::new().route("/mcp", get(|| async {}));
    let app = app.merge(auth.metadata_router()).layer(auth.layer());
    for path in
        ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]
    {
        assert_eq!(send(app.clone(), request("GET", path, &[])).await.status, 200, "{path}");
    }
    assert_eq!(send(app, request("GET", "/mcp", &[])).await.status, 401);
}

#[tokio::test]
async fn a_protected_service_can_be_merged_into_a_single_page_application() {
    let issuer = DevIssuer::start().await.unwrap();
    let auth = McpAuth::new(Config::new(RESOURCE, issuer.issuer()).unwrap()).unwrap();
    let app = Router::new().fallback(|| async { "<html>" }).merge(auth.protect(echo()));
    assert_eq!(&*send(app.clone(), request("GET", "/page", &[])).await.body, b"<html>");
    assert_eq!(send(app.clone(), request("GET", "/mcp", &[])).await.status, 401);
    let other = send(app, request("GET", "/.well-known/oauth-protected-resource/other", &[])).await;
    assert_eq!(other.status, 404, "a page there would be taken for metadata");
}

#[tokio::test]
async fn a_handler_that_is_not_protected_says_so() {
    let app = Router::new()
        .route("/caller", get(|_: AuthInfo| async {}))
        .route("/maybe", get(|auth: Option<AuthInfo>| async move { auth.is_none().to_string() }));
    let answer = send(app.clone(), request("GET", "/caller", &[])).await;
    assert_eq!(answer.status, 500);
    assert!(answer.json()["error_description"].as_str().unwrap().contains("McpAuth::layer()"));
    assert_eq!(&*send(app, request("GET", "/maybe", &[])).await.body, b"true");
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_open_for_the_next_request() {
    let server = Harness::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(axum::serve(listener, server.app.clone()).into_future());
    for _ in 0..20 {
        // The body comes after the headers, as many clients send it.
        let headers = "POST /mcp HTTP/1.1\r\nhost: mcp.example.com\r\ncontent-length: 4\r\n\r\n";
        client.write_all(headers.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        client.write_all(b"body").await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with('}') {
            let mut bytes = [0; 1024];
            let length = client.read(&mut bytes).await.unwrap();
            assert_ne!(length, 0, "the connection was closed after {answer:?}");
            answer.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
    }
}

/// Characters of paths, and what routers or readers of patterns give a meaning.
const PIECES: [&str; 26] = [
    "/",
    "//",
    ":",
    ":id",
    "*",
    "*rest",
    "**",
    "{",
    "}",
    "{id}",
    "{*rest}",
    "{{",
    "%7B",
    "%7d",
    "%2F",
    "%25",
    "%",
    ".",
    "..",
    ";v=1",
    "(a|b)",
    "+",
    "$",
    "~",
    "mcp",
    ".well-known",
];

/// Makes the router of these resources; none when the configuration is refused.
fn router_for(paths: &[String]) -> Option<Router> {
    let resources = paths.iter().map(|path| {
        ProtectedResource::new(format!("https://h.example{path}"), ["https://as.example"])
    });
    let config = resources.fold(Config::default(), Config::protect_resource);
    let auth = McpAuth::new(config).ok()?;
    Some(auth.protect(echo()))
}

/// The status of a request without a token.
async fn status_at(app: &Router, path: &str) -> Option<u16> {
    let uri = axum::http::Uri::try_from(path).ok()?;
    let mut unsent = request("POST", "/", &[]);
    *unsent.uri_mut() = uri;
    Some(send(app.clone(), unsent).await.status.as_u16())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_path_is_protected_or_is_a_fault(
        paths in prop::collection::vec(prop::collection::vec(prop::sample::select(&PIECES[..]), 0..6), 1..4),
    ) {
        let paths: Vec<_> = paths.iter().map(|pieces| format!("/{}", pieces.concat())).collect();
        let Some(app) = router_for(&paths) else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for path in &paths {
            let status = runtime.block_on(status_at(&app, path));
            prop_assert!(status.is_none_or(|status| status == 401), "{path}: {status:?}");
        }
    }
}

#[tokio::test]
async fn paths_that_a_router_could_read_as_a_pattern_are_taken_as_they_are() {
    let plain = [
        "/",
        "/:id",
        "/a:b",
        "/*",
        "/*rest",
        "/a/*/b",
        "/%7Bid%7D",
        "/%7B*rest%7D",
        "/(a)",
        "/a;b=c",
        "/~$&'!,+@=",
    ];
    for path in plain {
        let app = router_for(&[path.to_owned()]).unwrap();
        assert_eq!(status_at(&app, path).await, Some(401), "{path}");
        if path != "/" {
            assert_eq!(status_at(&app, "/elsewhere").await, Some(404), "{path}");
        }
    }
    for path in
        ["/{id}", "/{*rest}", "/a{", "/a}b", "/a b", "/a%", "/%zz", "/..", "/a/./b", "/a?b", "/a#b"]
    {
        assert!(router_for(&[path.to_owned()]).is_none(), "{path}");
    }
    for path in ["/.well-known/", "/.well-known/oauth-protected-resource", "/.well-known/mcp"] {
        assert!(router_for(&[path.to_owned()]).is_none(), "{path}");
    }
    for pair in [["/a", "/a/"], ["/a", "/a//"], ["/", "//"], ["/a", "/A"], ["/%61", "/a"]] {
        assert!(router_for(&pair.map(str::to_owned)).is_none(), "{pair:?}");
    }
}

#[tokio::test]
async fn a_path_too_long_for_a_request_is_a_fault() {
    for (length, is_accepted) in [(1_000, true), (8_000, true), (8_001, false), (100_000, false)] {
        for filler in ["a", "a/", ":", "%7B"] {
            let mut path = format!("/{}", filler.repeat(length))[..length].to_owned();
            // Not in the middle of an escape.
            path.truncate(path.len() - path.len() % filler.len());
            let path = format!("/{}", &path[1..].trim_end_matches(['%', '7']));
            let path = format!("{path}{}", "b".repeat(length - path.len()));
            let app = router_for(std::slice::from_ref(&path));
            assert_eq!(app.is_some(), is_accepted, "{length} of {filler}");
            if let Some(app) = app {
                assert_eq!(status_at(&app, &path).await, Some(401), "{length} of {filler}");
            }
        }
    }
}
