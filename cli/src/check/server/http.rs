//! Requests as probes send them, and answers as they are judged: bounded, and without the tokens.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::Value;

use super::challenge::Challenge;
use super::target::Target;
use crate::output::quoted;

/// Bytes of a body that are read.
const LONGEST_BODY: usize = 1024 * 1024;

/// One request.
#[derive(Clone)]
pub(super) struct Call {
    /// What is special about it, in words that follow "the answer to".
    pub(super) name: &'static str,
    method: Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    /// What no answer may contain.
    secret: Option<String>,
}

impl Call {
    pub(super) fn new(name: &'static str, method: Method, url: impl Into<String>) -> Self {
        let (headers, body, secret) = (Vec::new(), None, None);
        Self { name, method, url: url.into(), headers, body, secret }
    }

    pub(super) fn get(name: &'static str, url: impl Into<String>) -> Self {
        Self::new(name, Method::GET, url)
    }

    /// The same request under another name.
    pub(super) fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Where it goes.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn to(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// Adds a header; one that is there already is kept.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Takes a header away.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    pub(super) fn json(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    pub(super) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With the token in its one proper place.
    pub(super) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}")).secret(token)
    }

    /// Text that no answer may contain.
    pub(super) fn secret(mut self, secret: &str) -> Self {
        self.secret = Some(secret.to_owned());
        self
    }
}

/// What came back, or that nothing did.
#[derive(Default)]
pub(super) struct Answer {
    status: Option<StatusCode>,
    headers: HeaderMap,
    body: String,
    failure: String,
}

impl Answer {
    /// 0 when there was none.
    pub(super) fn status(&self) -> u16 {
        self.status.map_or(0, |status| status.as_u16())
    }

    pub(super) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    /// Why there was no answer.
    pub(super) fn failure(&self) -> Option<&str> {
        self.status.is_none().then_some(&*self.failure)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn has(&self, text: &str) -> bool {
        let mut values = self.headers.values();
        let in_headers =
            values.any(|value| String::from_utf8_lossy(value.as_bytes()).contains(text));
        in_headers || self.body.contains(text)
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
        let mut challenges = challenges.into_iter();
        let bearer = challenges.find(Challenge::is_bearer);
        bearer.ok_or_else(|| "WWW-Authenticate has no Bearer challenge".to_owned())
    }

    /// The answer in a few words: its status, and what explains it.
    pub(super) fn words(&self) -> String {
        if let Some(failure) = self.failure() {
            return format!("no answer: {failure}");
        }
        let status = self.status();
        if let Some(location) = self.location() {
            return format!("{status}, a redirect to {}", quoted(location));
        }
        let json = self.json();
        let code = json.as_ref().and_then(|json| json["error"]["code"].as_i64());
        match (code, json.as_ref().is_some_and(|json| json.get("result").is_some())) {
            (Some(code), _) => format!("{status} with JSON-RPC error {code}"),
            (None, true) => format!("{status} with a JSON-RPC result"),
            (None, false) => status.to_string(),
        }
    }

    fn repeats(&self, secret: &str) -> bool {
        self.has(secret) || self.has(&percent_encoded(secret))
    }

    /// Without the secret, so that nothing can print it.
    fn without(mut self, secret: &str) -> Self {
        if !self.repeats(secret) {
            return self;
        }
        let encoded = percent_encoded(secret);
        let cut = |text: &str| text.replace(secret, "[token]").replace(&encoded, "[token]");
        self.body = cut(&self.body);
        for value in self.headers.values_mut() {
            let text = cut(&String::from_utf8_lossy(value.as_bytes()));
            *value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("[token]"));
        }
        self
    }

    fn from_failure(failure: String) -> Self {
        Self { failure, ..Self::default() }
    }
}

/// Sends calls one after another, and watches every answer for what must not be in it.
pub(super) struct Http {
    client: Client,
    timeout: Duration,
    /// The tokens of the user, which no answer is to bring into a report, whenever it comes.
    secrets: Vec<String>,
    /// Names of calls whose answer repeated their token.
    pub(super) echoes: Vec<&'static str>,
    /// Names of calls whose answer showed the inside of the server.
    pub(super) traces: Vec<&'static str>,
}

