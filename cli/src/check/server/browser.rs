//! Web pages: which are kept out, and whether the others can do their work.

use mcp_auth::inspection::{Level, Levels, Revision};
use reqwest::Method;

use super::{Answer, Call, Dialect, Outcome, Prober, Row, mcp};
use crate::output::quoted;

static STRANGER: Row = Row {
    id: "R16.foreign-origin",
    requirement: "R16",
    levels: Levels::always(Level::Must),
    title: "A page of another origin is refused with 403",
    expected: "403",
    fix: "Compare Origin with a list and answer 403, before the token is looked at. With mcp-auth: `allowed_origins`, \
          by default only the server's own.",
};

static LOOKALIKE: Row = Row {
    id: "R16.lookalike-origin",
    requirement: "R16",
    levels: Levels::always(Level::Must),
    title: "An origin that only resembles an allowed one is refused",
    expected: "403",
    fix: "Compare whole origins, never prefixes, suffixes or patterns.",
};

static OPAQUE: Row = Row {
    id: "R16.null-origin",
    requirement: "R16",
    levels: Levels::always(Level::Should),
    title: "`Origin: null` is refused",
    expected: "403",
    fix: "Do not allow `null`: any page gets it with a sandboxed frame.",
};

static ALLOWED: Row = Row {
    id: "R16.allowed-origin",
    requirement: "R16",
    levels: Levels::NONE.since(Revision::V2025_03_26, Level::Should),
    title: "Pages of the origin given by --origin are let in",
    expected: "no 403, and Access-Control-Allow-Origin",
    fix: "Add the origin to the list. With mcp-auth: `allowed_origins`.",
};

static PREFLIGHT: Row = Row {
    id: "CORS.preflight",
    requirement: "CORS",
    levels: Levels::always(Level::Should),
    title: "A preflight is answered before authentication",
    expected: "no 401: browsers send preflights without a token",
    fix: "Answer OPTIONS before the token is checked, else no client in a browser can ever connect.",
};

static ALLOW_HEADERS: Row = Row {
    id: "CORS.authorization",
    requirement: "CORS",
    levels: Levels::always(Level::Should),
    title: "A preflight allows the headers that clients send",
    expected: "authorization, content-type and mcp-protocol-version in Access-Control-Allow-Headers",
    fix: "List them by name: `*` does not include Authorization (Fetch standard).",
};

static EXPOSED: Row = Row {
    id: "CORS.exposed-challenge",
    requirement: "CORS",
    levels: Levels::always(Level::Should),
    title: "Pages can read the challenge",
    expected: "WWW-Authenticate in Access-Control-Expose-Headers of the 401",
    fix: "Expose WWW-Authenticate and Mcp-Session-Id, on refusals too: browsers hide what is not listed.",
};

static CREDENTIALS: Row = Row {
    id: "CORS.credentials",
    requirement: "CORS",
    levels: Levels::always(Level::Should),
    title: "A stranger's page cannot act with the user's cookies",
    expected: "never its origin together with Access-Control-Allow-Credentials",
    fix: "Do not echo every Origin, and leave Access-Control-Allow-Credentials out: bearer tokens do not need it.",
};

pub(super) const STRANGERS_ORIGIN: &str = "https://stranger.invalid";

impl Prober {
    /// Requests as pages of other origins make them.
    pub(super) async fn probe_origins(&mut self, dialect: Option<&Dialect>) {
        let own = &self.target.url;
        let (scheme, host) = (own.scheme(), own.host_str().unwrap_or_default());
        let port = own.port().map(|port| format!(":{port}")).unwrap_or_default();
        let lookalikes = [
            format!("{scheme}://{host}.stranger.invalid{port}"),
            format!("{scheme}://stranger-{host}{port}"),
        ];
        let to_stranger = self.ask_as_page_of(STRANGERS_ORIGIN, dialect).await;
        self.record(&STRANGER, self.judge_refusals(&[&to_stranger], dialect));
        let is_echoed = to_stranger.header("access-control-allow-origin") == Some(STRANGERS_ORIGIN);
        let has_credentials =
            to_stranger.header("access-control-allow-credentials") == Some("true");
        let seen = if is_echoed { "its origin is echoed" } else { "its origin is not echoed" };
        self.record(&CREDENTIALS, Outcome::when(!(is_echoed && has_credentials), seen));
        let first = self.ask_as_page_of(&lookalikes[0], dialect).await;
        let second = self.ask_as_page_of(&lookalikes[1], dialect).await;
        self.record(&LOOKALIKE, self.judge_refusals(&[&first, &second], dialect));
        let to_null = self.ask_as_page_of("null", dialect).await;
        self.record(&OPAQUE, self.judge_refusals(&[&to_null], dialect));
        self.probe_allowed_origin(dialect).await;
    }

