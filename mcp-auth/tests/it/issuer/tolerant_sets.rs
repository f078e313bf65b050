//! Odd keys in a set are skipped or used, and never spoil the others.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::Harness;
use crate::support::hostile::{Hostile, Reply, signer};
use crate::support::log::Log;

/// Serves these keys, made of the good one, and calls with a token that has this `kid`.
async fn code(keys: impl FnOnce(&Value) -> Value, kid: Option<&str>) -> &'static str {
    let hostile = Hostile::start().await;
    let good = hostile.keys().await["keys"][0].clone();
    hostile.reply("/jwks", Reply::json(&json!({ "keys": keys(&good), "vendor": [1, null] })));
    let server = hostile.harness(|config| config);
    server.call(&token(&hostile, &server, kid)).await.code()
}

fn token(hostile: &Hostile, server: &Harness, kid: Option<&str>) -> String {
    let mint = server.mint().issuer(&hostile.origin);
    match kid {
        Some(kid) => mint.header("kid", kid).sign(),
        None => mint.without_header("kid").sign(),
    }
}

fn with(jwk: &Value, name: &str, value: Value) -> Value {
    let mut jwk = jwk.clone();
    jwk[name] = value;
    jwk
}

fn without(jwk: &Value, name: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

/// What issuers publish beside the keys we can use, and mistakes that they make.
fn odd() -> Vec<Value> {
    vec![
        json!({ "kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "PQ-2040", "kid": "unknown-kty", "pub": "secret-material" }),
        json!({ "kty": "EC", "crv": "secp256k1", "kid": "unknown-crv", "x": "AA", "y": "AA" }),
        json!({ "kty": "EC", "crv": "P-256", "kid": "off-curve", "x": "AAAA", "y": "AAAA" }),
        json!({ "kty": "RSA", "kid": "short", "n": "secret-material", "e": "AQAB" }),
        json!({ "kty": "RSA", "kid": "no-members" }),
        json!({ "kty": "oct", "kid": "symmetric", "k": "secret-material" }),
        json!({ "kty": "OKP", "crv": "X25519", "kid": "agreement", "x": "secret-material" }),
        json!({ "kty": 7, "kid": ["x"] }),
        json!({ "kid": "no-kty" }),
        json!("secret-material"),
        json!(null),
        json!([]),
    ]
}

#[tokio::test]
async fn odd_keys_do_not_spoil_a_set() {
    let around = |good: &Value| [odd(), vec![good.clone()], odd()].concat().into();
    assert_eq!(code(around, None).await, "ok");
    assert_eq!(code(|_| odd().into(), None).await, "unavailable");
}

#[tokio::test]
async fn keys_are_used_whatever_names_they_have() {
    let one = |jwk: Value| json!([jwk]);
    // (the set, the token's `kid`, what comes of it)
    type Row = (fn(&Value) -> Vec<Value>, Option<&'static str>, &'static str);
    let rows: [Row; 12] = [
        (|good| vec![with(good, "kid", json!("a"))], Some("a"), "ok"),
        (|good| vec![with(good, "kid", json!("a"))], None, "ok"),
        (|good| vec![with(good, "kid", json!("a"))], Some("b"), "unknown_key"),
        (|good| vec![without(good, "kid")], Some("a"), "ok"),
        (|good| vec![without(&without(good, "kid"), "alg")], None, "ok"),
        (|good| vec![without(good, "use")], None, "ok"),
        (|good| vec![with(good, "kid", json!("a==")); 2], Some("a=="), "ok"),
        (|good| vec![with(good, "kid", json!("a=="))], Some("a"), "unknown_key"),
        (|good| vec![with(good, "kid", json!(7))], Some("7"), "ok"),
        (|good| vec![with(good, "kid", json!("")); 2], Some(""), "ok"),
        (|good| vec![good.clone(), good.clone(), good.clone()], None, "ok"),
        (
            |good| {
                let vendor = with(&with(good, "x5c", json!(["no certificate"])), "exp", json!(1));
                vec![with(&vendor, "https://vendor.example/x", json!({ "deep": [[]] }))]
            },
            None,
            "ok",
        ),
    ];
    for (index, (keys, kid, expected)) in rows.into_iter().enumerate() {
        assert_eq!(code(|good| keys(good).into(), kid).await, expected, "row {index}");
    }
    assert_eq!(code(|good| one(with(good, "use", json!("enc"))), None).await, "unavailable");
    assert_eq!(code(|good| one(with(good, "key_ops", json!(["sign"]))), None).await, "unavailable");
    assert_eq!(code(|good| one(with(good, "alg", json!("ES384"))), None).await, "unavailable");
}

#[tokio::test]
async fn a_key_whose_optional_members_are_not_set_is_used() {
    let unset = [
        ("use", json!(null)),
        ("use", json!("")),
        ("alg", json!(null)),
        ("alg", json!("")),
        ("key_ops", json!(null)),
        ("key_ops", json!([])),
        ("kid", json!(null)),
        ("kid", json!("")),
        ("issuer", json!(null)),
        ("x5c", json!([])),
        ("x5t#S256", json!(null)),
    ];
    for (member, value) in unset {
        let set = |good: &Value| json!([with(good, member, value.clone())]);
        assert_eq!(code(set, None).await, "ok", "{member}: {value}");
    }
    let all = |good: &Value| {
        let names = ["use", "alg", "key_ops", "kid", "x5c", "x5t", "x5u", "issuer", "oth", "d"];
        json!([names.iter().fold(good.clone(), |jwk, name| with(&jwk, name, json!(null)))])
    };
    assert_eq!(code(all, Some("any")).await, "ok");
}

/// The key with a coordinate that is written in another way.
fn with_coordinate(jwk: &Value, name: &str, write: impl Fn(Vec<u8>) -> String) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    with(jwk, name, json!(write(bytes)))
}

#[tokio::test]
async fn a_key_in_another_base64_or_with_a_sign_byte_is_used() {
    type Write = fn(Vec<u8>) -> String;
    let ways: [Write; 5] = [
        |bytes| STANDARD.encode(bytes),
        |bytes| STANDARD_NO_PAD.encode(bytes),
        |bytes| URL_SAFE.encode(bytes),
        |bytes| URL_SAFE_NO_PAD.encode([vec![0], bytes].concat()),
        // One coordinate in 256 is one that begins with a zero: it is left out there, and none here.
        |bytes| {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            URL_SAFE_NO_PAD.encode(&bytes[zeros..])
        },
    ];
    for (index, write) in ways.into_iter().enumerate() {
        for name in ["x", "y"] {
            let set = |good: &Value| json!([with_coordinate(good, name, write)]);
            assert_eq!(code(set, None).await, "ok", "{index} {name}");
        }
    }
}

#[tokio::test]
async fn of_a_key_that_is_refused_the_reason_names_the_member() {
    let rows = [
        ("x", json!("AAAA"), "`x` has 3 bytes, 32 are needed"),
        ("y", json!("no base64"), "`y` is not base64url"),
        ("y", json!(7), "`y` is a number, a string is needed"),
        ("use", json!(["sig"]), "`use` is an array, a string is needed"),
        ("key_ops", json!("verify"), "`key_ops` is a string, an array is needed"),
        ("issuer", json!({}), "`issuer` is an object, a string is needed"),
    ];
    for (name, value, expected) in rows {
        let hostile = Hostile::start().await;
        let good = hostile.keys().await["keys"][0].clone();
        hostile.reply("/jwks", Reply::json(&json!({ "keys": [with(&good, name, value)] })));
        let server = hostile.harness(|config| config);
        let answer = server.call(&token(&hostile, &server, None)).await;
        let told = answer.error.unwrap().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn eight_keys_without_a_name_are_tried_and_the_others_are_counted() {
    let others = signer().await;
    let hostile = Hostile::start().await;
    let good = without(&hostile.keys().await["keys"][0], "kid");
    // (keys before the one that made the signature, what comes of it)
    let rows = [
        (0, "ok"),
        (5, "ok"),
        (7, "ok"),
        (8, "got none by those that were tried; 1 key was not tried"),
        (11, "got none by those that were tried; 4 keys were not tried"),
    ];
    let other = without(&Hostile::with(&others).await.keys().await["keys"][0], "kid");
    for (before, expected) in rows {
        let keys = [vec![other.clone(); before], vec![good.clone()]].concat();
        hostile.reply("/jwks", Reply::json(&json!({ "keys": keys })));
        let server = hostile.harness(|config| config);
        let answer = server.call(&token(&hostile, &server, None)).await;
        let told = answer.error.as_ref().map_or("ok".to_owned(), ToString::to_string);
        assert!(told.contains(expected), "{before}: {told}");
        assert!(matches!(answer.code(), "ok" | "bad_signature"), "{before}: {answer:?}");
    }
    // Where all were tried, nothing is said of others.
    hostile.reply("/jwks", Reply::json(&json!({ "keys": vec![other; 8] })));
    let server = hostile.harness(|config| config);
    let answer = server.call(&token(&hostile, &server, None)).await;
    assert!(answer.error.unwrap().to_string().ends_with("got another"));
}

#[tokio::test]
async fn the_first_256_keys_of_a_set_are_used() {
    let set = |before: usize| {
        move |good: &Value| [vec![json!({}); before], vec![good.clone()]].concat().into()
    };
    assert_eq!(code(set(255), None).await, "ok");
    assert_eq!(code(set(256), None).await, "unavailable");
}

#[tokio::test]
async fn a_skipped_key_is_one_line_once_and_without_the_key() {
    Log::start();
    let hostile = Hostile::start().await;
    let good = hostile.keys().await["keys"][0].clone();
    let mut keys = [odd(), vec![good]].concat();
    hostile.reply("/jwks", Reply::json(&json!({ "keys": keys })));
    let server = hostile.harness(|config| config);
    let token = token(&hostile, &server, None);
    Log::take();
    assert_eq!(server.call(&token).await.code(), "ok");
    let log = Log::take();
    let skipped: Vec<_> = log.lines().filter(|line| line.contains("a key is skipped")).collect();
    assert_eq!(skipped.len(), odd().len(), "{log}");
    for kid in ["enc", "unknown-kty", "unknown-crv", "off-curve", "short", "symmetric"] {
        let named = format!("kid=\"{kid}\"");
        assert_eq!(skipped.iter().filter(|line| line.contains(&named)).count(), 1, "{kid}: {log}");
    }
    let quiet: Vec<_> = skipped.iter().filter(|line| line.contains("DEBUG")).collect();
    assert!(quiet.len() == 1 && quiet[0].contains("kid=\"enc\""), "{log}");
    assert!(!log.contains("secret-material"), "{log}");

    // The same again says nothing; a new one does.
    keys.insert(0, json!({ "kty": "oct", "kid": "new" }));
    for (refresh, set) in [(2, &keys[1..]), (3, &keys[..])] {
        hostile.reply("/jwks", Reply::json(&json!({ "keys": set })));
        server.clock.advance(601);
        assert_eq!(server.call(&token).await.code(), "ok");
        while !Log::peek().contains("keys refreshed") {
            tokio::task::yield_now().await;
        }
        let log = Log::take();
        assert_eq!(hostile.count("/jwks"), refresh);
        assert_eq!(log.matches("a key is skipped").count(), refresh - 2, "{log}");
    }
}
