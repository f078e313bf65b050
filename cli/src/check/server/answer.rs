//! Answers of the server, cut to a length that is judged, and without the tokens that were sent.

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::challenge::Challenge;
use crate::network_fault::NetworkFault;
use crate::output::{Inert, quoted};
use crate::secrets::{self, Secret};

/// Bytes of a body that are read.
const LONGEST_BODY: usize = 1024 * 1024;

/// An answer, or why there was none.
#[derive(Default)]
pub(super) struct Answer {
    status: Option<StatusCode>,
    headers: HeaderMap,
    body: String,
    failure: Option<NetworkFault>,
}

impl Answer {
    /// The head and as much of the body as is needed. A GET may open a stream that never ends.
    pub(super) async fn read(mut response: Response, is_get: bool) -> Self {
        let status = Some(response.status());
        let headers = response.headers().clone();
        let kind =
            headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_stream = kind.starts_with("text/event-stream");
        let mut bytes = Vec::new();
        while !(is_stream && is_get) && bytes.len() < LONGEST_BODY {
            let Ok(Some(chunk)) = response.chunk().await else { break };
            bytes.extend_from_slice(&chunk);
            if is_stream && first_message(&String::from_utf8_lossy(&bytes)).is_some() {
                break;
            }
        }
        bytes.truncate(LONGEST_BODY);
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Self { status, headers, body, failure: None }
    }

    /// 0 when there was none.
    pub(super) fn status(&self) -> u16 {
        self.status.map_or(0, |status| status.as_u16())
    }

    pub(super) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    /// Why there was no answer.
    pub(super) fn failure(&self) -> Option<&NetworkFault> {
        self.failure.as_ref()
    }

    /// Whether it says nothing about the request: there is none, or the server is in trouble or asked too often.
    pub(super) fn tells_nothing(&self) -> bool {
        self.failure.is_some() || matches!(self.status(), 429 | 502..=504)
    }

    /// Whether its body is an HTML page, by what it is: the label is often another.
    pub(super) fn is_page(&self) -> bool {
        let start: String = self.body.trim_start().chars().take(14).collect();
        let lower = start.to_ascii_lowercase();
        lower.starts_with("<!doctype html") || lower.starts_with("<html")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn body(&self) -> &str {
        &self.body
    }

    /// Where a redirect leads.
    pub(super) fn location(&self) -> Option<&str> {
        let is_redirect = self.status.is_some_and(|status| status.is_redirection());
        if is_redirect { self.header("location") } else { None }
    }

    /// The body as JSON, or the first message of an event stream.
    pub(super) fn json(&self) -> Option<Value> {
        let is_stream =
            self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if is_stream { first_message(&self.body) } else { serde_json::from_str(&self.body).ok() }
    }

    /// Its Bearer challenge.
    pub(super) fn challenge(&self) -> Result<Challenge, String> {
        let values: Vec<_> = self.headers.get_all("www-authenticate").iter().collect();
        if values.is_empty() {
            return Err("no WWW-Authenticate header".to_owned());
        }
        let texts = values.iter().filter_map(|value| value.to_str().ok());
        let challenges = Challenge::parse_all(texts)
            .map_err(|fault| format!("WWW-Authenticate cannot be read: {fault}"))?;
        let bearer = challenges.into_iter().find(Challenge::is_bearer);
        bearer.ok_or_else(|| "WWW-Authenticate has no Bearer challenge".to_owned())
    }

    /// The answer in a few words: its status, and what explains it.
    pub(super) fn words(&self) -> String {
        if let Some(failure) = self.failure() {
            return format!("no answer: {}", Inert::of(&failure.words).whole_line());
        }
        let status = self.status();
        if let Some(location) = self.location() {
            return format!("{status}, a redirect to {}", quoted(location));
        }
        let json = self.json().unwrap_or_default();
        match json["error"]["code"].as_i64() {
            Some(code) => format!("{status} with JSON-RPC error {code}"),
            None if json.get("result").is_some() => format!("{status} with a JSON-RPC result"),
            None => status.to_string(),
        }
    }

    /// Whether it holds the secret, however it is written there.
    pub(super) fn repeats(&self, secret: &Secret) -> bool {
        let mut values = self.headers.values();
        let in_headers =
            values.any(|value| secret.is_in(&String::from_utf8_lossy(value.as_bytes())));
        in_headers || secret.is_in(&self.body)
    }

    /// Without the secrets of the user and this one, so that nothing can print them.
    pub(super) fn without(mut self, secret: Option<&Secret>) -> Self {
        self.body = secrets::without_secrets_and(&self.body, secret);
        if let Some(failure) = &mut self.failure {
            failure.words = secrets::without_secrets_and(&failure.words, secret);
        }
        for value in self.headers.values_mut() {
            let text = String::from_utf8_lossy(value.as_bytes());
            let shown = secrets::without_secrets_and(&text, secret);
            if shown != text {
                *value =
                    HeaderValue::from_str(&shown).unwrap_or(HeaderValue::from_static("[token]"));
            }
        }
        self
    }

    pub(super) fn from_failure(failure: NetworkFault) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
}

/// The first answer in an event stream.
fn first_message(stream: &str) -> Option<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut messages = lines.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok());
    messages.find(|message| message.get("result").is_some() || message.get("error").is_some())
}
