//! An identity assertion on its way from one authorization server to another (ID-JAG, Identity Assertion Authorization
//! Grant): whether it is the one that was asked for.
//!
//! Its signature is for the server that receives it. It came from the token endpoint of its issuer itself.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::json::{JsonLimits, read_object_within};

/// How much an assertion may hold.
const LIMITS: JsonLimits = JsonLimits { depth: 16, members: 256 };
const MEDIA_TYPE: &str = "oauth-id-jag+jwt";

/// What an assertion must say.
pub(crate) struct ExpectedAssertion<'a> {
    /// The authorization server that made it; `None`: its identifier is not known.
    pub(crate) issuer: Option<&'a str>,
    /// The authorization server that it is for.
    pub(crate) audience: &'a str,
    /// Us, as the server that it is for knows us.
    pub(crate) client_id: &'a str,
    /// The API that it is about; none: any.
    pub(crate) resources: &'a [String],
    /// In seconds since 1970.
    pub(crate) now: u64,
}

/// Whether the assertion is for the server, the client and the API that it was asked for.
///
/// # Errors
/// What is wrong with it, for operators.
pub(crate) fn check_assertion(
    assertion: &str,
    expected: &ExpectedAssertion<'_>,
) -> Result<(), String> {
    let mut parts = assertion.split('.');
    let (Some(header), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("the assertion is no JWT".to_owned());
    };
    let header = object_in(header)?;
    let media_type = text(&header, "typ").unwrap_or_default().to_ascii_lowercase();
    if media_type.strip_prefix("application/").unwrap_or(&media_type) != MEDIA_TYPE {
        return Err(format!("the `typ` of the assertion is not {MEDIA_TYPE}"));
    }
    let claims = object_in(payload)?;
    if expected.issuer.is_some_and(|issuer| text(&claims, "iss") != Some(issuer)) {
        return Err("the assertion is of another issuer".to_owned());
    }
    if texts(&claims, "aud") != [expected.audience] {
        return Err("the assertion is for another authorization server (`aud`)".to_owned());
    }
    if text(&claims, "client_id") != Some(expected.client_id) {
        return Err("the assertion is for another client (`client_id`)".to_owned());
    }
    let resources = texts(&claims, "resource");
    let is_wider = resources.iter().any(|one| !expected.resources.iter().any(|own| own == one));
    if !expected.resources.is_empty() && (resources.is_empty() || is_wider) {
        return Err("the assertion is about another API (`resource`)".to_owned());
    }
    if text(&claims, "sub").is_none_or(str::is_empty) {
        return Err("the assertion names nobody (`sub`)".to_owned());
    }
    match claims.get("exp").and_then(Value::as_f64) {
        Some(ends) if ends > expected.now as f64 => Ok(()),
        _ => Err("the assertion has expired, or does not say when".to_owned()),
    }
}

/// The second part of what looks like a signed JWT.
pub(super) fn payload_of_jwt(token: &str) -> Option<&str> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(payload)
}

/// The object in a part of a JWT.
pub(super) fn object_in(part: &str) -> Result<Map<String, Value>, String> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(part);
    let bytes = bytes.map_err(|_| "the assertion is no base64url".to_owned())?;
    read_object_within(bytes, LIMITS).map_err(|error| format!("the assertion: {error}"))
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}

/// The texts of a claim that is one, or a list of them; none of any other.
fn texts<'c>(claims: &'c Map<String, Value>, name: &str) -> Vec<&'c str> {
    match claims.get(name) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwt(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode_to_string(value.to_string());
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    #[test]
    fn an_assertion_is_sent_on_only_to_whom_and_for_what_it_was_asked() {
        let resources = ["https://api.example".to_owned()];
        let expected = ExpectedAssertion {
            issuer: Some("https://sso.example"),
            audience: "https://as.example",
            client_id: "mcp",
            resources: &resources,
            now: 100,
        };
        let header = json!({ "typ": "oauth-id-jag+jwt", "alg": "RS256" });
        let good = json!({ "iss": "https://sso.example", "aud": "https://as.example", "sub": "a",
            "client_id": "mcp", "resource": "https://api.example", "exp": 101 });
        assert_eq!(check_assertion(&jwt(&header, &good), &expected), Ok(()));
        for (name, value) in [
            ("iss", json!("https://evil.example")),
            ("aud", json!("https://evil.example")),
            ("aud", json!(["https://as.example", "https://evil.example"])),
            ("aud", json!({ "x": "https://as.example" })),
            ("sub", json!("")),
            ("client_id", json!("other")),
            ("client_id", json!(null)),
            ("resource", json!("https://other.example")),
            ("resource", json!(["https://api.example", "https://other.example"])),
            ("resource", json!(null)),
            ("exp", json!(100)),
            ("exp", json!("200")),
            ("exp", json!(null)),
        ] {
            let mut claims = good.clone();
            claims[name] = value.clone();
            assert!(check_assertion(&jwt(&header, &claims), &expected).is_err(), "{name} {value}");
        }
        for typ in [json!("at+jwt"), json!("JWT"), json!(null)] {
            let other = json!({ "typ": typ, "alg": "RS256" });
            assert!(check_assertion(&jwt(&other, &good), &expected).is_err(), "{typ}");
        }
        for garbage in ["", ".", "a.b", "a.b.c.d", "e30.e30.", "\u{e9}.e30.x"] {
            assert!(check_assertion(garbage, &expected).is_err(), "{garbage}");
        }
    }
}
