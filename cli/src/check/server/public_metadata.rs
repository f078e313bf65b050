//! Whether pages of every origin can read the metadata, which is public.

use mcp_auth::inspection::{Level, Levels, Revision};
use reqwest::Method;

use super::browser::{STRANGERS_ORIGIN, lists};
use super::{Answer, Call, Documents, Outcome, Prober, Row};
use crate::output::quoted;

static ANY_ORIGIN: Row = Row {
    id: "CORS.metadata-any-origin",
    requirement: "CORS",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::May),
    title: "Pages of every origin can read the metadata",
    expected: "200 with Access-Control-Allow-Origin, also for a page of another origin",
    fix: "Answer with `Access-Control-Allow-Origin: *` and do not look at Origin there: the document is public. The \
          check of Origin belongs on the MCP endpoint. Only clients in browsers need it.",
};

static PREFLIGHT: Row = Row {
    id: "CORS.metadata-preflight",
    requirement: "CORS",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::May),
    title: "A preflight for the metadata is answered",
    expected: "2xx with Access-Control-Allow-Origin, and mcp-protocol-version in Access-Control-Allow-Headers",
    fix: "Answer OPTIONS at the metadata's URL: clients in browsers send MCP-Protocol-Version when they read it, and \
          browsers ask for that first.",
};

impl Prober {
    /// Asks for the metadata as a page of a stranger does.
    pub(super) async fn probe_public_metadata(&mut self, documents: &Documents) {
        let Some(url) = documents.url_of_first() else {
            for row in [&ANY_ORIGIN, &PREFLIGHT] {
                self.record(row, Outcome::skipped("there is no metadata"));
            }
            return;
        };
        let call = Call::get("a stranger's page that reads the metadata", url)
            .header("accept", "application/json")
            .header("origin", STRANGERS_ORIGIN);
        let answer = self.send(call).await;
        let seen = match is_readable_by(&answer, STRANGERS_ORIGIN) {
            true => answer.words(),
            false => format!("{}, not readable", answer.words()),
        };
        let holds = answer.status() == 200 && is_readable_by(&answer, STRANGERS_ORIGIN);
        self.record(&ANY_ORIGIN, Outcome::when(holds, seen));
        let preflight = Call::new("a preflight for the metadata", Method::OPTIONS, url)
            .header("origin", STRANGERS_ORIGIN)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version");
        let allowed = self.send(preflight).await;
        self.record(&PREFLIGHT, judge_preflight(&allowed));
    }
}

/// Whether a browser lets a page of this origin read the answer.
pub(super) fn is_readable_by(answer: &Answer, origin: &str) -> bool {
    let allowed = answer.header("access-control-allow-origin");
    allowed.is_some_and(|value| value == "*" || value == origin)
}

fn judge_preflight(answer: &Answer) -> Outcome {
    if !answer.is_success() {
        return Outcome::Broken(answer.words());
    }
    if !is_readable_by(answer, STRANGERS_ORIGIN) {
        return Outcome::Broken(format!("{}, without leave for the origin", answer.words()));
    }
    let headers = answer.header("access-control-allow-headers").unwrap_or_default();
    let is_allowed = headers.trim() == "*" || lists(headers, "mcp-protocol-version");
    Outcome::when(is_allowed, format!("allowed headers: {}", quoted(headers)))
}
