//! What answers at the URL: a server that can be judged, or something else that is named.

use reqwest::{Method, Url};
use serde_json::Value;

use super::target::path_inserted;
use super::{Answer, Call, Prober, Target, mcp};
use crate::network_fault::{NetworkFault, NetworkFaultKind};
use crate::output::quoted;

/// What answers at the URL, in a sentence that begins with it.
pub(super) enum Nature {
    /// An MCP server, or what stands before one: it is judged.
    Judged(String),
    /// Nothing that could be judged, and what to do about that.
    Unjudged(String),
}

impl Prober {
    /// Decides by the first answer, to `initialize` without a token, and asks on where that says too little.
    pub(super) async fn tell_nature(&mut self, first: &Answer) -> Nature {
        let url = quoted(&self.target.text);
        if let Some(fault) = first.failure() {
            return Nature::Unjudged(self.why_no_answer(&url, fault).await);
        }
        if let Some(now) = self.moved_to(first) {
            let (status, shown) = (first.status(), quoted(&now));
            return Nature::Unjudged(format!(
                "{url} has moved: it redirects ({status}), and is there now: {shown}. Check that URL, and give \
                 it to clients: they lose the message or the token on a redirect."
            ));
        }
        let words = first.words();
        let json = first.json().unwrap_or_default();
        let speaks_rpc = ["result", "error"].iter().any(|name| json.get(name).is_some());
        match first.status() {
            401 => Nature::Judged(format!("{url} is protected: without a token it answers 401.")),
            status @ (429 | 500..=599) => Nature::Unjudged(unhealthy(&url, status, first)),
            403 if first.is_page() => Nature::Unjudged(format!(
                "{url} is behind a firewall or proxy that refuses the request: 403 with an HTML page. Let this \
                 machine through, or check from where clients are."
            )),
            403 => {
                Nature::Judged(format!("{url} refuses what has no token, with 403 instead of 401."))
            }
            300..=399 if first.location().is_some() => {
                Nature::Judged(format!("{url} sends clients without a token away: {words}."))
            }
            200..=299 if json.get("result").is_some() => Nature::Judged(format!(
                "{url} is an MCP server without protection: it answers `initialize` without a token."
            )),
            _ if speaks_rpc => Nature::Judged(format!(
                "{url} is an MCP server that does not ask for a token: {words}."
            )),
            _ => Nature::Unjudged(self.what_else_is_there(&url, first).await),
        }
    }

    async fn why_no_answer(&mut self, url: &str, fault: &NetworkFault) -> String {
        let words = quoted(&fault.words);
        match fault.kind {
            NetworkFaultKind::Refused => {
                format!(
                    "{url} does not answer: {words}. Is the server running, and the port right?"
                )
            }
            NetworkFaultKind::UnknownName => {
                format!("{url} does not answer: {words}. Is it written right?")
            }
            NetworkFaultKind::NotTrusted => format!(
                "{url} does not answer: {words}. Clients refuse it too; for an authority of your own there is --ca-file."
            ),
            NetworkFaultKind::Late => {
                format!(
                    "{url} does not answer: {words}. Is something between that drops the request?"
                )
            }
            _ => match self.other_scheme().await {
                Some(other) => format!("{url} does not answer, but {other} does: try that."),
                None => format!("{url} does not speak HTTP: {words}. Is the port right?"),
            },
        }
    }

    /// The same URL with the other scheme, when something answers there.
    async fn other_scheme(&mut self) -> Option<String> {
        let (scheme, rest) = self.target.text.split_once("://")?;
        let is_plain = scheme.eq_ignore_ascii_case("http");
        let other = format!("{}://{rest}", if is_plain { "https" } else { "http" });
        // A default port belongs to its scheme.
        let has_port = Url::parse(&self.target.text).is_ok_and(|url| url.port().is_some());
        if !has_port {
            return None;
        }
        let call = Call::get("the other scheme", &*other);
        let answer = self.look_up(call).await;
        let is_there = match answer.failure() {
            None => true,
            // It speaks TLS, whether or not its certificate is good.
            Some(fault) => is_plain && fault.kind == NetworkFaultKind::NotTrusted,
        };
        is_there.then(|| quoted(&other))
    }

