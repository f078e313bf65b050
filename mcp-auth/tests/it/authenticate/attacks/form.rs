//! Tokens that are not what a token looks like.

use serde_json::json;

use super::forge::{A, World, base64url, claims, with};
use super::{check, header};
use crate::support::RESOURCE;

#[tokio::test]
async fn signatures_of_the_wrong_form_are_refused() {
    let world = World::new();
    let message = format!(
        "{}.{}",
        base64url(header("ES256", "ec").to_string()),
        base64url(claims(A).to_string())
    );
    let good = world.ec.sign(message.as_bytes());
    let (r, s) = good.split_at(32);
    let zero = [0; 32];
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let rows = [
        ("good", good.clone(), "ok"),
        ("empty", vec![], "bad_signature"),
        ("zero", vec![0; 64], "bad_signature"),
        ("r = 0", [&zero, s].concat(), "bad_signature"),
        ("s = 0", [r, &zero].concat(), "bad_signature"),
        ("r = n", [&order, s].concat(), "bad_signature"),
        ("s = n", [r, &order].concat(), "bad_signature"),
        ("r and s swapped", [s, r].concat(), "bad_signature"),
        ("a byte less", good[..63].to_vec(), "bad_signature"),
        ("a byte more", [&good[..], &[0]].concat(), "bad_signature"),
        ("a zero in front", [&[0], &good[..]].concat(), "bad_signature"),
        ("twice", [&good[..], &good].concat(), "bad_signature"),
        ("as for P-384", [&[0; 16], r, &[0; 16], s].concat(), "bad_signature"),
        ("DER", world.ec.sign_in_der(message.as_bytes()), "bad_signature"),
        ("10 kB", vec![7; 10_000], "bad_signature"),
    ];
    let rows = rows
        .map(|(name, signature, code)| (name, format!("{message}.{}", base64url(signature)), code));
    check(&world, rows.into()).await;
}

