//! Keys that the attacker chooses, borrows or finds.

use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use super::forge::{A, B, Key, World, base64url, claims, with};
use super::{check, header};
use crate::support::Harness;

#[tokio::test]
async fn the_algorithm_must_fit_the_key() {
    let only_rs256 = Key::rsa();
    let declared = with(only_rs256.jwk("only-rs256"), json!({ "alg": "RS256" }));
    let world = World::with(&[declared], |config| config);
    let payload = claims(A).to_string();
    let rsa = |alg: &str, kid: &str| world.rsa.token(header(alg, kid).to_string(), &payload);
    let ec = |alg: &str, kid: &str| world.ec.token(header(alg, kid).to_string(), &payload);
    let declared = |alg: &str| only_rs256.token(header(alg, "only-rs256").to_string(), &payload);
    let rows = vec![
        ("declared", declared("RS256"), "ok"),
        ("another than declared", declared("PS256"), "unknown_key"),
        ("another hash than declared", declared("RS512"), "unknown_key"),
        ("RS256 with an EC key", rsa("RS256", "ec"), "unknown_key"),
        ("ES256 with an RSA key", ec("ES256", "rsa"), "unknown_key"),
        ("ES384 with P-256", ec("ES384", "ec"), "unknown_key"),
        ("EdDSA with P-256", ec("EdDSA", "ec"), "unknown_key"),
        ("ML-DSA with an RSA key", rsa("ML-DSA-65", "rsa"), "unknown_key"),
        ("PS256 over an RS256 signature", rsa("PS256", "rsa"), "bad_signature"),
        ("RS384 over an RS256 signature", rsa("RS384", "rsa"), "bad_signature"),
    ];
    check(&world, rows).await;
}

#[tokio::test]
async fn keys_and_urls_in_the_header_are_neither_used_nor_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    // The default HTTP client, so that a fetch would arrive.
    let server = Harness::start().await;
    let attacker = Key::ec();
    let payload =
        with(claims(server.issuer.issuer()), json!({ "exp": 4_000_000_000_u64, "iat": 0 }));
    let known = {
        let token = server.mint().sign();
        assert_eq!(server.call(&token).await.code(), "ok");
        header_of(&token)["kid"].as_str().unwrap().to_owned()
    };
    let parameters = [
        json!({ "jwk": attacker.jwk("attacker") }),
        json!({ "jwk": attacker.jwk(&known) }),
        json!({ "jku": url }),
        json!({ "x5u": url }),
        json!({ "x5c": [base64url("certificate")] }),
        json!({ "x5t": "AAAA", "x5t#S256": "AAAA" }),
        json!({ "jku": url, "x5u": url, "jwk": attacker.jwk("attacker"), "x5c": [] }),
        json!({ "jwk": null, "jku": 7, "x5c": {}, "x5u": [] }),
    ];
    for parameters in parameters {
        for (kid, code) in [
            (json!(known), "bad_signature"),
            (json!("attacker"), "unknown_key"),
            (json!("absent"), "bad_signature"),
        ] {
            let header = with(with(header("ES256", ""), json!({ "kid": kid })), parameters.clone());
            let token = attacker.token(header.to_string(), payload.to_string());
            assert_eq!(server.call(&token).await.code(), code, "{kid} {parameters}");
        }
        // Beside a good signature they change nothing.
        let good = parameters.as_object().unwrap().iter();
        let good = good.fold(server.mint(), |mint, (name, value)| mint.header(name, value.clone()));
        assert_eq!(server.call(&good.sign()).await.code(), "ok", "{parameters}");
    }
    let connection = listener.accept().map_err(|error| error.kind());
    assert_eq!(connection.unwrap_err(), ErrorKind::WouldBlock, "someone fetched from the token");
}