    async fn probe_allowed_origin(&mut self, dialect: Option<&Dialect>) {
        if !self.origin_is_given {
            return self.record(&ALLOWED, Outcome::skipped("needs --origin"));
        }
        let origin = self.origin.clone();
        let answer = self.ask_as_page_of(&origin, dialect).await;
        let may_read = answer.header("access-control-allow-origin").is_some();
        let seen =
            if may_read { answer.words() } else { format!("{}, not readable", answer.words()) };
        self.record(&ALLOWED, Outcome::when(answer.status() != 403 && may_read, seen));
    }

    async fn ask_as_page_of(&mut self, origin: &str, dialect: Option<&Dialect>) -> Answer {
        let name = "a request from a web page";
        let call = match dialect {
            Some(dialect) => self.signed(dialect.list_tools(name, &self.target)),
            None => mcp::initialize(name, &self.target),
        };
        self.send(call.header("origin", origin)).await
    }

    /// A 401 without a token may have come before the Origin was looked at.
    fn judge_refusals(&self, answers: &[&Answer], dialect: Option<&Dialect>) -> Outcome {
        let worst = answers.iter().find(|answer| answer.status() != 403);
        match worst {
            None => Outcome::Holds("403".to_owned()),
            Some(answer) if answer.status() == 401 && dialect.is_none() => Outcome::skipped(
                "401 without a token, which may be before the Origin is looked at: needs --token",
            ),
            Some(answer) => Outcome::Broken(answer.words()),
        }
    }

    /// What browsers ask before they let a page call.
    pub(super) async fn probe_cors(&mut self) {
        let origin = self.origin.clone();
        let preflight = Call::new("a preflight", Method::OPTIONS, &*self.target.text)
            .header("origin", &*origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", WANTED.join(","));
        let allowed = self.send(preflight).await;
        let is_answered = !matches!(allowed.status(), 0 | 401 | 500..=599);
        self.record(&PREFLIGHT, Outcome::when(is_answered, allowed.words()));
        let is_allowed = allowed.header("access-control-allow-origin").is_some();
        let headers = if is_allowed { allows_headers(&allowed) } else { Outcome::skipped(NO_CORS) };
        self.record(&ALLOW_HEADERS, headers);
        let call =
            mcp::initialize("a page without a token", &self.target).header("origin", &*origin);
        let refused = self.send(call).await;
        let exposed = refused.header("access-control-expose-headers").unwrap_or_default();
        let outcome = match refused.header("access-control-allow-origin") {
            _ if refused.status() == 403 => Outcome::skipped(NO_CORS),
            _ if refused.status() != 401 => Outcome::skipped(format!(
                "a page is answered with {}, not with 401",
                refused.words()
            )),
            None if is_allowed => {
                Outcome::Broken("the 401 has no Access-Control-Allow-Origin".to_owned())
            }
            None => Outcome::skipped(NO_CORS),
            Some(_) => Outcome::when(lists(exposed, "www-authenticate"), quoted(exposed)),
        };
        self.record(&EXPOSED, outcome);
    }
}

const WANTED: [&str; 3] = ["authorization", "content-type", "mcp-protocol-version"];
const NO_CORS: &str = "pages of this origin may not call: --origin names one that may";

fn allows_headers(answer: &Answer) -> Outcome {
    let allowed = answer.header("access-control-allow-headers").unwrap_or_default();
    // Fetch: `*` stands for every header but Authorization.
    let is_any_allowed = allowed.trim() == "*";
    let mut missing = WANTED.to_vec();
    missing.retain(|name| {
        let is_covered = is_any_allowed && *name != "authorization";
        !is_covered && !lists(allowed, name)
    });
    match missing.is_empty() {
        true => Outcome::Holds("they are allowed".to_owned()),
        false => Outcome::Broken(format!("not allowed: {}", missing.join(", "))),
    }
}

pub(super) fn lists(list: &str, name: &str) -> bool {
    list.split(',').any(|one| one.trim().eq_ignore_ascii_case(name))
}
