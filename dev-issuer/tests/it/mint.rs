use dev_issuer::{Broken, DevIssuer};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn every_claim_and_header_can_be_chosen() {
    let issuer = DevIssuer::start().await.unwrap();
    let token = issuer
        .mint()
        .subject("nobody")
        .audiences(["https://a.example", "https://b.example"])
        .scope("mcp")
        .client_id("c")
        .issuer("https://issuer.example")
        .issued_at(1_000)
        .expires_in(60)
        .not_before_in(-5)
        .claim("tenant", json!({ "id": 7 }))
        .without("jti")
        .header("typ", "JWT")
        .without_header("kid")
        .sign();
    assert_eq!(header(&token), json!({ "alg": "ES256", "typ": "JWT" }));
    let expected = json!({
        "iss": "https://issuer.example",
        "sub": "nobody",
        "aud": ["https://a.example", "https://b.example"],
        "iat": 1_000,
        "exp": 1_060,
        "nbf": 995,
        "client_id": "c",
        "scope": "mcp",
        "tenant": { "id": 7 },
    });
    assert_eq!(claims(&token), expected);
}

#[tokio::test]
async fn every_broken_token_is_broken_as_named() {
    let issuer = DevIssuer::start().await.unwrap();
    let broken = |broken| issuer.mint().audience(RESOURCE).scope("mcp").broken(broken).sign();
    let kid = header(&issuer.mint().sign())["kid"].clone();
    for kind in Broken::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
        let token = broken(*kind);
        let parts = if *kind == Broken::Truncated { 2 } else { 3 };
        assert_eq!(token.split('.').count(), parts, "{kind:?}");
        assert_eq!(header(&token)["kid"] == kid, *kind != Broken::UnknownKeyId, "{kind:?}");
    }
    assert!(broken(Broken::AlgorithmNone).ends_with('.'));
    assert!(broken(Broken::Padding).ends_with("=="));
    assert_eq!(header(&broken(Broken::HmacWithPublicKey))["alg"], "HS256");
    assert_eq!(header(&broken(Broken::EmbeddedKey))["jwk"]["kty"], "EC");
    assert_eq!(header(&broken(Broken::CriticalHeader))["crit"], json!(["example"]));
    assert_eq!(claims(&broken(Broken::Payload))["changed"], true);
    assert!(claims(&broken(Broken::SenderConstrained))["cnf"]["jkt"].is_string());

    let id_token = broken(Broken::IdToken);
    assert_eq!(header(&id_token)["typ"], "JWT");
    let claims = claims(&id_token);
    assert_eq!(claims["aud"], RESOURCE);
    assert!(claims["nonce"].is_string() && claims["at_hash"].is_string());
    assert_eq!((&claims["scope"], &claims["client_id"]), (&Value::Null, &Value::Null));
}