#[tokio::test]
async fn base64url_has_one_form() {
    let world = World::new();
    // A signature with both `-` and `_`, so that the other alphabet shows.
    let good = loop {
        let token = world.ec.token(header("ES256", "ec").to_string(), claims(A).to_string());
        let signature = token.rsplit('.').next().unwrap();
        if signature.contains('-') && signature.contains('_') {
            break token;
        }
    };
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    // 64 bytes leave 2 bits of their last character unused, 4 when one byte is left over.
    let (start, last) = signature.split_at(signature.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let stray = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let rows = vec![
        ("good", good.clone(), "ok"),
        ("padding at the end", format!("{good}=="), "malformed"),
        ("padding of the header", format!("{head}=.{payload}.{signature}"), "invalid_request"),
        ("padding of the payload", format!("{head}.{payload}=.{signature}"), "invalid_request"),
        (
            "plus and slash",
            format!("{message}.{}", signature.replace('-', "+").replace('_', "/")),
            "malformed",
        ),
        ("stray bits", format!("{message}.{start}{stray}"), "malformed"),
        ("one character too many", format!("{good}AAA"), "malformed"),
        ("space inside", format!("{head}. {payload}.{signature}"), "invalid_request"),
        ("tab inside", format!("{head}.\t{payload}.{signature}"), "invalid_request"),
        ("percent", format!("{head}.%20{payload}.{signature}"), "invalid_request"),
        ("tilde", format!("{head}.~{payload}.{signature}"), "malformed"),
    ];
    check(&world, rows).await;
}

#[tokio::test]
async fn a_token_has_three_parts() {
    let world = World::new();
    let good = world.ec.token(header("ES256", "ec").to_string(), claims(A).to_string());
    let parts: Vec<_> = good.split('.').collect();
    let (head, payload, signature) = (parts[0], parts[1], parts[2]);
    let rows = vec![
        ("opaque", "opaque".to_owned(), "malformed"),
        ("two", format!("{head}.{payload}"), "malformed"),
        ("four", format!("{good}.{signature}"), "malformed"),
        ("a dot at the end", format!("{good}."), "malformed"),
        ("a dot in front", format!(".{good}"), "malformed"),
        ("six", "a.b.c.d.e.f".to_owned(), "malformed"),
        ("dots", "..".to_owned(), "malformed"),
        ("no header", format!(".{payload}.{signature}"), "malformed"),
        ("no payload", format!("{head}..{signature}"), "malformed"),
        (
            "empty payload, signed",
            world.ec.token(header("ES256", "ec").to_string(), ""),
            "malformed",
        ),
        ("no signature", format!("{head}.{payload}."), "bad_signature"),
        ("nothing", String::new(), "missing_token"),
        ("spaces alone", "   ".to_owned(), "missing_token"),
        ("a tab in front", format!("\t{good}"), "invalid_request"),
        ("a tab after a space", format!(" \t{good}"), "invalid_request"),
        ("a tab at the end", format!("{good}\t"), "invalid_request"),
    ];
    check(&world, rows).await;
    let answer = world.call("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d").await;
    assert_eq!(answer.code(), "malformed");
    assert!(answer.error.unwrap().to_string().contains("encrypted (JWE)"), "and says so");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let world = World::new();
    let head = header("ES256", "ec").to_string();
    let good = claims(A).to_string();
    let first =
        |object: &str, member: &[u8]| [b"{", member, b",", &object.as_bytes()[1..]].concat();
    let after = |object: &str, more: &[u8]| [object.as_bytes(), more].concat();
    let rows = vec![
        (
            "invalid UTF-8 in the header",
            world.ec.token(first(&head, b"\"x\":\"\xff\""), &good),
            "malformed",
        ),
        (
            "invalid UTF-8 in a claim",
            world.ec.token(&head, first(&good, b"\"x\":\"\xc3\x28\"")),
            "malformed",
        ),
        ("overlong UTF-8", world.ec.token(&head, first(&good, b"\"x\":\"\xc0\xaf\"")), "malformed"),
        (
            "a surrogate",
            world.ec.token(&head, first(&good, b"\"x\":\"\xed\xa0\x80\"")),
            "malformed",
        ),
        (
            "half a surrogate pair",
            world.ec.token(&head, first(&good, br#""x":"\ud800""#)),
            "malformed",
        ),
        (
            "half a pair as a name",
            world.ec.token(&head, first(&good, br#""\ud800":1"#)),
            "malformed",
        ),
        (
            "a byte order mark",
            world.ec.token(&head, [b"\xef\xbb\xbf", good.as_bytes()].concat()),
            "malformed",
        ),
        (
            "UTF-16",
            world
                .ec
                .token(&head, good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()),
            "malformed",
        ),
        ("a NUL in a claim", world.ec.token(&head, first(&good, b"\"x\":\"a\x00b\"")), "malformed"),
        ("a NUL after the claims", world.ec.token(&head, after(&good, b"\x00")), "malformed"),
        ("a NUL after the header", world.ec.token(after(&head, b"\x00"), &good), "malformed"),
        ("an escaped NUL", world.ec.token(&head, first(&good, br#""x":"\u0000""#)), "ok"),
        (
            "an escaped NUL after iss",
            world.ec.token(&head, with(claims(A), json!({ "iss": format!("{A}\0") })).to_string()),
            "unknown_issuer",
        ),
        (
            "an escaped NUL after aud",
            world.ec.token(
                &head,
                with(claims(A), json!({ "aud": format!("{RESOURCE}\0") })).to_string(),
            ),
            "wrong_audience",
        ),
        ("two objects", world.ec.token(&head, after(&good, b"{}")), "malformed"),
        ("an array", world.ec.token(&head, format!("[{good}]")), "malformed"),
        ("a text", world.ec.token(&head, r#""text""#), "malformed"),
        ("a comment", world.ec.token(&head, after(&good, b"//")), "malformed"),
        ("a comma at the end", world.ec.token(&head, r#"{"iss":"x",}"#), "malformed"),
        ("white space around", world.ec.token(format!(" {head}\n"), format!("\t{good}\r\n")), "ok"),
    ];
    check(&world, rows).await;
    for bytes in [&b"Bearer \xff\xfe"[..], b"Bearer a\xc3\xa9.b.c", b"Bearer \x80", b"Bearer a\tb"]
    {
        assert_eq!(world.send(bytes).await.code(), "invalid_request", "{bytes:?}");
    }
}

#[tokio::test]
async fn size_and_depth_are_bounded() {
    let world = World::with(&[], |mut config| {
        config.max_token_bytes = 256 * 1024;
        config.max_token_header_bytes = 64 * 1024;
        config.max_token_depth = 127;
        config
    });
    let usual = World::new();
    let head = header("ES256", "ec").to_string();
    let member =
        |value: String| claims(A).to_string().replacen('{', &format!(r#"{{"x":{value},"#), 1);
    let nested =
        |open: &str, close: &str, depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let many = |count| {
        let members: Vec<_> = (0..count).map(|index| format!(r#""m{index}":{index}"#)).collect();
        claims(A).to_string().replacen('{', &format!("{{{},", members.join(",")), 1)
    };
    let deep = nested("[", "]", 10_000);
    let deep_header = head.replacen('{', &format!(r#"{{"x":{deep},"#), 1);
    let deep_objects = nested(r#"{"a":"#, "}", 10_000);
    let rows = vec![
        ("10,000 arrays", world.ec.token(&head, member(deep.clone())), "malformed"),
        (
            "10,000 arrays in the header",
            world.ec.token(deep_header, claims(A).to_string()),
            "malformed",
        ),
        ("10,000 objects", world.ec.token(&head, member(deep_objects)), "malformed"),
        ("10,000 open arrays", world.ec.token(&head, member("[".repeat(10_000))), "malformed"),
        ("nothing but arrays", world.ec.token(&head, &deep), "malformed"),
        ("aud of arrays", world.ec.token(&head, format!(r#"{{"aud":{deep}}}"#)), "malformed"),
        ("100 arrays", world.ec.token(&head, member(nested("[", "]", 100))), "ok"),
        ("10,000 members", world.ec.token(&head, many(10_000)), "malformed"),
        ("200 members", world.ec.token(&head, many(200)), "ok"),
        ("200 kB", world.ec.token(&head, member(format!("\"{}\"", "x".repeat(150_000)))), "ok"),
        ("a long number", world.ec.token(&head, member("1".repeat(100_000))), "malformed"),
    ];
    check(&world, rows).await;
    let long = |bytes| usual.ec.token(&head, member(format!("\"{}\"", "x".repeat(bytes))));
    let rows = vec![
        ("1 MB", long(1 << 20), "malformed"),
        ("17 kB", long(13_000), "malformed"),
        ("11 kB", long(8_000), "ok"),
        ("1 MB of nothing", "a".repeat(1 << 20), "malformed"),
        ("1 MB of dots", ".".repeat(1 << 20), "malformed"),
    ];
    check(&usual, rows).await;
}
