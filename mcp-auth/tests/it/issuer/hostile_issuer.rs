//! An issuer that answers wrongly: 503, as few fetches as can be, and good again when it is.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use mcp_auth::{AuthError, Config};

use crate::support::hostile::{Hostile, Reply, signer};
use crate::support::{Answer, Harness};

/// Long enough for an answer on loopback, short enough to wait for one that never comes.
fn impatient(mut config: Config) -> Config {
    config.fetch_timeout = Duration::from_secs(3);
    config
}

/// Why it is unavailable, and after how many seconds to come back.
fn outage(answer: &Answer) -> (String, u64) {
    assert_eq!((answer.status.as_u16(), answer.challenge()), (503, None), "{answer:?}");
    let Some(AuthError::Unavailable(unavailable)) = &answer.error else { panic!("{answer:?}") };
    let wait = answer.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(unavailable.retry_after, wait);
    (unavailable.reason.clone(), wait)
}

/// How an issuer fails, what the log says then, and how long clients are told to wait.
fn failures() -> Vec<(Reply, &'static str, u64)> {
    let status = |status: &str, headers: &[&str]| Reply::new(status, headers, "");
    let html = Reply::new("200 OK", &["content-type: text/html"], "<html>down</html>");
    let cut = Reply::new("200 OK", &["content-type: application/json"], "{\"keys\": [{");
    let broken = Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec());
    vec![
        (Reply::Endless, "larger than 1048576 bytes", 5),
        (Reply::Reset, "no answer: ", 5),
        (Reply::Bytes(b"no HTTP at all".to_vec()), "no answer: ", 5),
        (broken, "", 5),
        (html, "not JSON", 5),
        (cut, "not JSON", 5),
        (status("204 No Content", &[]), "status 204", 5),
        (status("404 Not Found", &[]), "status 404", 5),
        (status("500 Internal Server Error", &["retry-after: 40"]), "status 500", 5),
        (status("429 Too Many Requests", &["retry-after: 40"]), "status 429", 40),
        (status("429 Too Many Requests", &["retry-after: 99999999999999999999"]), "429", 300),
        (status("503 Service Unavailable", &["retry-after: soon"]), "status 503", 5),
        (Reply::redirect("https://elsewhere.example/"), "redirected to another origin", 5),
        (Reply::redirect("/again"), "", 5),
        (Reply::json(&serde_json::json!({ "keys": [] })), "", 5),
        (Reply::json(&serde_json::json!([])), "", 5),
    ]
}

#[tokio::test]
async fn every_failure_is_503_one_fetch_and_healed_when_it_is_over() {
    let signer = signer().await;
    let mut rows = Vec::new();
    for row in failures() {
        rows.push((Hostile::with(&signer).await, row.clone(), true));
        rows.push((Hostile::with(&signer).await, row, false));
    }
    let server = Hostile::harness_of(rows.iter().map(|(hostile, ..)| hostile), impatient);
    for (hostile, row, everywhere) in &rows {
        fails_and_recovers(hostile, &server, row.clone(), *everywhere).await;
    }
}

#[tokio::test]
async fn an_issuer_that_takes_for_ever_is_503_and_healed_when_it_is_over() {
    let signer = signer().await;
    let rows =
        [(Reply::Hang, true), (Reply::Hang, false), (Reply::Drip, true), (Reply::Drip, false)];
    let rows = rows.map(|(reply, everywhere)| {
        let signer = &signer;
        async move {
            let hostile = Hostile::with(signer).await;
            let server = hostile.harness(impatient);
            fails_and_recovers(&hostile, &server, (reply, "", 5), everywhere).await;
        }
    });
    join_all(rows).await;
}

