//! What showed up on the way, and what cannot be seen from outside.

use super::{Outcome, Prober, Row};
use mcp_auth::inspection::{Level, Levels, Revision};

static ECHO: Row = Row {
    id: "R6.token-echo",
    requirement: "R6",
    levels: Levels::always(Level::Should),
    title: "No answer repeats the token that was sent",
    expected: "never, in headers or bodies",
    fix: "Answer refusals with fixed texts: error pages end up in logs and screenshots.",
};

static TRACE: Row = Row {
    id: "R7.stack-trace",
    requirement: "R7",
    levels: Levels::always(Level::Should),
    title: "No refusal shows the inside of the server",
    expected: "no stack trace, no debug page",
    fix: "Turn debug pages off, and catch errors around the check of the token.",
};

/// Why an open server is not asked further.
const OPEN: &str = "requests without a token are no 401 at all: see R1.unauthenticated";

static EVERYTHING_ELSE: Row = Row {
    id: "R13.every-request",
    requirement: "R13",
    levels: Levels::always(Level::Must),
    title: "Tokens are checked",
    expected: "401 for bad and missing ones",
    fix: "",
};

/// A row of which only the inside of a server knows, and why.
struct UnseenRow {
    row: Row,
    reason: &'static str,
}

/// Rows of which only the inside of a server knows.
static UNSEEN: [UnseenRow; 5] = [
    UnseenRow {
        row: unseen("R6.pass-through", "R6", Levels::always(Level::Must)),
        reason: "whether tokens are passed on to other services is not seen from outside",
    },
    UnseenRow {
        row: unseen(
            "R9.all-scopes-at-once",
            "R9",
            Levels::NONE.since(Revision::V2025_11_25, Level::Should),
        ),
        reason: "which scopes an operation needs is known to the server only",
    },
    UnseenRow {
        row: unseen("R10.hierarchy", "R10", Levels::NONE.since(Revision::V2025_11_25, Level::Must)),
        reason: "which scopes include others is known to the server only",
    },
    UnseenRow {
        row: unseen(
            "R18.request-state",
            "R18",
            Levels::NONE.since(Revision::V2026_07_28, Level::Must),
        ),
        reason: "whether `requestState` decides anything is known to the server only",
    },
    UnseenRow {
        row: unseen("R23.extensions", "R23", Levels::NONE.since(Revision::V2026_07_28, Level::May)),
        reason: "which extensions the authorization server accepts is not seen from outside",
    },
];

impl Prober {
    /// What the answers to all those requests had in them.
    pub(super) fn record_leaks(&mut self) {
        let echoes = answers_to(std::mem::take(&mut self.http.echoes));
        let traces = answers_to(std::mem::take(&mut self.http.traces));
        self.record(&ECHO, Outcome::unless(echoes, "never"));
        self.record(&TRACE, Outcome::unless(traces, "none"));
    }

    /// What this check says nothing about, and why.
    pub(super) fn record_unseen(&mut self, is_open: bool) {
        if is_open {
            self.record(&EVERYTHING_ELSE, Outcome::skipped(OPEN));
        }
        for UnseenRow { row, reason } in &UNSEEN {
            self.record(row, Outcome::Unseen((*reason).to_owned()));
        }
    }
}

/// The answers to the calls of these names, each once.
fn answers_to(mut names: Vec<&'static str>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| format!("the answer to {name}")).collect()
}

const fn unseen(id: &'static str, requirement: &'static str, levels: Levels) -> Row {
    Row { id, requirement, levels, title: "Not visible from outside", expected: "", fix: "" }
}
