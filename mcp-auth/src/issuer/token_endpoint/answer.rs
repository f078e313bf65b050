//! What a token endpoint answered (RFC 6749 §5, RFC 8693 §2.2).

use http::StatusCode;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::issuer::refresh::RETRY_AFTER;
use crate::json::{JsonLimits, read_object_within};
use crate::scope::Scopes;
use crate::text::in_one_line;

/// How much an answer may hold.
const LIMITS: JsonLimits = JsonLimits { depth: 16, members: 256 };
/// Longer tokens are refused: they would not fit the header of a request.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// A token that was given.
pub(crate) struct TokenAnswer {
    pub(crate) access_token: Zeroizing<String>,
    pub(crate) token_type: String,
    pub(crate) issued_token_type: Option<String>,
    /// In seconds; `None`: the server does not say.
    pub(crate) expires_in: Option<u64>,
    /// `None`: what was asked for (RFC 6749 §5.1).
    pub(crate) scope: Option<Scopes>,
    pub(crate) refresh_token: Option<Zeroizing<String>>,
    /// Of a sign-in (OpenID Connect Core §3.1.3.3).
    pub(crate) id_token: Option<Zeroizing<String>>,
}

/// Why there is no token. The texts are for operators: a stranger wrote them, and they are inert and cut.
#[derive(Debug)]
pub(crate) enum EndpointFault {
    /// The server refuses.
    Refused(OAuthRefusal),
    /// Nobody can tell what the answer says.
    Unusable(String),
    /// There is none now.
    Unavailable { reason: String, retry_after: u64 },
}

/// An error as RFC 6749 §5.2 has it.
#[derive(Debug)]
pub(crate) struct OAuthRefusal {
    pub(crate) error: String,
    pub(crate) description: String,
    /// What the user has to do more, as Entra ID says it: a JSON text.
    pub(crate) claims: Option<String>,
    /// Its numbers for the same.
    pub(crate) codes: Vec<u64>,
}

impl EndpointFault {
    pub(super) fn unavailable(reason: String) -> Self {
        Self::Unavailable { reason, retry_after: RETRY_AFTER }
    }
}

/// The token in an answer.
pub(crate) fn read_token_answer(
    status: StatusCode,
    body: &[u8],
) -> Result<TokenAnswer, EndpointFault> {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(EndpointFault::unavailable(format!("status {}", status.as_u16())));
    }
    let is_answer = status == StatusCode::OK || status.is_client_error();
    if !is_answer {
        return Err(EndpointFault::Unusable(format!("status {}", status.as_u16())));
    }
    let answer = read_object_within(body, LIMITS).map_err(|error| {
        EndpointFault::Unusable(format!("status {}, and no JSON object: {error}", status.as_u16()))
    })?;
    // Some say it with 200.
    if status != StatusCode::OK || answer.contains_key("error") {
        return Err(refusal(status, &answer));
    }
    granted(&answer).map_err(EndpointFault::Unusable)
}

fn granted(answer: &Map<String, Value>) -> Result<TokenAnswer, String> {
    let access_token = text(answer, "access_token")?.ok_or("it has no `access_token`")?;
    if !is_bearer_token(access_token) {
        return Err("its `access_token` is none that RFC 6750 allows".to_owned());
    }
    Ok(TokenAnswer {
        access_token: Zeroizing::new(access_token.to_owned()),
        token_type: text(answer, "token_type")?.ok_or("it has no `token_type`")?.to_owned(),
        issued_token_type: text(answer, "issued_token_type")?.map(str::to_owned),
        expires_in: lifetime(answer)?,
        scope: text(answer, "scope")?.map(scopes_in).transpose()?,
        refresh_token: text(answer, "refresh_token")?.map(secret),
        id_token: text(answer, "id_token")?.map(secret),
    })
}

/// A member that is a text; one of another type is a fault, and `null` is none.
fn text<'a>(answer: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match answer.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("its `{name}` is no text")),
    }
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

/// `scope`: as RFC 6749 §3.3 writes it, and not too long.
fn scopes_in(text: &str) -> Result<Scopes, String> {
    let scopes = Scopes::parse(text).bounded().map_err(|_| "its `scope` is too long".to_owned())?;
    if scopes.malformed().next().is_some() {
        return Err("its `scope` has a character that RFC 6749 does not allow".to_owned());
    }
    Ok(scopes)
}

/// `expires_in`: a number, which some write as a text.
fn lifetime(answer: &Map<String, Value>) -> Result<Option<u64>, String> {
    let said = match answer.get("expires_in") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok()
        }
        Some(_) => None,
    };
    match said.filter(|seconds| *seconds > 0) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err("its `expires_in` is no number of seconds".to_owned()),
    }
}

/// `b64token` of RFC 6750 §2.1.
fn is_bearer_token(token: &str) -> bool {
    let without_padding = token.trim_end_matches('=');
    token.len() <= MAX_TOKEN_BYTES
        && !without_padding.is_empty()
        && without_padding
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// For a log: what could be a token that the server repeats is left out.
fn without_tokens(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_inclusive(|letter| !is_of_token(letter)) {
        let letters = word.trim_end_matches(|letter| !is_of_token(letter));
        match could_be_token(letters) {
            true => shown.push('…'),
            false => shown.push_str(letters),
        }
        shown.push_str(&word[letters.len()..]);
    }
    in_one_line(&shown)
}

fn is_of_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._~+/=".contains(letter)
}

