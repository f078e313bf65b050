//! `introspection.json`: what an authorization server answers about an opaque token.
//!
//! Each answer is that of a server of its own, whose tokens begin in a way of their own.

use serde_json::{Map, Value, json};

use crate::{NOW, RESOURCE};

/// Servers whose keys cannot be had: there are none, none that can be used, or no document.
const WITHOUT_KEYS: [&str; 3] = ["empty", "symmetric", "missing"];

/// An answer, and what must be decided about a token that gets it.
struct Row {
    name: String,
    answer: Value,
    status: u16,
    code: &'static str,
}

fn row(name: &str, answer: Value, status: u16, code: &'static str) -> Row {
    Row { name: name.to_owned(), answer, status, code }
}

pub(crate) fn config() -> Value {
    let with_endpoint = (0..rows().len()).map(|index| {
        let introspection = json!({
            "client_id": "us", "client_secret": "secret",
            "endpoint": endpoint(index), "token_prefixes": [prefix(index)],
        });
        json!({ "issuer": issuer(index), "introspection": introspection })
    });
    // Their metadata names the endpoint.
    let without_keys = WITHOUT_KEYS.iter().map(|name| {
        let introspection = json!({
            "client_id": "us", "client_secret": "secret", "token_prefixes": [format!("{name}-")],
        });
        json!({ "issuer": format!("https://{name}.example.com"), "introspection": introspection })
    });
    json!({ "resources": [{
        "resource": RESOURCE,
        "authorization_servers": with_endpoint.chain(without_keys).collect::<Vec<_>>(),
        "required_scopes": ["mcp"],
    }] })
}

/// URL → answer; and the documents of the servers without keys.
pub(crate) fn documents() -> Map<String, Value> {
    let rows = rows().into_iter().enumerate();
    let mut documents: Map<_, _> = rows.map(|(index, row)| (endpoint(index), row.answer)).collect();
    for name in WITHOUT_KEYS {
        let issuer = format!("https://{name}.example.com");
        let (keys, endpoint) = (format!("{issuer}/jwks"), format!("{issuer}/introspect"));
        let metadata =
            json!({ "issuer": issuer, "jwks_uri": keys, "introspection_endpoint": endpoint });
        documents.insert(format!("{issuer}/.well-known/oauth-authorization-server"), metadata);
        documents.insert(endpoint, with("active", json!(true)));
        let answer = match name {
            "empty" => json!({ "keys": [] }),
            "symmetric" => json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }),
            // It is a 404.
            _ => continue,
        };
        documents.insert(keys, answer);
    }
    documents
}

pub(crate) fn cases() -> Vec<Value> {
    let asked = rows().into_iter().enumerate().map(|(index, row)| {
        case(&row.name, &format!("{}token", prefix(index)), row.status, row.code)
    });
    let not_asked = [
        // {"alg":"RS256"} after white space, {"iss":"https://elsewhere.example"}, and a signature.
        case("a JWT after a space", &jwt("IHsiYWxnIjoiUlMyNTYifQ"), 401, "unknown_issuer"),
        case("a JWT after a line", &jwt("DQp7ImFsZyI6IlJTMjU2In0"), 401, "unknown_issuer"),
        case("a JWT after a tab", &jwt("CSB7ImFsZyI6IlJTMjU2In0"), 401, "unknown_issuer"),
        case("no server's beginning", "nobodys-token", 401, "malformed"),
    ];
    let without_keys = WITHOUT_KEYS
        .map(|name| case(&format!("keys: {name}"), &format!("{name}-token"), 200, "ok"));
    asked.chain(not_asked).chain(without_keys).collect()
}

fn jwt(header: &str) -> String {
    format!("{header}.eyJpc3MiOiJodHRwczovL2Vsc2V3aGVyZS5leGFtcGxlIn0.AAAA")
}

fn case(name: &str, token: &str, status: u16, code: &str) -> Value {
    json!({
        "name": format!("introspection: {name}"),
        "request": {
            "method": "POST", "target": "/mcp", "authorization": [format!("Bearer {token}")],
        },
        "expect": { "status": status, "code": code },
    })
}

fn issuer(index: usize) -> String {
    format!("https://as-{index}.example.com")
}

