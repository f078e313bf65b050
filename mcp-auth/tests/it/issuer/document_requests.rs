//! How documents are asked for, and what is read of what comes: media types, encodings, byte order marks, pauses.

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use futures_util::future::{BoxFuture, ready};
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::inspection::FaultKind;
use mcp_auth::{AuthError, Config, McpAuth};
use serde_json::{Value, json};

use crate::support::hostile::{Hostile, Reply};
use crate::support::{Answer, RESOURCE};

const METADATA: &str = "/.well-known/oauth-authorization-server";

/// Why it is unavailable.
fn reason(answer: Answer) -> String {
    match answer.error {
        Some(AuthError::Unavailable(unavailable)) => unavailable.reason,
        other => panic!("{other:?}"),
    }
}

/// A client of one issuer whose documents exist in one media type each.
#[derive(Clone, Copy)]
struct OneMediaType {
    metadata: &'static str,
    keys: &'static str,
}

impl HttpClient for OneMediaType {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let is_keys = request.uri().path() == "/keys";
        let media_type = if is_keys { self.keys } else { self.metadata };
        let mut response = Response::new(Bytes::new());
        if accepts(request.headers(), media_type) {
            *response.body_mut() = Bytes::from(document(is_keys).to_string());
        } else {
            *response.status_mut() = StatusCode::NOT_ACCEPTABLE;
        }
        Box::pin(ready(Ok(response)))
    }
}

