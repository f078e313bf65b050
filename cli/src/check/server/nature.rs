//! What answers at the URL: a server that can be judged, or something else that is named.

use reqwest::{Method, Url};
use serde_json::Value;

use super::target::{is_loopback, path_inserted};
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
        if self.leads_to_itself(first) {
            return Nature::Unjudged(format!(
                "{url} redirects to itself ({}): nobody gets further. A proxy before it may take https for http.",
                first.status()
            ));
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
        let speaks_rpc = is_rpc(&json);
        match first.status() {
            401 => match self.protected_elsewhere(first).await {
                Some(resource) => Nature::Unjudged(is_elsewhere(&url, &resource)),
                None => {
                    Nature::Judged(format!("{url} is protected: without a token it answers 401."))
                }
            },
            status @ (429 | 500 | 502..=599) => Nature::Unjudged(unhealthy(&url, status, first)),
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

    /// Whether a redirect leads to where it comes from.
    fn leads_to_itself(&self, first: &Answer) -> bool {
        let next = first.location().and_then(|text| self.target.url.join(text).ok());
        next.is_some_and(|mut url| {
            url.set_fragment(None);
            url == self.target.url
        })
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
            return is_elsewhere(url, &resource);
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
            status @ (405 | 501) => format!(
                "{url} is no MCP server: it takes no POST ({status}). Is the path right, such as /mcp?"
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
            let named = self.resource_named_at(&place).await;
            let elsewhere = named.filter(|one| {
                is_same_origin(one, &self.target.url) && one.path() != self.target.url.path()
            });
            if let Some(url) = elsewhere {
                return Some(url.into());
            }
        }
        None
    }

    /// The resource that the metadata of a protected URL names, when that is another path of the origin, and not one
    /// above it, where a server answers as well. One that differs by a slash is a fault of the metadata.
    async fn protected_elsewhere(&mut self, first: &Answer) -> Option<String> {
        let challenge = first.challenge().ok();
        let named_place = challenge.as_ref().and_then(|one| one.parameter("resource_metadata"));
        let place = match named_place.and_then(|text| Url::parse(text).ok()) {
            Some(url) if is_same_origin(&url, &self.target.url) => url.to_string(),
            Some(_) => return None,
            None => path_inserted(&self.target.url, "oauth-protected-resource"),
        };
        let named = self.resource_named_at(&place).await?;
        let (here, there) = (self.target.url.path(), named.path().trim_end_matches('/'));
        let is_here_or_above = here.trim_end_matches('/') == there
            || here.strip_prefix(there).is_some_and(|rest| rest.starts_with('/'));
        if !is_same_origin(&named, &self.target.url) || is_here_or_above {
            return None;
        }
        let call =
            mcp::initialize("a request to the resource that the metadata names", &self.target);
        let answer = self.look_up(call.to(named.as_str())).await;
        let is_server = answer.status() == 401 || answer.json().is_some_and(|json| is_rpc(&json));
        is_server.then(|| named.into())
    }

    /// The `resource` of the metadata at a place.
    async fn resource_named_at(&mut self, place: &str) -> Option<Url> {
        let call = Call::get("a request for metadata that names the server", place)
            .header("accept", "application/json");
        let answer = self.look_up(call).await;
        let json = answer.json().filter(|_| answer.status() == 200)?;
        Url::parse(json["resource"].as_str()?).ok()
    }

    /// Goes on with the server that the metadata of the root describes, when its URL was pasted for that of the server.
    pub(super) async fn follow_pasted_metadata(&mut self) {
        let Some(place) = self.pasted_metadata.take() else { return };
        let named = self.resource_named_at(&place).await;
        if let Some(url) = named.filter(|one| one.origin() == self.target.url.origin())
            && let Ok(target) = Target::parse(url.as_str())
        {
            self.target = target;
        }
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

fn is_elsewhere(url: &str, resource: &str) -> String {
    let shown = quoted(resource);
    format!("{url} is not the MCP server: the metadata there names {shown}. Check that URL.")
}

fn is_rpc(json: &Value) -> bool {
    ["result", "error"].iter().any(|name| json.get(name).is_some())
}

/// Whether scheme, host and port are the same; the names of this machine are.
fn is_same_origin(one: &Url, other: &Url) -> bool {
    let is_here = is_loopback(one) && is_loopback(other);
    let is_same_host = is_here || one.host() == other.host();
    let port = one.port_or_known_default();
    one.scheme() == other.scheme() && is_same_host && port == other.port_or_known_default()
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
