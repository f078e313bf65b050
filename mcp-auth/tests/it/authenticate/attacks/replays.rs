//! What resembles a token that was accepted before. Expiry, keys and resources: `token_cache`.

use serde_json::json;

use super::forge::{A, World, base64url, claims, with};
use super::{check, header};

#[tokio::test]
async fn a_token_seen_before_opens_nothing_else() {
    let world = World::new();
    let head = header("ES256", "ec").to_string();
    let good = world.ec.token(&head, claims(A).to_string());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let payload = message.split_once('.').unwrap().1;
    // All of them end like the good one.
    let with_header = |header: &str| format!("{}.{payload}.{signature}", base64url(header));
    let with_claims = |change| {
        let claims = with(claims(A), change).to_string();
        format!("{}.{}.{signature}", base64url(&head), base64url(claims))
    };
    let half = signature.len() / 2;
    let rows = || {
        vec![
            ("good", good.clone(), "ok"),
            ("another subject", with_claims(json!({ "sub": "root" })), "bad_signature"),
            ("more scopes", with_claims(json!({ "scope": "admin" })), "bad_signature"),
            ("another expiry", with_claims(json!({ "exp": 4_000_000_000_u64 })), "bad_signature"),
            ("another issuer", with_claims(json!({ "iss": "https://x" })), "unknown_issuer"),
            ("white space in the header", with_header(&format!(" {head}")), "bad_signature"),
            ("none", with_header(r#"{"alg":"none"}"#), "algorithm_not_allowed"),
            ("its end", good[good.len() - 64..].to_owned(), "malformed"),
            (
                "without its first half",
                format!("{message}.{}", &signature[half..]),
                "bad_signature",
            ),
            ("with more in front", format!("x{good}"), "malformed"),
            ("with a part in front", format!("x.{good}"), "malformed"),
        ]
    };
    check(&world, rows()).await;
    // And once more, now that every one of them was seen.
    check(&world, rows()).await;
    let lower = good.to_ascii_lowercase();
    assert_ne!(world.call(&lower).await.code(), "ok");
}