fn endpoint(index: usize) -> String {
    format!("{}/introspect", issuer(index))
}

fn prefix(index: usize) -> String {
    format!("as-{index}-")
}

/// A good answer with this member changed.
fn with(name: &str, value: Value) -> Value {
    let mut answer = json!({
        "active": true, "aud": RESOURCE, "client_id": "client", "scope": "mcp", "sub": "alice",
    });
    answer[name] = value;
    answer
}

fn token_type_urn(kind: &str) -> Value {
    json!(format!("urn:ietf:params:oauth:token-type:{kind}"))
}

fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("active", with("active", json!(true)), 200, "ok"),
        row("not active", json!({ "active": false }), 401, "inactive"),
        row("active is a text", with("active", json!("true")), 503, "unavailable"),
        row("active is null", with("active", json!(null)), 503, "unavailable"),
        row("another resource", with("aud", json!("https://o.example")), 401, "wrong_audience"),
        row("aud is null", with("aud", json!(null)), 401, "missing_claim"),
        row("another issuer", with("iss", json!("https://o.example")), 401, "unknown_issuer"),
        row("another scope", with("scope", json!("other")), 403, "insufficient_scope"),
        row("it expired", with("exp", json!(NOW - 60)), 401, "expired"),
        row("not valid yet", with("nbf", json!(NOW + 61)), 401, "not_yet_valid"),
        row("bound to a key", with("cnf", json!({ "jkt": "x" })), 401, "sender_constrained"),
        row("a list", json!([{ "active": true }]), 503, "unavailable"),
    ];
    // What is null is not there.
    for name in ["exp", "iat", "nbf", "cnf", "iss", "jti", "token_type", "nonce", "events"] {
        rows.push(row(&format!("{name} is null"), with(name, json!(null)), 200, "ok"));
    }
    // What is there and cannot be read says nothing about the token.
    rows.extend([
        row("exp is a text", with("exp", json!("1800000060")), 503, "unavailable"),
        row("exp is a list", with("exp", json!([NOW + 60])), 503, "unavailable"),
        row("exp is below zero", with("exp", json!(-1)), 503, "unavailable"),
        row("iat is a text", with("iat", json!("1")), 503, "unavailable"),
        row("nbf is true", with("nbf", json!(true)), 503, "unavailable"),
        row("scope is a number", with("scope", json!(5)), 503, "unavailable"),
        row("scope holds a number", with("scope", json!(["mcp", 5])), 503, "unavailable"),
        row("aud is a number", with("aud", json!(5)), 503, "unavailable"),
        row("iss is a number", with("iss", json!(5)), 503, "unavailable"),
        row("sub is a number", with("sub", json!(5)), 503, "unavailable"),
        row("client_id is a list", with("client_id", json!(["c"])), 503, "unavailable"),
        row("token_type is a list", with("token_type", json!(["Bearer"])), 503, "unavailable"),
    ]);
    let types = [
        ("Bearer", json!("Bearer"), "ok"),
        ("bearer with spaces", json!(" BEARER "), "ok"),
        ("access_token", json!("access_token"), "ok"),
        ("the URN of an access token", token_type_urn("access_token"), "ok"),
        ("the URN of a refresh token", token_type_urn("refresh_token"), "wrong_type"),
        ("the URN of an ID token", token_type_urn("id_token"), "wrong_type"),
        ("the URN of any JWT", token_type_urn("jwt"), "wrong_type"),
        ("refresh_token", json!("refresh_token"), "wrong_type"),
        ("unknown", json!("something"), "wrong_type"),
        ("DPoP", json!("DPoP"), "sender_constrained"),
        ("DPoP with a space", json!("DPoP "), "sender_constrained"),
    ];
    for (kind, token_type, code) in types {
        let status = if code == "ok" { 200 } else { 401 };
        let name = format!("token_type: {kind}");
        rows.push(row(&name, with("token_type", token_type), status, code));
    }
    rows.extend([
        row("sub is null", with("sub", json!(null)), 200, "ok"),
        row("client_id is null", with("client_id", json!(null)), 200, "ok"),
        row("scope is null", with("scope", json!(null)), 403, "insufficient_scope"),
    ]);
    rows
}
