//! 2025-03-26 clients: the provider's metadata on our origin, when it is asked for.

use dev_issuer::{DevIssuer, Mode};
use mcp_auth::{Config, McpAuth, ProtectedResource};

use crate::support::{RESOURCE, TestClock, echo, request, send};

const PATH: &str = "/.well-known/oauth-authorization-server";

#[tokio::test]
async fn one_line_serves_the_providers_endpoints_as_they_are() {
    let issuer = DevIssuer::builder().path("/t").start().await.unwrap();
    let config = Config::new(RESOURCE, issuer.issuer())
        .unwrap()
        .with_allowed_origins(["https://app.example"]);
    let clock = TestClock::new();
    let builder =
        McpAuth::builder(config).clock(clock.clone()).serve_authorization_server_metadata();
    let app = builder.build().unwrap().protect(echo());

    issuer.set_mode(Mode::Offline);
    let down = send(app.clone(), request("GET", PATH, &[])).await;
    assert_eq!((down.status.as_u16(), down.challenge()), (503, None));
    assert_eq!(down.header("access-control-allow-origin"), Some("*"), "a page may read why");
    let wait = down.header("retry-after").unwrap().parse().unwrap();
    issuer.set_mode(Mode::Online);
    clock.advance(wait);

    let answer =
        send(app.clone(), request("GET", PATH, &[("origin", "https://app.example")])).await;
    assert_eq!(answer.status, 200);
    let document = answer.json();
    assert_eq!(document["issuer"], issuer.issuer());
    for endpoint in ["authorization_endpoint", "token_endpoint", "registration_endpoint"] {
        let url = document[endpoint].as_str().unwrap();
        assert!(url.starts_with(issuer.issuer()), "{endpoint}: {url}");
    }
    for path in [PATH, &format!("{PATH}/"), &format!("{PATH}/mcp"), &format!("{PATH}/mcp/")] {
        for origin in ["https://app.example", "https://evil.example", "null"] {
            let answer = send(app.clone(), request("GET", path, &[("origin", origin)])).await;
            assert_eq!(answer.status, 200, "{path} {origin}");
            assert_eq!(answer.json()["issuer"], issuer.issuer(), "{path} {origin}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        }
    }
    let other = send(app, request("GET", &format!("{PATH}/other"), &[])).await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn each_resource_has_its_own_provider_behind_its_path() {
    let (one, two) = (DevIssuer::start().await.unwrap(), DevIssuer::start().await.unwrap());
    let config = Config::new("https://h.example/one", one.issuer()).unwrap();
    let other = ProtectedResource::new("https://h.example/two/x", [two.issuer()]);
    let builder = McpAuth::builder(config.protect_resource(other));
    let app = builder.serve_authorization_server_metadata().build().unwrap().protect(echo());
    for (path, issuer) in [("", &one), ("/", &one), ("/one", &one), ("/two/x/", &two)] {
        let answer = send(app.clone(), request("GET", &format!("{PATH}{path}"), &[])).await;
        assert_eq!(answer.json()["issuer"], issuer.issuer(), "{path}");
    }
    for path in ["/two", "/two/x/y", "/three"] {
        let answer = send(app.clone(), request("GET", &format!("{PATH}{path}"), &[])).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn it_is_off_by_default() {
    let issuer = DevIssuer::start().await.unwrap();
    let auth = McpAuth::new(Config::new(RESOURCE, issuer.issuer()).unwrap()).unwrap();
    let answer = send(auth.protect(echo()), request("GET", PATH, &[])).await;
    assert_eq!(answer.status, 404);
    assert_eq!(issuer.requests().metadata, 0);
}