fn header_of(token: &str) -> Value {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&engine.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_key_id_is_only_ever_compared() {
    let world = World::with(&[], |mut config| {
        config.max_token_header_bytes = 14_000;
        config
    });
    let payload = claims(A).to_string();
    let long = "k".repeat(10_000);
    let ids = [
        "../../../../dev/null",
        "/etc/passwd",
        "file:///dev/null",
        "https://attacker.example/key",
        "x' UNION SELECT 'key' --",
        "ec' OR '1'='1",
        "ec\u{0}",
        "\u{0}",
        "",
        "EC",
        " ec",
        "$(id)",
        "ec-b",
        &long,
    ];
    let mut rows = Vec::new();
    for id in ids {
        rows.push((id, world.ec.token(header("ES256", id).to_string(), &payload), "unknown_key"));
    }
    // One that is null is not there.
    let unset = with(header("ES256", ""), json!({ "kid": null }));
    rows.push(("null", world.ec.token(unset.to_string(), &payload), "ok"));
    for id in [json!(7), json!(["ec"]), json!({ "kid": "ec" })] {
        let header = with(header("ES256", ""), json!({ "kid": id }));
        rows.push(("no text", world.ec.token(header.to_string(), &payload), "malformed"));
    }
    let nameless = with(header("ES256", ""), json!({ "kid": "absent" })).to_string();
    rows.push(("no kid", world.ec.token(nameless, &payload), "ok"));
    check(&world, rows).await;
}

#[tokio::test]
async fn a_key_of_one_issuer_signs_for_no_other() {
    let world = World::new();
    let [shared_a, shared_b] = &world.shared;
    let nameless = with(header("ES256", ""), json!({ "kid": "absent" })).to_string();
    let (of_a, of_b) = (claims(A).to_string(), claims(B).to_string());
    let named = |kid: &str| header("ES256", kid).to_string();
    let rows = vec![
        ("A's key for B, by its own name", world.ec.token(named("ec"), &of_b), "unknown_key"),
        ("A's key for B, by B's name", world.ec.token(named("ec-b"), &of_b), "bad_signature"),
        ("A's key for B, without a name", world.ec.token(&nameless, &of_b), "bad_signature"),
        ("B's key for A, by its own name", world.ec_b.token(named("ec-b"), &of_a), "unknown_key"),
        ("B's key for A, without a name", world.ec_b.token(&nameless, &of_a), "bad_signature"),
        ("A's key for A, by a shared name", shared_a.token(named("shared"), &of_a), "ok"),
        ("B's key for B, by a shared name", shared_b.token(named("shared"), &of_b), "ok"),
        (
            "A's key for B, by a shared name",
            shared_a.token(named("shared"), &of_b),
            "bad_signature",
        ),
        (
            "B's key for A, by a shared name",
            shared_b.token(named("shared"), &of_a),
            "bad_signature",
        ),
    ];
    check(&world, rows).await;
}

#[tokio::test]
async fn keys_for_another_purpose_or_too_weak_verify_nothing() {
    let exponent_one = with(Key::rsa().jwk("one"), json!({ "e": "AQ" }));
    let even = with(Key::rsa().jwk("even"), json!({ "e": "Ag" }));
    let no_exponent = with(Key::rsa().jwk("zero"), json!({ "e": "" }));
    let short = json!({ "kty": "RSA", "kid": "short", "e": "AQAB", "n": SHORT_MODULUS });
    let symmetric = json!({ "kty": "oct", "kid": "oct", "k": base64url([7; 32]) });
    let weak = [exponent_one, even, no_exponent, short, symmetric];
    let world = World::with(&weak, |config| config);
    let payload = claims(A).to_string();
    let encryption = |kid: &str| world.encryption.token(header("ES256", kid).to_string(), &payload);
    let rsa = |kid: &str| world.rsa.token(header("RS256", kid).to_string(), &payload);
    let message =
        format!("{}.{}", base64url(header("RS256", "one").to_string()), base64url(&payload));
    let rows = vec![
        ("use: enc", encryption("enc"), "unknown_key"),
        ("key_ops: encrypt", encryption("ops"), "unknown_key"),
        ("1024 bits, really signed", SHORT_TOKEN.to_owned(), "unknown_key"),
        ("exponent 1, really forged", forged_with_exponent_one(&message), "unknown_key"),
        ("exponent 2", rsa("even"), "unknown_key"),
        ("no exponent", rsa("zero"), "unknown_key"),
        ("symmetric", rsa("oct"), "unknown_key"),
    ];
    check(&world, rows).await;
}

/// Signed by a key of 1024 bits.
const SHORT_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InNob3J0In0.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSIsImF1ZCI6Imh0dHBzOi8vbWNwLmV4YW1wbGUuY29tL21jcCIsImV4cCI6MTgwMDAwMDMwMH0.YN7GP7xh5jIiFrQELAisr31huhno93uLtHQ0yA6jMUMB7sY5oGxqtVlAZOejTZjCA9dXsJz9QYQTkwGcyA_4H6Rd1jYtu_tOevTuPnkk_jFjWghIdrFZZYCyej7k5b0xDtbiNXvPe58G5p1OIxGuOFCZKg6EIOYrnGddsk2wVhI";
const SHORT_MODULUS: &str = "3uoJ0fKWOSngCliPYUUJOe0x5coELlIjK-lH5bWq32BsheegnSEhQm7n1kMMyyYIqMKZHYxXWa53fLJXJKhnkZFvg--jUw3LxJS6Iw8xFAtk45OJ8vGwamdzi5ep5dX_faySep6htZSKJ2OnPutlJMngeM9U0yZmd4nimmnZ3LE";

/// RFC 8017 §9.2: the padded hash, which is its own signature when the exponent is 1.
fn forged_with_exponent_one(message: &str) -> String {
    use aws_lc_rs::digest::{SHA256, digest};
    let prefix = [48, 49, 48, 13, 6, 9, 96, 134, 72, 1, 101, 3, 4, 2, 1, 5, 0, 4, 32];
    let info = [&prefix[..], digest(&SHA256, message.as_bytes()).as_ref()].concat();
    let padding = vec![0xff; 256 - 3 - info.len()];
    let padded = [&[0, 1][..], &padding, &[0], &info].concat();
    format!("{message}.{}", base64url(padded))
}