async fn fails_and_recovers(
    hostile: &Hostile,
    server: &Harness,
    (reply, reason, wait): (Reply, &str, u64),
    everywhere: bool,
) {
    let row = format!("{reply:?} everywhere: {everywhere}");
    if everywhere {
        hostile.reply_everywhere(reply);
    } else {
        hostile.reply("/jwks", reply);
    }
    let token = hostile.token(server);
    let answers = join_all((0..20).map(|_| server.call(&token))).await;
    for answer in &answers {
        let (said, told) = outage(answer);
        assert!(said.contains(reason), "{row}: {said}");
        assert_eq!(told, wait, "{row}");
    }
    assert_eq!(hostile.count("/.well-known/oauth-authorization-server"), 1, "{row}");
    assert_eq!(hostile.count("/jwks"), usize::from(!everywhere), "{row}");

    hostile.behave().await;
    let asked = hostile.total();
    if wait > 5 {
        server.clock.advance(wait - 1);
        outage(&server.call(&token).await);
        assert_eq!(hostile.total(), asked, "{row}: it asked to be left alone");
        server.clock.advance(1);
    } else {
        server.clock.advance(wait);
    }
    assert_eq!(server.call(&token).await.code(), "ok", "{row}");
    assert_eq!(hostile.total(), asked + 2, "{row}");
}

#[tokio::test]
async fn a_key_set_under_another_media_type_is_used() {
    for header in ["content-type: text/plain", "content-type: application/jwk-set+json", "x: y"] {
        let hostile = Hostile::start().await;
        hostile.reply("/jwks", Reply::new("200 OK", &[header], hostile.keys().await.to_string()));
        let server = hostile.harness(impatient);
        assert_eq!(server.call(&hostile.token(&server)).await.code(), "ok", "{header}");
    }
}

#[tokio::test]
async fn a_failing_refresh_leaves_known_keys_in_use() {
    let hostile = Hostile::start().await;
    let server = hostile.harness(impatient);
    let token = hostile.token(&server);
    assert_eq!(server.call(&token).await.code(), "ok");
    for (reply, ..) in failures() {
        hostile.reply("/jwks", reply);
        server.clock.advance(700);
        assert_eq!(server.call(&token).await.code(), "ok");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_until_it_is_configured() {
    let (hostile, authority) = Hostile::with_tls().await;
    let server = hostile.harness(impatient);
    let token = hostile.token(&server);
    let (reason, _) = outage(&server.call(&token).await);
    assert!(reason.contains("UnknownIssuer"), "{reason}");
    assert_eq!(hostile.count("/jwks"), 0);

    let file = file("unknown-authority.pem", &authority);
    let server = hostile.harness(|mut config| {
        config.ca_files = vec![file];
        config
    });
    assert_eq!(server.call(&token).await.code(), "ok");
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_given_up() {
    // It speaks no TLS and waits for the end of a request.
    let hostile = Hostile::start().await;
    hostile.reply_everywhere(Reply::Hang);
    let issuer = hostile.origin.replace("http:", "https:");
    let server = Harness::around(hostile.signer.clone(), |mut config| {
        config.resources[0].authorization_servers[0].issuer = issuer.clone();
        impatient(config)
    });
    let (reason, _) = outage(&server.call(&server.mint().issuer(&issuer).sign()).await);
    assert!(reason.contains("no connection: "), "{reason}");
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_is_an_outage() {
    // RFC 1035 §2.3.4: a label has at most 63 octets, so that no name server is asked. No proxy
    // either, for a name of this machine.
    let issuer = format!("https://{}.localhost:9", "a".repeat(64));
    let server = Harness::around(signer().await, |mut config| {
        config.resources[0].authorization_servers[0].issuer = issuer.clone();
        config
    });
    let (_, wait) = outage(&server.call(&server.mint().issuer(&issuer).sign()).await);
    assert_eq!(wait, 5);
}

#[test]
fn authorities_that_cannot_be_used_are_faults() {
    let not_a_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let rows = [
        (PathBuf::from("/nowhere/ca.pem"), "cannot be read"),
        (file("empty.pem", ""), "holds no certificate"),
        (file("text.pem", "not PEM"), "holds no certificate"),
        (file("broken.pem", not_a_certificate), "not a certificate"),
    ];
    let mut config = Config::new("https://h.example/mcp", "https://as.example").unwrap();
    config.ca_files = rows.iter().map(|(file, _)| file.clone()).collect();
    let faults = config.check().unwrap_err().faults;
    assert_eq!(faults.len(), rows.len(), "{faults:?}");
    for (index, (fault, (_, expected))) in faults.iter().zip(rows).enumerate() {
        assert!(fault.starts_with(&format!("ca_files[{index}]: ")), "{fault}");
        assert!(fault.contains(expected), "{fault}");
    }
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}
