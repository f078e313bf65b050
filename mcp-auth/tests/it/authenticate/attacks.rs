//! Known attacks on tokens, each with the code of its refusal.

mod forge;
mod form;
mod keys;
mod replays;

use aws_lc_rs::hmac;
use dev_issuer::Broken;
use serde_json::{Value, json};

use crate::support::{Harness, RESOURCE};
use forge::{A, B, NOW, World, base64url, claims, with};

fn header(alg: &str, kid: &str) -> Value {
    json!({ "alg": alg, "kid": kid, "typ": "at+jwt" })
}

/// Sends every token and compares code and status; nothing but the key sets may be fetched.
async fn check(world: &World, rows: Vec<(&str, String, &str)>) {
    for (name, token, code) in rows {
        let answer = world.call(&token).await;
        assert_eq!(answer.code(), code, "{name}");
        let status = match code {
            "ok" => 200,
            "invalid_request" => 400,
            _ => 401,
        };
        assert_eq!(answer.status, status, "{name}");
    }
    let allowed = [format!("{A}/jwks"), format!("{B}/jwks")];
    assert!(world.fetched().iter().all(|url| allowed.contains(url)), "{:?}", world.fetched());
}

#[tokio::test]
async fn good_tokens_are_accepted() {
    let world = World::new();
    let rows = vec![
        ("RS256", world.rsa.token(header("RS256", "rsa").to_string(), claims(A).to_string()), "ok"),
        ("ES256", world.ec.token(header("ES256", "ec").to_string(), claims(A).to_string()), "ok"),
        (
            "of B",
            world.ec_b.token(header("ES256", "ec-b").to_string(), claims(B).to_string()),
            "ok",
        ),
    ];
    check(&world, rows).await;
}

#[tokio::test]
async fn the_header_does_not_choose_a_weaker_algorithm() {
    let world = World::new();
    let payload = claims(A).to_string();
    let mut rows = Vec::new();
    for none in ["none", "None", "NONE", "nOnE", "none ", ""] {
        let header = header(none, "rsa").to_string();
        let signed = world.rsa.token(&header, &payload);
        let unsigned = format!("{}.{}.", base64url(&header), base64url(&payload));
        rows.push(("none, signed", signed, "algorithm_not_allowed"));
        rows.push(("none, unsigned", unsigned, "algorithm_not_allowed"));
    }
    let public = world.rsa.jwk("rsa");
    let modulus = public["n"].as_str().unwrap().to_owned();
    for secret in [public.to_string(), modulus, String::new()] {
        for (name, algorithm) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
        ] {
            let header = header(name, "rsa").to_string();
            let message = format!("{}.{}", base64url(header), base64url(&payload));
            let secret = hmac::Key::new(algorithm, secret.as_bytes());
            let mac = hmac::sign(&secret, message.as_bytes());
            rows.push((name, format!("{message}.{}", base64url(mac)), "algorithm_not_allowed"));
        }
    }
    for name in ["rs256", "RS256 ", "RS1", "ES256K", "Ed448", "dir", "A256GCM", "RSA-OAEP"] {
        let token = world.rsa.token(header(name, "rsa").to_string(), &payload);
        rows.push((name, token, "algorithm_not_allowed"));
    }
    for alg in [json!(null), json!(256), json!(["RS256"]), json!({}), json!("absent")] {
        let header = with(header("", "rsa"), json!({ "alg": alg }));
        rows.push(("no text", world.rsa.token(header.to_string(), &payload), "malformed"));
    }
    check(&world, rows).await;
}

#[tokio::test]
async fn hs256_with_the_public_key_of_a_real_issuer_is_refused() {
    let server = Harness::start().await;
    for algorithm in dev_issuer::Algorithm::ALL {
        let token = server.mint().algorithm(*algorithm).broken(Broken::HmacWithPublicKey).sign();
        assert_eq!(server.call(&token).await.code(), "algorithm_not_allowed", "{algorithm}");
    }
}

#[tokio::test]
async fn extensions_of_the_header_are_refused_when_critical() {
    let world = World::new();
    let payload = claims(A).to_string();
    let rows = [
        ("crit", json!({ "crit": ["exp"], "exp": NOW }), "malformed"),
        ("crit b64", json!({ "crit": ["b64"], "b64": false }), "malformed"),
        ("crit b64 true", json!({ "crit": ["b64"], "b64": true }), "malformed"),
        ("b64 alone", json!({ "b64": false }), "malformed"),
        ("empty crit", json!({ "crit": [] }), "malformed"),
        ("crit null", json!({ "crit": null }), "malformed"),
        ("crit text", json!({ "crit": "b64" }), "malformed"),
        ("zip", json!({ "zip": "DEF" }), "ok"),
        ("cty", json!({ "cty": "JWT" }), "ok"),
        ("logout", json!({ "typ": "logout+jwt" }), "wrong_type"),
        ("typ is no text", json!({ "typ": 7 }), "malformed"),
    ];
    let rows = rows.map(|(name, change, code)| {
        (name, world.ec.token(with(header("ES256", "ec"), change).to_string(), &payload), code)
    });
    check(&world, rows.into()).await;

    // RFC 7797: the payload as it is, not base64url.
    let header = base64url(with(header("ES256", "ec"), json!({ "b64": false })).to_string());
    let message = format!("{header}.{payload}");
    let token = format!("{message}.{}", base64url(world.ec.sign(message.as_bytes())));
    check(&world, vec![("unencoded payload", token, "invalid_request")]).await;
    let message = format!("{header}.7b7d");
    let token = format!("{message}.{}", base64url(world.ec.sign(message.as_bytes())));
    check(&world, vec![("unencoded payload that could be base64url", token, "malformed")]).await;
}