/// Codes of errors are long too, and of small letters alone.
fn could_be_token(letters: &str) -> bool {
    const SHORTEST: usize = 20;
    letters.len() >= SHORTEST
        && !letters.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn refusal(status: StatusCode, answer: &Map<String, Value>) -> EndpointFault {
    let Some(Value::String(said)) = answer.get("error") else {
        return EndpointFault::Unusable(format!("status {} without `error`", status.as_u16()));
    };
    let error = without_tokens(said);
    if matches!(error.as_str(), "temporarily_unavailable" | "server_error" | "slow_down") {
        return EndpointFault::unavailable(error);
    }
    let description = answer.get("error_description").and_then(Value::as_str);
    let codes = answer.get("error_codes").and_then(Value::as_array);
    let numbers = codes.map(|list| list.iter().filter_map(Value::as_u64).collect());
    EndpointFault::Refused(OAuthRefusal {
        error,
        description: description.map(without_tokens).unwrap_or_default(),
        claims: answer.get("claims").and_then(Value::as_str).map(str::to_owned),
        codes: numbers.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(status: u16, body: &Value) -> Result<TokenAnswer, EndpointFault> {
        read_token_answer(StatusCode::from_u16(status).unwrap(), body.to_string().as_bytes())
    }

    #[test]
    fn a_token_is_read_with_all_that_is_said_of_it() {
        let answer = read(
            200,
            &json!({ "access_token": "a.b-c_d~e+f/g==", "token_type": "bearer", "expires_in": 60,
                "issued_token_type": "urn:x", "scope": "a b", "other": {} }),
        )
        .unwrap_or_else(|fault| panic!("{fault:?}"));
        assert_eq!(&**answer.access_token, "a.b-c_d~e+f/g==");
        assert_eq!((answer.expires_in, answer.scope), (Some(60), Some(Scopes::parse("a b"))));
        let as_text = json!({ "access_token": "a", "token_type": "Bearer", "expires_in": "3599" });
        assert_eq!(read(200, &as_text).ok().and_then(|answer| answer.expires_in), Some(3599));
    }

    #[test]
    fn what_cannot_be_read_is_no_token() {
        let good = json!({ "access_token": "a", "token_type": "Bearer" });
        let bad = [
            ("access_token", json!(null)),
            ("access_token", json!("")),
            ("access_token", json!("==")),
            ("access_token", json!("a b")),
            ("access_token", json!("a\r\nx: y")),
            ("access_token", json!("ä")),
            ("access_token", json!(7)),
            ("access_token", json!("a".repeat(MAX_TOKEN_BYTES + 1))),
            ("token_type", json!(null)),
            ("token_type", json!(["Bearer"])),
            ("expires_in", json!(0)),
            ("expires_in", json!(-1)),
            ("expires_in", json!(1.5)),
            ("expires_in", json!("")),
            ("expires_in", json!("soon")),
            ("expires_in", json!("99999999999999999999")),
            ("scope", json!(["a"])),
            ("scope", json!("a\nb")),
            ("scope", json!("a\"b")),
            ("scope", json!("a".repeat(5_000))),
            ("issued_token_type", json!({})),
        ];
        assert!(read(200, &good).is_ok());
        for (member, value) in bad {
            let mut answer = good.clone();
            answer[member] = value.clone();
            let fault = read(200, &answer).err();
            assert!(matches!(fault, Some(EndpointFault::Unusable(_))), "{member}: {value}");
        }
        for body in ["", "<html>", "[]", "null", r#"{"access_token":"a","access_token":"b"}"#] {
            let fault = read_token_answer(StatusCode::OK, body.as_bytes()).err();
            assert!(matches!(fault, Some(EndpointFault::Unusable(_))), "{body}");
        }
        let fault = read(302, &good).err();
        assert!(matches!(fault, Some(EndpointFault::Unusable(_))));
        assert!(matches!(read(201, &good).err(), Some(EndpointFault::Unusable(_))));
    }

    #[test]
    fn a_token_that_a_server_repeats_is_in_no_log() {
        let said = "Token eyJhbGciOiJSUzI1NiJ9.e30.c2ln is not active, abcdefgh12345678IJKL=: insufficient_user_authentication";
        let expected = "Token … is not active, …: insufficient_user_authentication";
        assert_eq!(without_tokens(said), expected);
    }

    #[test]
    fn a_refusal_is_told_apart_from_an_outage() {
        let refused = json!({ "error": "invalid_grant", "error_description": "no\nmore",
            "claims": "{}", "error_codes": [65001, "x"] });
        for status in [200, 400, 401, 403] {
            let Some(EndpointFault::Refused(refusal)) = read(status, &refused).err() else {
                panic!("{status}")
            };
            assert_eq!((&*refusal.error, &*refusal.codes), ("invalid_grant", &[65001][..]));
            assert!(!refusal.description.contains('\n'), "{}", refusal.description);
            assert_eq!(refusal.claims.as_deref(), Some("{}"));
        }
        for (status, body) in [
            (500, refused.clone()),
            (503, json!({})),
            (429, refused),
            (400, json!({ "error": "temporarily_unavailable" })),
            (400, json!({ "error": "slow_down" })),
        ] {
            let fault = read(status, &body).err();
            assert!(matches!(fault, Some(EndpointFault::Unavailable { .. })), "{status} {body}");
        }
        assert!(matches!(
            read(400, &json!({ "error": 7 })).err(),
            Some(EndpointFault::Unusable(_))
        ));
    }
}
