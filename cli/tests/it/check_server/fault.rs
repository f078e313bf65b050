//! A fault as data: what is done to requests before a correct server sees them, and to its answers.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One file of `vectors/broken-servers/`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(rename = "breaks")]
    _breaks: String,
    #[serde(rename = "about")]
    _about: String,
    pub(crate) rules: Vec<Value>,
    /// Finding → verdict; everything else passes.
    pub(crate) expect: BTreeMap<String, String>,
}

impl Fault {
    pub(crate) fn none() -> Self {
        Self::of(Vec::new())
    }

    /// A server that differs by these rules.
    pub(crate) fn of(rules: Vec<Value>) -> Self {
        let (_breaks, _about) = (String::new(), String::new());
        Self { _breaks, _about, rules, expect: BTreeMap::new() }
    }

    /// The rules, with the names of this server in place of `{resource}`, `{origin}` and `{issuer}`.
    pub(crate) fn rules(&self, names: &[(&str, &str)]) -> Vec<Rule> {
        let mut text = Value::Array(self.rules.clone()).to_string();
        for (name, value) in names {
            text = text.replace(name, value);
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }
}

/// When something is done, and what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(default)]
    pub(crate) when: When,
    pub(crate) request: Option<RequestChange>,
    pub(crate) answer: Option<ResponseChange>,
    pub(crate) response: Option<ResponseChange>,
}

/// All that is there must be so.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct When {
    method: Option<String>,
    path: Option<Vec<String>>,
    query: Option<String>,
    /// Each header has this text in one of its values.
    headers: BTreeMap<String, String>,
    /// A header that is not there.
    lacks: Option<String>,
    /// The body has this text.
    body: Option<String>,
    token: Option<Vec<Token>>,
    /// The token of the request before.
    token_before: Option<Token>,
    /// Claims of the token, not verified.
    claims: Map<String, Value>,
    /// The status of the answer.
    status: Option<u16>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Token {
    None,
    Good,
    Weak,
    Foreign,
    Expired,
    Other,
}

/// What the server makes of a request before it checks the token.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RequestChange {
    /// Go on as if the good token were there.
    pub(crate) authorize: bool,
    /// Take the token from where it does not belong.
    pub(crate) token_from: Option<Elsewhere>,
    /// Look at one of several Authorization headers only.
    pub(crate) only_first_authorization: bool,
    pub(crate) remove_headers: Vec<String>,
    pub(crate) set_headers: BTreeMap<String, String>,
    pub(crate) path: Option<String>,
    pub(crate) body: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Elsewhere {
    Query,
    Form,
}

/// What becomes of the answer; for `answer`, all of it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ResponseChange {
    status: Option<u16>,
    remove_headers: Vec<String>,
    set_headers: BTreeMap<String, String>,
    /// Header → text → what to put in its place.
    replace_in_headers: BTreeMap<String, BTreeMap<String, String>>,
    /// Members to set in the JSON of the body; null removes one.
    merge: Map<String, Value>,
    body: Option<Value>,
    /// Repeat the Authorization header in the body.
    echo_token: bool,
    /// Replace the server's own name by the value of this header of the request.
    reflect: Option<String>,
}

/// A request, as conditions see it.
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a str,
    pub(crate) token: Token,
    pub(crate) token_before: Token,
    pub(crate) claims: &'a Value,
}

impl When {
    /// Whether the request is meant, whatever its answer.
    pub(crate) fn matches(&self, seen: &Seen<'_>) -> bool {
        let has = |(name, text): (&String, &String)| {
            let mut values = seen.headers.get_all(name.as_str()).iter();
            values.any(|value| value.to_str().unwrap_or_default().contains(text.as_str()))
        };
        self.method.as_deref().is_none_or(|method| method == seen.method)
            && self.path.as_ref().is_none_or(|paths| paths.iter().any(|path| path == seen.path))
            && self.query.as_deref().is_none_or(|name| seen.query.starts_with(&format!("{name}=")))
            && self.headers.iter().all(has)
            && self.lacks.as_ref().is_none_or(|name| !seen.headers.contains_key(name.as_str()))
            && self.body.as_deref().is_none_or(|text| seen.body.contains(text))
            && self.token.as_ref().is_none_or(|kinds| kinds.contains(&seen.token))
            && self.token_before.is_none_or(|kind| kind == seen.token_before)
            && self.claims.iter().all(|(name, value)| seen.claims[name] == *value)
    }

    pub(crate) fn matches_status(&self, status: StatusCode) -> bool {
        self.status.is_none_or(|wanted| wanted == status.as_u16())
    }
}

/// An answer that can be changed.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl ResponseChange {
    /// `request`: headers of the request as it came; `authority`: the server's own name.
    pub(crate) fn apply(&self, answer: &mut Answer, request: &HeaderMap, authority: &str) {
        if let Some(status) = self.status {
            answer.status = StatusCode::from_u16(status).unwrap();
        }
        for name in &self.remove_headers {
            answer.headers.remove(name.as_str());
        }
        for (name, value) in &self.set_headers {
            set(&mut answer.headers, name, value);
        }
        for (name, replacements) in &self.replace_in_headers {
            for (from, to) in replacements {
                replace_in(&mut answer.headers, name, from, to);
            }
        }
        if !self.merge.is_empty() {
            answer.body = merged(&answer.body, &self.merge);
        }
        if let Some(body) = &self.body {
            answer.body = Bytes::from(body.as_str().map_or(body.to_string(), str::to_owned));
        }
        let text = |name: &str| request.get(name).and_then(|value| value.to_str().ok());
        if let (true, Some(credentials)) = (self.echo_token, text("authorization")) {
            answer.body = Bytes::from(format!("cannot use {credentials}"));
        }
        if let Some(name) = self.reflect.as_deref().and_then(text) {
            for header in ["www-authenticate", "location"] {
                replace_in(&mut answer.headers, header, authority, name);
            }
            let body = String::from_utf8_lossy(&answer.body).replace(authority, name);
            answer.body = Bytes::from(body);
        }
        answer.headers.remove("content-length");
    }
}

pub(crate) fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let name: HeaderName = name.parse().unwrap();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
}

fn replace_in(headers: &mut HeaderMap, name: &str, from: &str, to: &str) {
    if let Some(value) = headers.get_mut(name) {
        let text = value.to_str().unwrap().replace(from, to);
        *value = HeaderValue::from_str(&text).unwrap();
    }
}

/// JSON, or the JSON in the only event of a stream, with other members; a preflight has none.
fn merged(body: &[u8], members: &Map<String, Value>) -> Bytes {
    if body.is_empty() {
        return Bytes::new();
    }
    let text = String::from_utf8_lossy(body);
    let (start, end) = (text.find('{').unwrap(), text.rfind('}').unwrap() + 1);
    let mut json: Value = serde_json::from_str(&text[start..end]).unwrap();
    merge(&mut json, members);
    Bytes::from(format!("{}{json}{}", &text[..start], &text[end..]))
}

fn merge(json: &mut Value, members: &Map<String, Value>) {
    for (name, value) in members {
        match value {
            Value::Null => {
                json.as_object_mut().unwrap().remove(name);
            }
            Value::Object(inner) => merge(&mut json[name], inner),
            _ => json[name] = value.clone(),
        }
    }
}
