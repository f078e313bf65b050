//! Web pages: preflights, exposed headers, and origins that may not call.

use axum::routing::any;
use dev_issuer::DevIssuer;
use mcp_auth::{Config, McpAuth};

use crate::support::{Harness, RESOURCE, request, send};

const PAGE: (&str, &str) = ("origin", "https://app.example.com");

async fn server() -> Harness {
    Harness::with(|config| config.with_required_scopes(["mcp"]).with_allowed_origins([PAGE.1]))
        .await
}

#[tokio::test]
async fn preflights_are_answered_before_authentication() {
    let server = server().await;
    let asked = "authorization, mcp-param-region, x-evil";
    let headers = [
        PAGE,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", asked),
    ];
    for path in ["/mcp", "/mcp/"] {
        let answer = server.send(request("OPTIONS", path, &headers)).await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE.1), "{path}");
        assert_eq!(answer.header("vary"), Some("origin"), "{path}");
        let allowed = answer.header("access-control-allow-headers").unwrap();
        for name in [
            "authorization",
            "mcp-protocol-version",
            "mcp-session-id",
            "last-event-id",
            "mcp-param-region",
        ] {
            assert!(allowed.split(", ").any(|one| one == name), "{name} in {allowed}");
        }
        assert!(!allowed.contains("x-evil"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let answer = server.send(request("OPTIONS", "/mcp", &headers)).await;
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, DELETE, OPTIONS"));
}

#[tokio::test]
async fn pages_can_read_challenges_and_sessions_on_every_answer() {
    let server = server().await;
    let authorization = format!("Bearer {}", server.mint().sign());
    let good = [PAGE, ("authorization", &authorization)];
    let too_little = format!("Bearer {}", server.mint().scope("x").sign());
    let too_little = [PAGE, ("authorization", &too_little)];
    for (headers, status) in [(&good[..], 200), (&[PAGE][..], 401), (&too_little[..], 403)] {
        let answer = server.send(request("POST", "/mcp", headers)).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE.1), "{status}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        assert!(
            exposed.contains("www-authenticate") && exposed.contains("mcp-session-id"),
            "{status}"
        );
    }
}

#[tokio::test]
async fn other_origins_get_a_403_whatever_their_token() {
    let server = server().await;
    let authorization = format!("Bearer {}", server.mint().sign());
    let origins = [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com:8443",
        "null",
        "",
    ];
    for origin in origins {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let headers = [("origin", origin), ("authorization", &*authorization)];
            let answer = server.send(request(method, "/mcp", &headers)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (403, "origin_not_allowed"),
                "{method} {origin}"
            );
            assert_eq!(answer.challenge(), None, "signing in again would not help");
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert!(
                answer.json()["error_description"].as_str().unwrap().contains("allowed_origins")
            );
        }
    }
    let two = [PAGE, ("origin", "https://evil.example")];
    assert_eq!(server.send(request("POST", "/mcp", &two)).await.status, 403);
}

#[tokio::test]
async fn the_own_origin_and_a_star_are_allowed() {
    let server = Harness::start().await;
    let own = [("origin", "https://mcp.example.com")];
    assert_eq!(server.send(request("OPTIONS", "/mcp", &own)).await.status, 204);
    let open = Harness::with(|config| config.with_allowed_origins(["*"])).await;
    let any = [("origin", "https://any.example")];
    let answer = open.send(request("OPTIONS", "/mcp", &any)).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://any.example"));
}

#[tokio::test]
async fn default_ports_are_left_out_as_browsers_do() {
    let server =
        Harness::with(|config| config.with_allowed_origins(["https://app.example.com:443"])).await;
    let answer = server.send(request("OPTIONS", "/mcp", &[PAGE])).await;
    assert_eq!(answer.status, 204);
}

#[tokio::test]
async fn pages_of_every_origin_may_read_the_metadata_wherever_clients_look_for_it() {
    let server = server().await;
    let origins = [
        &[][..],
        &[PAGE],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "")],
        &[PAGE, ("origin", "https://evil.example")],
    ];
    for suffix in ["", "/", "/mcp", "/mcp/", "//"] {
        let path = format!("/.well-known/oauth-protected-resource{suffix}");
        for origin in origins {
            let answer = server.send(request("GET", &path, origin)).await;
            assert_eq!(answer.status, 200, "{path} {origin:?}");
            assert_eq!(answer.json()["resource"], RESOURCE, "{path} {origin:?}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
            assert_eq!(answer.header("vary"), None, "the answer is the same for all");
            let headers = [origin, &[("access-control-request-headers", "mcp-protocol-version")]];
            let preflight = server.send(request("OPTIONS", &path, &headers.concat())).await;
            assert_eq!(preflight.status, 204, "{path} {origin:?}");
            assert_eq!(preflight.header("access-control-allow-origin"), Some("*"), "{path}");
            let asks_for_more = server.send(request("POST", &path, origin)).await;
            assert_eq!(asks_for_more.status, 405, "{path} {origin:?}");
        }
    }
    for suffix in ["/other", "/mcp/other", "/mc", "/MCP", "/mcp%2F"] {
        let path = format!("/.well-known/oauth-protected-resource{suffix}");
        assert_eq!(server.send(request("GET", &path, &[PAGE])).await.status, 404, "{path}");
    }
    let foreign = [("origin", "https://evil.example")];
    for path in ["/mcp", "/mcp/"] {
        let answer = server.send(request("POST", path, &foreign)).await;
        assert_eq!(answer.code(), "origin_not_allowed", "the resource is not public: {path}");
    }
}

#[tokio::test]
async fn the_lists_of_the_service_itself_are_kept() {
    let issuer = DevIssuer::start().await.unwrap();
    let auth = McpAuth::new(Config::new(RESOURCE, issuer.issuer()).unwrap()).unwrap();
    let own = [("vary", "accept-encoding"), ("access-control-expose-headers", "x-own")];
    let app = auth.protect(any(move || async move { (own, "") }));
    let authorization = format!("Bearer {}", issuer.mint().audience(RESOURCE).sign());
    let headers = [("origin", "https://mcp.example.com"), ("authorization", &*authorization)];
    let answer = send(app, request("POST", "/mcp", &headers)).await;
    for (name, value) in own {
        let values: Vec<_> = answer.headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 2, "{name}: {values:?}");
        assert_eq!(values[0], value);
    }
}