fn document(is_keys: bool) -> Value {
    match is_keys {
        true => json!({ "keys": [{ "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }] }),
        false => json!({ "issuer": "https://as.example", "jwks_uri": "https://as.example/keys" }),
    }
}

/// As RFC 9110 §12.5.1 compares a media type with the ranges in `Accept`.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let ranges = headers[header::ACCEPT].to_str().unwrap();
    ranges.split(',').any(|range| {
        let range = range.split(';').next().unwrap().trim();
        range == media_type || range == "*/*"
    })
}

#[tokio::test]
async fn a_document_is_had_in_whatever_media_type_it_exists() {
    let rows = [
        ("application/json", "application/json"),
        ("application/json", "application/jwk-set+json"),
        ("application/oauth-authorization-server+json", "application/jwk-set+json"),
        ("text/plain", "application/octet-stream"),
    ];
    for (metadata, keys) in rows {
        let config = Config::new(RESOURCE, "https://as.example").unwrap();
        let client = OneMediaType { metadata, keys };
        let auth = McpAuth::builder(config).http_client(client).build().unwrap();
        assert_eq!(auth.ready().await, Ok(()), "{metadata} {keys}");
    }
}

#[tokio::test]
async fn keys_are_asked_for_as_a_key_set_first_and_metadata_as_json() {
    struct Recorder;
    impl HttpClient for Recorder {
        fn send(
            &self,
            request: Request<Bytes>,
        ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
            let is_keys = request.uri().path() == "/keys";
            let expected = match is_keys {
                true => "application/jwk-set+json, application/json;q=0.9, */*;q=0.1",
                false => "application/json, application/*+json;q=0.9, */*;q=0.1",
            };
            assert_eq!(request.headers()[header::ACCEPT], expected);
            Box::pin(ready(Ok(Response::new(Bytes::from(document(is_keys).to_string())))))
        }
    }
    let config = Config::new(RESOURCE, "https://as.example").unwrap();
    McpAuth::builder(config).http_client(Recorder).build().unwrap().ready().await.unwrap();
}

#[tokio::test]
async fn a_refused_request_is_told_from_a_wrong_document() {
    const PAGE: &str = "\u{feff} <!DOCTYPE html><title>Access denied</title>";
    // (status, body, kind, what is told)
    let rows = [
        ("406 Not Acceptable", "", FaultKind::RequestRefused, "in no media type"),
        ("415 Unsupported Media Type", "", FaultKind::RequestRefused, "status 415"),
        ("403 Forbidden", PAGE, FaultKind::RequestRefused, "HTML page"),
        ("403 Forbidden", "{}", FaultKind::RequestRefused, "refuses the request"),
        ("401 Unauthorized", "", FaultKind::RequestRefused, "sign in"),
        ("405 Method Not Allowed", "", FaultKind::RequestRefused, "refuses the request"),
        ("429 Too Many Requests", "", FaultKind::ServerTrouble, "too often"),
        ("404 Not Found", PAGE, FaultKind::NoDocument, "status 404"),
        ("500 Internal Server Error", "{}", FaultKind::ServerTrouble, "status 500"),
        ("503 Service Unavailable", PAGE, FaultKind::ServerTrouble, "HTML page"),
        ("304 Not Modified", "", FaultKind::Redirected, "status 304"),
        ("200 OK", PAGE, FaultKind::NotJson, "not JSON, but an HTML page"),
        ("200 OK", "{\"keys\": [", FaultKind::NotJson, "not JSON at byte 10"),
        ("200 OK", "{\"keys\": 1, \"keys\": 1}", FaultKind::NotJson, "duplicate member"),
        ("200 OK", "[]", FaultKind::Unusable, "is an array, an object is needed"),
    ];
    for (status, body, kind, part) in rows {
        let hostile = Hostile::start().await;
        hostile.reply("/jwks", Reply::new(status, &["content-type: text/plain"], body));
        let config = Config::new(RESOURCE, &hostile.origin).unwrap();
        let report = McpAuth::builder(config).inspect_issuers().await.unwrap().remove(0);
        assert_eq!(report.keys.fault_kind, Some(kind), "{status} {body}");
        let fault = report.keys.fault.unwrap();
        assert!(fault.contains(part), "{fault}");
        let server = hostile.harness(|config| config);
        let told = reason(server.call(&hostile.token(&server)).await);
        assert_eq!(told, format!("{}/jwks: {fault}", hostile.origin));
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn brotli(body: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut encoded, 4096, 3, 20);
    encoder.write_all(body).unwrap();
    drop(encoder);
    encoded
}

type Encode = fn(&[u8]) -> Vec<u8>;
const ENCODINGS: [(&str, Encode); 3] = [("gzip", gzip), ("deflate", deflate), ("br", brotli)];

fn encoded(name: &str, encode: Encode, body: &[u8]) -> Reply {
    Reply::new("200 OK", &[&format!("content-encoding: {name}")], encode(body))
}

#[tokio::test]
async fn encoded_metadata_and_keys_are_decoded() {
    for (name, encode) in ENCODINGS {
        let hostile = Hostile::start().await;
        let metadata =
            json!({ "issuer": hostile.origin, "jwks_uri": format!("{}/jwks", hostile.origin) });
        hostile.reply(METADATA, encoded(name, encode, metadata.to_string().as_bytes()));
        let keys = hostile.keys().await.to_string();
        hostile.reply("/jwks", encoded(name, encode, keys.as_bytes()));
        let server = hostile.harness(|config| config);
        assert_eq!(server.call(&hostile.token(&server)).await.code(), "ok", "{name}");
    }
}

#[tokio::test]
async fn what_grows_beyond_the_limit_when_it_is_decoded_is_given_up() {
    let large = vec![b' '; 64 * 1024 * 1024];
    for (name, encode) in ENCODINGS {
        let bomb = encode(&large);
        assert!(bomb.len() < 1024 * 1024, "{name}: {}", bomb.len());
        let hostile = Hostile::start().await;
        hostile.reply("/jwks", Reply::new("200 OK", &[&format!("content-encoding: {name}")], bomb));
        let server = hostile.harness(|config| config);
        let told = reason(server.call(&hostile.token(&server)).await);
        assert!(told.contains("larger than 1048576 bytes"), "{name}: {told}");
    }
}

#[tokio::test]
async fn an_encoding_that_cannot_be_read_is_named() {
    let rows = [
        ("zstd", b"(\xb5/\xfd".to_vec(), "`Content-Encoding` \"zstd\" was not decoded"),
        ("gzip", b"no gzip".to_vec(), ""),
        ("gzip", gzip(b"{\"keys\": []}")[..20].to_vec(), ""),
    ];
    for (name, body, part) in rows {
        let hostile = Hostile::start().await;
        let header = format!("content-encoding: {name}");
        hostile.reply("/jwks", Reply::new("200 OK", &[&header], body));
        let server = hostile.harness(|config| config);
        let told = reason(server.call(&hostile.token(&server)).await);
        assert!(told.contains("/jwks: ") && told.contains(part), "{name}: {told}");
    }
    // A label that means nothing does no harm.
    let hostile = Hostile::start().await;
    let keys = hostile.keys().await.to_string();
    hostile.reply("/jwks", Reply::new("200 OK", &["content-encoding: utf-8"], keys));
    let server = hostile.harness(|config| config);
    assert_eq!(server.call(&hostile.token(&server)).await.code(), "ok");
}

#[tokio::test]
async fn a_byte_order_mark_before_a_document_is_ignored() {
    let hostile = Hostile::start().await;
    let metadata =
        json!({ "issuer": hostile.origin, "jwks_uri": format!("{}/jwks", hostile.origin) });
    hostile.reply(METADATA, Reply::new("200 OK", &[], format!("\u{feff}{metadata}")));
    let keys = hostile.keys().await;
    hostile.reply("/jwks", Reply::new("200 OK", &[], format!("\u{feff}{keys}")));
    let server = hostile.harness(|config| config);
    let token = hostile.token(&server);
    assert_eq!(server.call(&token).await.code(), "ok");

    // In a token it is not, and two of them are one too many.
    hostile.reply("/jwks", Reply::new("200 OK", &[], format!("\u{feff}\u{feff}{keys}")));
    let fresh = hostile.harness(|config| config);
    assert!(reason(fresh.call(&token).await).contains("not JSON at byte 0"));
}

#[tokio::test]
async fn a_pause_that_is_asked_for_as_a_date_is_kept() {
    let rows = [
        ("retry-after: Sun, 06 Nov 1994 08:50:37 GMT", "60"),
        ("retry-after: Sunday, 06-Nov-94 08:51:37 GMT", "120"),
        ("retry-after: Sun Nov  6 23:49:37 1994", "300"),
        ("retry-after: Sun, 06 Nov 1994 08:49:00 GMT", "5"),
        ("retry-after: some day", "5"),
    ];
    for (header, expected) in rows {
        let hostile = Hostile::start().await;
        let headers = [header, "date: Sun, 06 Nov 1994 08:49:37 GMT"];
        hostile.reply_everywhere(Reply::new("503 Service Unavailable", &headers, ""));
        let server = hostile.harness(|config| config);
        let answer = server.call(&hostile.token(&server)).await;
        assert_eq!(answer.header("retry-after"), Some(expected), "{header}");
    }
}
