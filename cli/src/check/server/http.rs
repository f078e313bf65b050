//! Requests as probes send them.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Url};

use super::answer::Answer;
use super::reach::Reach;
use super::target::Target;
use crate::network_fault::{NetworkFault, NetworkFaultKind};
use crate::secrets::Secret;

/// One request.
#[derive(Clone)]
pub(super) struct Call {
    /// What is special about it, in words that follow "the answer to".
    pub(super) name: &'static str,
    method: Method,
    url: String,
    headers: Vec<(Cow<'static, str>, String)>,
    body: Option<String>,
    /// What no answer may contain.
    secret: Option<String>,
}

impl Call {
    pub(super) fn new(name: &'static str, method: Method, url: impl Into<String>) -> Self {
        Self { name, method, url: url.into(), headers: Vec::new(), body: None, secret: None }
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
    pub(super) fn header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Takes a header away.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
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

/// Sends calls one after another, and watches every answer for what must not be in it.
pub(super) struct Http {
    reach: Reach,
    timeout: Duration,
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
        authorities: &[Certificate],
    ) -> Result<Self, reqwest::Error> {
        let agent = concat!("mcp-auth/", env!("CARGO_PKG_VERSION"), " (check server)");
        let reach = Reach::new(target, || {
            Client::builder()
                .redirect(Policy::none())
                .user_agent(agent)
                .connect_timeout(timeout)
                .tls_certs_merge(authorities.to_vec())
        })?;
        Ok(Self { reach, timeout, echoes: Vec::new(), traces: Vec::new() })
    }

    /// Whether a URL that a document names may be asked.
    pub(super) async fn may_follow(&self, url: &Url, target: &Target) -> bool {
        self.reach.may_follow(url, target).await
    }

    pub(super) async fn send(&mut self, call: Call, target: &Target) -> Answer {
        let name = call.name;
        let secret = call.secret.as_ref().map(|text| Secret::of(text, "[token]"));
        let has_begun = AtomicBool::new(false);
        let exchange = self.exchange(call, target, &has_begun);
        let answer = match tokio::time::timeout(self.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => {
                let has_head = has_begun.load(Ordering::Relaxed);
                Answer::from_failure(NetworkFault::late(self.timeout.as_secs(), has_head))
            }
        };
        self.watch(name, secret.as_ref(), &answer);
        answer.without(secret.as_ref())
    }

    /// `has_begun` is set as soon as the head of an answer is there.
    async fn exchange(&self, call: Call, target: &Target, has_begun: &AtomicBool) -> Answer {
        let url = match Url::parse(&call.url) {
            Ok(url) => url,
            Err(error) => {
                let words = format!("not a URL: {error}");
                return Answer::from_failure(NetworkFault::new(NetworkFaultKind::Other, words));
            }
        };
        let is_get = call.method == Method::GET;
        let client = self.reach.client(&url, target);
        let mut request = client.request(call.method, url.clone());
        for (name, value) in call.headers {
            request = request.header(&*name, value);
        }
        if let Some(body) = call.body {
            request = request.body(body);
        }
        match request.send().await {
            Ok(response) => {
                has_begun.store(true, Ordering::Relaxed);
                self.reach.note(&url, target, &response);
                Answer::read(response, is_get).await
            }
            Err(error) => Answer::from_failure(NetworkFault::of(&error)),
        }
    }

    /// Notes what must not be in an answer.
    fn watch(&mut self, name: &'static str, secret: Option<&Secret>, answer: &Answer) {
        // What a tool says of itself may well look like a trace.
        if !answer.is_success() && TRACES.iter().any(|trace| answer.body().contains(trace)) {
            self.traces.push(name);
        }
        if let Some(secret) = secret
            && answer.repeats(secret)
        {
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

/// Whether a token can be sent at all.
pub(super) fn is_sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}
