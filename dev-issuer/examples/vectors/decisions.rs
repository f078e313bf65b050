//! `decisions.json`: requests with tokens.

use dev_issuer::{Algorithm, Broken, DevIssuer, Mint};
use serde_json::{Value, json};

use crate::{ISSUER, NOW, RESOURCE, good};

pub(crate) fn config() -> Value {
    json!({ "resources": [{
        "resource": RESOURCE,
        "authorization_servers": [ISSUER],
        "required_scopes": ["mcp"],
        "audiences": ["api://notes"],
    }] })
}

pub(crate) fn cases(issuer: &DevIssuer) -> Vec<Value> {
    let mut cases = vec![
        token("valid", 200, "ok", good(issuer)),
        token(
            "aud is a list",
            200,
            "ok",
            good(issuer).audiences(["https://other.example", RESOURCE]),
        ),
        token("a listed audience", 200, "ok", good(issuer).audience("api://notes")),
        token(
            "upper-case host in aud",
            200,
            "ok",
            good(issuer).audience("https://MCP.example.com/mcp"),
        ),
        token("typ JWT", 200, "ok", good(issuer).header("typ", "JWT")),
        token("no typ", 200, "ok", good(issuer).without_header("typ")),
        token("typ is null", 200, "ok", good(issuer).header("typ", Value::Null)),
        token("typ application/jwt", 200, "ok", good(issuer).header("typ", "application/jwt")),
        token("typ Application/JWT", 200, "ok", good(issuer).header("typ", "Application/JWT")),
        token("no kid", 200, "ok", good(issuer).without_header("kid")),
        token(
            "scp as a list",
            200,
            "ok",
            good(issuer).without("scope").claim("scp", json!(["mcp"])),
        ),
        token(
            "scp beside an empty scope",
            200,
            "ok",
            good(issuer).scope("").claim("scp", json!(["mcp"])),
        ),
        token(
            "scp beside an empty list of scopes",
            200,
            "ok",
            good(issuer).claim("scope", json!([])).claim("scp", json!(["mcp"])),
        ),
        token(
            "scopes beside a blank scope and scp null",
            200,
            "ok",
            good(issuer).claim("scope", "  ").claim("scp", Value::Null).claim("scopes", "mcp"),
        ),
        token(
            "scp beside another scope",
            403,
            "insufficient_scope",
            good(issuer).scope("other").claim("scp", json!(["mcp"])),
        ),
        token(
            "optional claims are null",
            200,
            "ok",
            ["sub", "nbf", "iat", "cnf", "events", "nonce", "azp", "token_use"]
                .into_iter()
                .fold(good(issuer), |mint, name| mint.claim(name, Value::Null)),
        ),
        token("expired within tolerance", 200, "ok", good(issuer).expires_in(-59)),
        token("no sub", 200, "ok", good(issuer).without("sub")),
        token(
            "a sub that looks like a client",
            200,
            "ok",
            good(issuer).subject("urn:mcp-auth:client:client"),
        ),
        token("no sub and no client", 200, "ok", good(issuer).without("sub").without("client_id")),
        token(
            "a person without sub",
            200,
            "ok",
            good(issuer).without("sub").claim("idtyp", "user"),
        ),
        token("expired", 401, "expired", good(issuer).expires_in(-60)),
        token("nbf in the future", 401, "not_yet_valid", good(issuer).not_before_in(61)),
        token("iat in the future", 401, "not_yet_valid", good(issuer).claim("iat", NOW + 61)),
        token("no exp", 401, "missing_claim", good(issuer).without("exp")),
        token(
            "exp is a string",
            401,
            "malformed",
            good(issuer).claim("exp", (NOW + 60).to_string()),
        ),
        token("exp is null", 401, "missing_claim", good(issuer).claim("exp", Value::Null)),
        token("aud is null", 401, "missing_claim", good(issuer).claim("aud", Value::Null)),
        token("iss is null", 401, "missing_claim", good(issuer).claim("iss", Value::Null)),
        token("sub is a number", 401, "malformed", good(issuer).claim("sub", 7)),
        token(
            "an audience is a number",
            401,
            "malformed",
            good(issuer).claim("aud", json!([RESOURCE, 7])),
        ),
        token("kid is a number", 401, "malformed", good(issuer).header("kid", 7)),
        token("exp is 1e300", 401, "malformed", good(issuer).claim("exp", 1e300)),
        token("no aud", 401, "missing_claim", good(issuer).without("aud")),
        token("aud is empty", 401, "wrong_audience", good(issuer).claim("aud", json!([]))),
        token(
            "aud of another resource",
            401,
            "wrong_audience",
            good(issuer).audience("https://other.example/mcp"),
        ),
        token(
            "aud with a slash",
            401,
            "wrong_audience",
            good(issuer).audience(format!("{RESOURCE}/")),
        ),
        token("aud is a number", 401, "malformed", good(issuer).claim("aud", 7)),
        token("no iss", 401, "missing_claim", good(issuer).without("iss")),
        token("another iss", 401, "unknown_issuer", good(issuer).issuer("https://other.example")),
        token("iss with a slash", 401, "unknown_issuer", good(issuer).issuer(format!("{ISSUER}/"))),
        token("iss is a list", 401, "malformed", good(issuer).claim("iss", json!([ISSUER]))),
        token("typ logout+jwt", 401, "wrong_type", good(issuer).header("typ", "logout+jwt")),
        token(
            "typ application/logout+jwt",
            401,
            "wrong_type",
            good(issuer).header("typ", "application/logout+jwt"),
        ),
        token("claim typ is ID", 401, "wrong_type", good(issuer).claim("typ", "ID")),
        token("token_use is id", 401, "wrong_type", good(issuer).claim("token_use", "id")),
        token("events", 401, "wrong_type", good(issuer).claim("events", json!({}))),
        token("without the scope", 403, "insufficient_scope", good(issuer).scope("notes:read")),
        token("without any scope", 403, "insufficient_scope", good(issuer).without("scope")),
        request("no token", 401, "missing_token", "/mcp", &[]),
        request("another scheme", 401, "missing_token", "/mcp", &["Basic YTpi"]),
        request("not a JWT", 401, "malformed", "/mcp", &["Bearer opaque"]),
        request("no token after Bearer", 401, "missing_token", "/mcp", &["Bearer"]),
        request("spaces after Bearer", 401, "missing_token", "/mcp", &["bearer   "]),
        request("an empty header", 401, "missing_token", "/mcp", &[""]),
        request("a tab after Bearer", 400, "invalid_request", "/mcp", &["Bearer\ta.b.c"]),
        request("a tab after a space", 400, "invalid_request", "/mcp", &["Bearer \ta.b.c"]),
        request("two headers", 400, "invalid_request", "/mcp", &["Bearer a", "Bearer a"]),
        request("token in the query", 400, "invalid_request", "/mcp?access_token=a", &[]),
    ];
    let foreign = json!({ "origin": "https://evil.example" });
    for suffix in ["", "/", "/mcp", "/mcp/"] {
        let target = format!("/.well-known/oauth-protected-resource{suffix}");
        cases.push(with_headers("GET", 200, "ok", &target, &foreign));
        cases.push(with_headers("OPTIONS", 204, "ok", &target, &foreign));
    }
    for method in ["GET", "POST", "OPTIONS"] {
        cases.push(with_headers(method, 403, "origin_not_allowed", "/mcp", &foreign));
    }
    cases.extend(Algorithm::ALL.iter().map(|algorithm| {
        token(&format!("signed with {algorithm}"), 200, "ok", good(issuer).algorithm(*algorithm))
    }));
    cases.extend(Broken::ALL.iter().map(|broken| {
        token(
            &format!("broken: {}", broken.as_str()),
            401,
            code_of(*broken),
            good(issuer).broken(*broken),
        )
    }));
    cases
}

fn code_of(broken: Broken) -> &'static str {
    match broken {
        Broken::AlgorithmNone | Broken::HmacWithPublicKey => "algorithm_not_allowed",
        Broken::Signature | Broken::Payload | Broken::ForeignKey | Broken::EmbeddedKey => {
            "bad_signature"
        }
        Broken::UnknownKeyId => "unknown_key",
        Broken::IdToken => "wrong_type",
        Broken::SenderConstrained => "sender_constrained",
        _ => "malformed",
    }
}

fn token(name: &str, status: u16, code: &str, mint: Mint) -> Value {
    request(name, status, code, "/mcp", &[&format!("Bearer {}", mint.sign())])
}

fn request(name: &str, status: u16, code: &str, target: &str, authorization: &[&str]) -> Value {
    json!({
        "name": name,
        "request": { "method": "POST", "target": target, "authorization": authorization },
        "expect": { "status": status, "code": code },
    })
}

/// A request without a token.
fn with_headers(method: &str, status: u16, code: &str, target: &str, headers: &Value) -> Value {
    json!({
        "name": format!("{method} {target} of another origin"),
        "request": { "method": method, "target": target, "authorization": [], "headers": headers },
        "expect": { "status": status, "code": code },
    })
}
