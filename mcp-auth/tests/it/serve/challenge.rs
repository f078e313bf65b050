//! Following a challenge always leads to the document of the resource whose tokens are accepted.

use dev_issuer::DevIssuer;
use mcp_auth::{Config, McpAuth};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Answer, Harness, METADATA_URL, echo, request, send};

/// The URL that a challenge names.
fn metadata_url(answer: &Answer) -> String {
    let challenge = answer.challenge().expect("a refusal has a challenge");
    let (_, url) = challenge.split_once("resource_metadata=\"").unwrap();
    url.trim_end_matches('"').to_owned()
}

/// The part of a URL after its origin.
fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").unwrap().1;
    after_scheme.find('/').map_or("/", |at| &after_scheme[at..])
}

#[tokio::test]
async fn the_document_describes_the_resource() {
    let server = Harness::with(|mut config| {
        config.resources[0].resource_name = Some("Notes".to_owned());
        config.resources[0].scopes_supported =
            ["mcp", "notes:read", "offline_access"].iter().collect();
        config.with_required_scopes(["mcp"])
    })
    .await;
    let expected = json!({
        "resource": "https://mcp.example.com/mcp",
        "authorization_servers": [server.issuer.issuer()],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp", "notes:read"],
        "resource_name": "Notes",
    });
    let inserted = path_of(METADATA_URL);
    for path in [inserted, &format!("{inserted}/"), "/.well-known/oauth-protected-resource"] {
        let answer = server.send(request("GET", path, &[])).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json(), expected, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        let head = server.send(request("HEAD", path, &[])).await;
        assert_eq!(head.status, 200, "{path}");
        let post = server.send(request("POST", path, &[])).await;
        assert_eq!(
            (post.status.as_u16(), post.header("allow")),
            (405, Some("GET, HEAD, OPTIONS")),
            "{path}"
        );
    }
    let refused = server.send(request("POST", "/mcp", &[])).await;
    assert!(refused.challenge().unwrap().contains(r#"scope="mcp""#), "without offline_access");
}

#[tokio::test]
async fn the_document_has_every_registered_member_that_is_configured() {
    let members = json!({
        "resource_name": "Notes",
        "resource_documentation": "https://mcp.example.com/docs",
        "resource_policy_uri": "https://mcp.example.com/policy",
        "resource_tos_uri": "https://mcp.example.com/terms",
        "jwks_uri": "https://mcp.example.com/keys",
        "resource_signing_alg_values_supported": ["ES256"],
        "authorization_details_types_supported": ["payment_initiation"],
        "tls_client_certificate_bound_access_tokens": false,
        "dpop_signing_alg_values_supported": ["ES256"],
        "dpop_bound_access_tokens_required": false,
        "signed_metadata": "e30.e30.c2ln",
    });
    let localized = json!({ "resource_name#de": "Notizen", "resource_tos_uri#de-CH": "https://mcp.example.com/agb" });
    let mut expected = json!({
        "resource": "https://mcp.example.com/mcp",
        "bearer_methods_supported": ["header"],
    });
    let own_members =
        [&members, &localized].into_iter().flat_map(|value| value.as_object().unwrap());
    expected
        .as_object_mut()
        .unwrap()
        .extend(own_members.map(|(name, value)| (name.clone(), value.clone())));
    let server = Harness::with(|mut config| {
        let mut data = json!(config.resources[0]);
        data["localized"] = localized.clone();
        data.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        config.resources[0] = serde_json::from_value(data).unwrap();
        config
    })
    .await;
    expected["authorization_servers"] = json!([server.issuer.issuer()]);
    let answer = server.send(request("GET", path_of(METADATA_URL), &[])).await;
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn offline_access_is_advertised_only_by_its_switch() {
    let server = Harness::with(|mut config| {
        config.resources[0].dangerous_advertise_offline_access = true;
        config.with_required_scopes(["mcp", "offline_access"])
    })
    .await;
    let refused = server.send(request("POST", "/mcp", &[])).await;
    assert!(refused.challenge().unwrap().contains(r#"scope="mcp offline_access""#));
}

#[tokio::test]
async fn neighbouring_paths_are_not_found() {
    let server = Harness::start().await;
    let sibling = "/.well-known/oauth-protected-resource/other";
    let answer = server.send(request("GET", sibling, &[])).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (404, &json!("not_found")));
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resources",
        "/other",
    ] {
        assert_eq!(server.send(request("GET", path, &[])).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn hostile_headers_change_no_url() {
    let server = Harness::start().await;
    let hostile = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "ftp"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "host=evil.example;proto=ftp"),
    ];
    let refused = server.send(request("POST", "/mcp", &hostile)).await;
    assert_eq!(metadata_url(&refused), METADATA_URL);
    let document = server.send(request("GET", path_of(METADATA_URL), &hostile)).await;
    assert_eq!(document.json()["resource"], "https://mcp.example.com/mcp");
    assert_eq!(document.json()["authorization_servers"], json!([server.issuer.issuer()]));
    // A proxy may send the absolute form (RFC 9112 §3.2.2), whose host is a stranger's word too.
    let absolute = server.send(request("POST", "http://evil.example/mcp", &[])).await;
    assert_eq!(metadata_url(&absolute), METADATA_URL);
    let token = format!("Bearer {}", server.mint().scope("other").sign());
    let hostile_and_signed = [&hostile[..], &[("authorization", &*token)]].concat();
    let too_little = server.send(request("POST", "/mcp", &hostile_and_signed)).await;
    assert_eq!((too_little.status.as_u16(), &*metadata_url(&too_little)), (403, METADATA_URL));
    for answer in [refused, document, absolute, too_little] {
        assert!(!format!("{answer:?}").contains("evil"), "{answer:?}");
    }
}

/// Hosts, ports, paths and slashes, as people write them.
fn resources() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{1,8}){1,2}".prop_map(|host| format!("https://{host}")),
        "[A-Z]{1,8}\\.Example".prop_map(|host| format!("HTTPS://{host}")),
        Just("http://127.0.0.1".to_owned()),
        Just("http://localhost".to_owned()),
        Just("https://[2001:db8::1]".to_owned()),
        Just("http://[::1]".to_owned()),
    ];
    let not_default = |port: &u16| ![80, 443].contains(port);
    let port = (1_u16..).prop_filter("a default port is left out", not_default);
    let port = prop_oneof![Just(String::new()), port.prop_map(|port| format!(":{port}"))];
    let path = "(/([a-zA-Z0-9_~:@!$&'()*+,;=-]|%[0-9A-F]{2}){1,6}){0,3}/{0,2}";
    (host, port, path).prop_map(|(host, port, path)| format!("{host}{port}{path}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn following_the_challenge_reaches_the_accepted_audience(resource in resources()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(follow(&resource))?;
    }
}

async fn follow(resource: &str) -> Result<(), TestCaseError> {
    let issuer = DevIssuer::start().await.unwrap();
    let config = Config::new(resource, issuer.issuer()).unwrap();
    let app = McpAuth::new(config).unwrap().protect(echo());
    let path = path_of(resource);

    let refused = send(app.clone(), request("POST", path, &[])).await;
    prop_assert_eq!(refused.status, 401);
    let url = metadata_url(&refused);
    let origin =
        &resource[..resource.len() - if resource.ends_with(path) { path.len() } else { 0 }];
    prop_assert!(url.starts_with(origin), "{} is on {}", url, origin);

    let document = send(app.clone(), request("GET", path_of(&url), &[])).await;
    prop_assert_eq!(document.status, 200);
    let advertised = document.json()["resource"].as_str().unwrap().to_owned();
    prop_assert_eq!(&advertised, resource);

    let token = format!("Bearer {}", issuer.mint().audience(advertised).sign());
    let allowed = send(app, request("POST", path, &[("authorization", &token)])).await;
    prop_assert_eq!(allowed.code(), "ok");
    Ok(())
}