#[tokio::test]
async fn duplicate_members_are_refused() {
    let world = World::new();
    let good = claims(A).to_string();
    let with_first = |object: &str, member: &str| object.replacen('{', &format!("{{{member},"), 1);
    let header = header("ES256", "ec").to_string();
    let mut rows = Vec::new();
    for member in [
        r#""alg":"none""#,
        r#""alg":"ES256""#,
        r#""kid":"x""#,
        r#""typ":"JWT""#,
        r#""\u0061lg":"none""#,
        r#""x":1,"x":1"#,
    ] {
        rows.push((member, world.ec.token(with_first(&header, member), &good), "malformed"));
    }
    let iss = format!(r#""iss":"{B}""#);
    let escaped = format!(r#""\u0069ss":"{A}""#);
    for member in [
        &*iss,
        &*escaped,
        r#""aud":"x""#,
        r#""sub":"root""#,
        r#""exp":9999999999"#,
        r#""x":1,"x":2"#,
        r#""cnf":null,"cnf":{}"#,
    ] {
        rows.push((member, world.ec.token(&header, with_first(&good, member)), "malformed"));
    }
    check(&world, rows).await;
}

#[tokio::test]
async fn claims_have_their_types() {
    let world = World::new();
    let rows = [
        ("exp", json!((NOW + 300).to_string()), "malformed"),
        ("exp", json!(NOW as f64 + 300.5), "ok"),
        ("exp", json!(-1), "malformed"),
        ("exp", json!(-0.5), "malformed"),
        ("exp", json!(1e300), "malformed"),
        ("exp", json!(u64::MAX), "malformed"),
        ("exp", json!(i64::MAX), "malformed"),
        ("exp", json!(true), "malformed"),
        ("exp", json!(null), "missing_claim"),
        ("exp", json!([NOW + 300]), "malformed"),
        ("exp", json!({}), "malformed"),
        ("exp", json!(0), "expired"),
        ("exp", json!(NOW - 60), "expired"),
        ("exp", json!((NOW + 300) * 1000), "malformed"),
        ("nbf", json!(NOW + 61), "not_yet_valid"),
        ("nbf", json!("0"), "malformed"),
        ("nbf", json!(null), "ok"),
        ("iat", json!(NOW + 61), "not_yet_valid"),
        ("iat", json!(-1), "malformed"),
        ("aud", json!([]), "wrong_audience"),
        ("aud", json!([[RESOURCE]]), "malformed"),
        ("aud", json!([7]), "malformed"),
        ("aud", json!([RESOURCE, 7]), "malformed"),
        ("aud", json!([RESOURCE, null]), "malformed"),
        ("aud", json!(7), "malformed"),
        ("aud", json!(null), "missing_claim"),
        ("aud", json!({ "aud": RESOURCE }), "malformed"),
        ("aud", json!(""), "wrong_audience"),
        ("aud", json!(format!("{RESOURCE} https://other.example")), "wrong_audience"),
        ("aud", json!(format!("{RESOURCE}#x")), "wrong_audience"),
        ("aud", json!("absent"), "missing_claim"),
        ("iss", json!([A]), "malformed"),
        ("iss", json!([A, B]), "malformed"),
        ("iss", json!(null), "missing_claim"),
        ("iss", json!(7), "malformed"),
        ("iss", json!(format!("{A}/")), "unknown_issuer"),
        ("iss", json!("HTTPS://A.EXAMPLE"), "unknown_issuer"),
        ("iss", json!(""), "unknown_issuer"),
        ("iss", json!("absent"), "missing_claim"),
        ("sub", json!(["alice"]), "malformed"),
        ("sub", json!(7), "malformed"),
        ("azp", json!({}), "malformed"),
        ("scope", json!(7), "malformed"),
    ];
    let rows = rows.map(|(name, value, code)| {
        let payload = with(claims(A), json!({ name: value }));
        (name, world.ec.token(header("ES256", "ec").to_string(), payload.to_string()), code)
    });
    for (name, token, code) in rows {
        let answer = world.call(&token).await;
        assert_eq!(answer.code(), code, "{name} in {}", claims_of(&token));
    }
    // Numbers that JSON allows and f64 does not.
    for number in ["1e999", "-1e999", "99999999999999999999999999", "NaN", "Infinity", "0x1", "01"]
    {
        let payload = claims(A).to_string().replace(&(NOW + 300).to_string(), number);
        let token = world.ec.token(header("ES256", "ec").to_string(), payload);
        assert_eq!(world.call(&token).await.code(), "malformed", "{number}");
    }
}

fn claims_of(token: &str) -> String {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = engine.decode(token.split('.').nth(1).unwrap()).unwrap();
    String::from_utf8_lossy(&payload).into_owned()
}