impl Http {
    /// # Errors
    /// When the system has no trust store, or the like.
    pub(super) fn new(
        target: &Target,
        timeout: Duration,
        secrets: Vec<String>,
    ) -> Result<Self, reqwest::Error> {
        let agent = concat!("mcp-auth/", env!("CARGO_PKG_VERSION"), " (check server)");
        let builder = Client::builder().redirect(Policy::none()).user_agent(agent);
        let builder = if target.is_loopback() { builder.no_proxy() } else { builder };
        let client = builder.connect_timeout(timeout).build()?;
        Ok(Self { client, timeout, secrets, echoes: Vec::new(), traces: Vec::new() })
    }

    pub(super) async fn send(&mut self, call: Call) -> Answer {
        let (name, secret) = (call.name, call.secret.clone());
        let answer = match tokio::time::timeout(self.timeout, self.exchange(call)).await {
            Ok(answer) => answer,
            Err(_) => Answer::from_failure(format!("nothing for {} s", self.timeout.as_secs())),
        };
        self.watch(name, secret.as_deref(), &answer);
        self.secrets.iter().chain(&secret).fold(answer, |answer, secret| answer.without(secret))
    }

    async fn exchange(&self, call: Call) -> Answer {
        let url = match Url::parse(&call.url) {
            Ok(url) => url,
            Err(error) => return Answer::from_failure(format!("not a URL: {error}")),
        };
        let is_get = call.method == Method::GET;
        let mut request = self.client.request(call.method, url);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = call.body {
            request = request.body(body);
        }
        match request.send().await {
            Ok(response) => read(response, is_get).await,
            Err(error) => Answer::from_failure(cause(&error)),
        }
    }

    /// Notes what must not be in an answer.
    fn watch(&mut self, name: &'static str, secret: Option<&str>, answer: &Answer) {
        // What a tool says of itself may well look like a trace.
        if !answer.is_success() && TRACES.iter().any(|trace| answer.body.contains(trace)) {
            self.traces.push(name);
        }
        if secret.is_some_and(|secret| answer.repeats(secret)) {
            self.echoes.push(name);
        }
    }
}

/// What stack traces and debug pages of common runtimes look like.
const TRACES: [&str; 9] = [
    "Traceback (most recent call last)",
    "\n    at ",
    "\\n    at ",
    "node_modules/",
    "panicked at ",
    "stack backtrace",
    "goroutine 1 [",
    ".java:",
    ".cs:line ",
];

/// As a query has it.
fn percent_encoded(text: &str) -> String {
    let url = Url::parse_with_params("https://unused.invalid", [("", text)]);
    let query = url.ok().and_then(|url| url.query().map(str::to_owned));
    query.unwrap_or_default().trim_start_matches('=').to_owned()
}

/// The head and as much of the body as is needed. A GET may open a stream that never ends.
async fn read(mut response: Response, is_get: bool) -> Answer {
    let status = Some(response.status());
    let headers = response.headers().clone();
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_stream = kind.starts_with("text/event-stream");
    let mut body = Vec::new();
    while !(is_stream && is_get) && body.len() < LONGEST_BODY {
        let Ok(Some(chunk)) = response.chunk().await else { break };
        body.extend_from_slice(&chunk);
        if is_stream && first_message(&String::from_utf8_lossy(&body)).is_some() {
            break;
        }
    }
    body.truncate(LONGEST_BODY);
    let body = String::from_utf8_lossy(&body).into_owned();
    Answer { status, headers, body, failure: String::new() }
}

/// The first answer in an event stream.
fn first_message(stream: &str) -> Option<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut messages = lines.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok());
    messages.find(|message| message.get("result").is_some() || message.get("error").is_some())
}

/// The innermost reason, which says more than "error sending request".
fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Whether a token can be sent at all.
pub(super) fn is_sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}