    /// Where the server is now, as its redirect says: not where it sends people to sign in.
    fn moved_to(&self, first: &Answer) -> Option<String> {
        let next = self.target.url.join(first.location()?).ok()?;
        let stays = matches!(first.status(), 301 | 307 | 308);
        (stays || is_the_same_place(&self.target, &next)).then(|| next.into())
    }

    /// Why it is no MCP server, and where one is if its metadata says so.
    async fn what_else_is_there(&mut self, url: &str, first: &Answer) -> String {
        let is_tls = first.body().to_ascii_lowercase().contains("https");
        if first.status() == 400
            && is_tls
            && self.target.url.scheme() == "http"
            && let Some(other) = self.other_scheme().await
        {
            return format!("{url} wants TLS: {other} answers. Try that.");
        }
        if let Some(resource) = self.resource_elsewhere().await {
            return format!(
                "{url} is not the MCP server: the metadata there names {}. Check that URL.",
                quoted(&resource)
            );
        }
        if self.is_event_stream().await {
            return format!(
                "{url} is a server of the old HTTP+SSE transport (2024-11-05), which has no authorization: nothing is \
                 checked."
            );
        }
        let words = first.words();
        match first.status() {
            404 | 410 => format!("{url} is not there: {words}. Is the path right, such as /mcp?"),
            405 => format!(
                "{url} is no MCP server: it takes no POST (405). Is the path right, such as /mcp?"
            ),
            _ if first.is_page() => format!(
                "{url} is no MCP server but a web page ({words}). Is the path right, such as /mcp?"
            ),
            _ => format!(
                "{url} is no MCP server: `initialize` is answered with {words} and no JSON-RPC message{}. Is \
                 the path right?",
                beginning_of(first)
            ),
        }
    }

    /// The resource that metadata of this origin names, when it is another path of it.
    async fn resource_elsewhere(&mut self) -> Option<String> {
        let suffix = "oauth-protected-resource";
        let root = self.target.with_path(&format!("/.well-known/{suffix}"));
        let mut places = vec![path_inserted(&self.target.url, suffix), root];
        places.dedup();
        for place in places {
            let call = Call::get("a request for metadata that names the server", place)
                .header("accept", "application/json");
            let answer = self.look_up(call).await;
            let json = answer.json().filter(|_| answer.status() == 200).unwrap_or_default();
            let named = json["resource"].as_str().and_then(|text| Url::parse(text).ok());
            let elsewhere = named.filter(|one| {
                one.origin() == self.target.url.origin() && one.path() != self.target.url.path()
            });
            if let (Some(_), Value::String(text)) = (elsewhere, &json["resource"]) {
                return Some(text.clone());
            }
        }
        None
    }

    async fn is_event_stream(&mut self) -> bool {
        let call = Call::new("a stream of the old transport", Method::GET, &*self.target.text)
            .header("accept", "text/event-stream");
        let answer = self.look_up(call).await;
        let kind = answer.header("content-type").unwrap_or_default();
        answer.is_success() && kind.starts_with("text/event-stream")
    }

    /// The request by whose answer it is decided.
    pub(super) async fn ask_first(&mut self) -> Answer {
        self.send(mcp::initialize("a request without a token", &self.target)).await
    }
}

/// Whether only the scheme, or a slash at the end, is another.
fn is_the_same_place(target: &Target, next: &Url) -> bool {
    let same_host = next.host() == target.url.host();
    let (here, there) = (target.url.path(), next.path());
    let is_upgrade = next.scheme() == "https" || next.scheme() == target.url.scheme();
    same_host && is_upgrade && here.trim_end_matches('/') == there.trim_end_matches('/')
}

fn unhealthy(url: &str, status: u16, answer: &Answer) -> String {
    let after = match answer.header("retry-after") {
        Some(text) => format!(" (Retry-After: {})", quoted(text)),
        None => String::new(),
    };
    let why = match status {
        429 => "it is asked too often",
        503 if answer.is_page() => "a proxy or firewall answers for it, with an HTML page",
        502 | 504 => "a proxy does not reach it",
        _ => "the server is in trouble",
    };
    format!(
        "{url} is not healthy: it answers {status}{after}, {why}. Nothing can be judged now; try again."
    )
}

/// The first words of a body, which often say what it is.
fn beginning_of(answer: &Answer) -> String {
    let start: String = answer.body().trim().chars().take(60).collect();
    match start.is_empty() {
        true => String::new(),
        false => format!(", but \"{}\"", quoted(&start)),
    }
}
