//! Whether headers that a client sends change the URLs that the server gives out, and where its redirects lead.

use mcp_auth::inspection::{Level, Levels, Revision};
use reqwest::Url;

use super::target::path_inserted;
use super::{Answer, Call, Dialect, Outcome, Prober, Row, Target, mcp};
use crate::output::quoted;

static HOST: Row = Row {
    id: "R2.host-header",
    requirement: "R2",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Should),
    title: "The Host header changes no URL",
    expected: "the configured URL in challenge and metadata, or a refusal",
    fix: "Build every URL from the configuration: a cache would hand the answer for one Host to everybody.",
};

static FORWARDED: Row = Row {
    id: "R2.forwarded-headers",
    requirement: "R2",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Should),
    title: "X-Forwarded-* and Forwarded change no URL",
    expected: "the configured URL in challenge and metadata",
    fix: "Build every URL from the configuration, or let the proxy remove these headers from requests.",
};

static REBINDING: Row = Row {
    id: "R16.foreign-host",
    requirement: "R16",
    levels: Levels::always(Level::May),
    title: "A local server refuses names that are not its own",
    expected: "a refusal, even with a token",
    fix: "Compare Host with a list, against DNS rebinding. With mcp-auth and rmcp: streamable_http_service does.",
};

static SLASH: Row = Row {
    id: "R14.slash-redirect",
    requirement: "R14",
    levels: Levels::always(Level::Should),
    title: "The URL with and without a slash at its end does not redirect",
    expected: "the same answer, or 404",
    fix: "Answer at both, or with 404 at one: clients lose the body or the token on a redirect. In Starlette: \
          redirect_slashes=False. With mcp-auth: `protect` answers at both.",
};

static STRAYS: Row = Row {
    id: "R15.redirect",
    requirement: "R15",
    levels: Levels::always(Level::Must),
    title: "No redirect leads to plain http or to another host",
    expected: "none",
    fix: "Behind a proxy that ends TLS, make redirects relative or turn them off: the token would follow them in the clear.",
};

/// A name that belongs to nobody (RFC 2606).
const STRANGER: &str = "stranger.invalid";

impl Prober {
    /// Requests that lie about where they go.
    pub(super) async fn probe_routing(&mut self, dialect: Option<&Dialect>) {
        let by_host = self.urls_from(&[("host", STRANGER)]).await;
        self.record(&HOST, Outcome::unless(by_host, "it is not used"));
        let forwarded = [
            ("x-forwarded-host", STRANGER),
            ("x-forwarded-server", STRANGER),
            ("x-original-host", STRANGER),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=192.0.2.1;host=stranger.invalid;proto=https"),
        ];
        let by_headers = self.urls_from(&forwarded).await;
        self.record(&FORWARDED, Outcome::unless(by_headers, "they are not used"));
        let rebinding = self.rebinding(dialect).await;
        self.record(&REBINDING, rebinding);
        let slash = match self.target.slash_twin() {
            None => Outcome::skipped("a server at the root has one URL"),
            Some(twin) => {
                let call = mcp::initialize("the URL with the other slash", &self.target).to(twin);
                let answer = self.send(call).await;
                Outcome::when(answer.location().is_none(), answer.words())
            }
        };
        self.record(&SLASH, slash);
        let mut strays = std::mem::take(&mut self.strays);
        strays.dedup();
        self.record(&STRAYS, Outcome::unless(strays, "none"));
    }

    /// Where the stranger's name came back.
    async fn urls_from(&mut self, headers: &[(&'static str, &str)]) -> Vec<String> {
        let name = "a request for another host";
        let suffix = "oauth-protected-resource";
        let inserted = Call::get(name, path_inserted(&self.target.url, suffix));
        let root = Call::get(name, self.target.with_path(&format!("/.well-known/{suffix}")));
        let calls = [
            ("the challenge", mcp::initialize(name, &self.target)),
            ("the metadata", inserted),
            ("the metadata at the root", root),
        ];
        let mut complaints = Vec::new();
        for (place, mut call) in calls {
            for (header, value) in headers {
                call = call.header(*header, *value);
            }
            let answer = self.send(call).await;
            let in_header = ["www-authenticate", "location"]
                .iter()
                .any(|header| answer.header(header).is_some_and(|value| value.contains(STRANGER)));
            if in_header || answer.status() == 200 && answer.body().contains(STRANGER) {
                complaints.push(format!("{place} has it"));
            }
        }
        complaints
    }

    async fn rebinding(&mut self, dialect: Option<&Dialect>) -> Outcome {
        if !self.target.is_loopback() {
            return Outcome::skipped("matters for servers on loopback only");
        }
        let Some(dialect) = dialect else {
            return Outcome::skipped(super::caller::NEEDS_TOKEN);
        };
        let call = self.signed(dialect.list_tools("a request by DNS rebinding", &self.target));
        let answer = self.send(call.header("host", STRANGER)).await;
        Outcome::when(!answer.is_success(), answer.words())
    }
}

impl Target {
    /// Says where the answer leads astray, if it does; other servers may lead where they like.
    pub(super) fn stray(&self, name: &str, asked: &str, answer: &Answer) -> Option<String> {
        let location = answer.location()?;
        let asked = Url::parse(asked).ok()?;
        let leaves = asked.join(location).ok()?.origin() != self.url.origin();
        (leaves && asked.origin() == self.url.origin())
            .then(|| format!("{name}: {} to {}", answer.status(), quoted(location)))
    }
}
