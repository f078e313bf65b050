//! Whether every request needs a token: with each method, at each spelling of the path, and within a session.

use mcp_auth::inspection::{Level, Levels, Revision};
use reqwest::Method;
use serde_json::json;

use super::{Answer, Call, Dialect, Outcome, Prober, Row, mcp};

static EVERY_METHOD: Row = Row {
    id: "R13.every-message",
    requirement: "R13",
    levels: Levels::always(Level::Must),
    title: "Every kind of message needs a token",
    expected: "none is answered without one",
    fix: "Check the token before the message is read, for all of them. If some calls are public on purpose, this \
          is what you asked for.",
};

static GET: Row = Row {
    id: "R13.get",
    requirement: "R13",
    levels: Levels::always(Level::Must),
    title: "GET, which opens the stream of events, needs a token",
    expected: "401, or 405 where there is no stream",
    fix: "Put the check in front of the whole path, not of POST alone.",
};

static DELETE: Row = Row {
    id: "R13.delete",
    requirement: "R13",
    levels: Levels::always(Level::Must),
    title: "DELETE, which ends a session, needs a token",
    expected: "401, or 405 where there are no sessions",
    fix: "Put the check in front of the whole path, not of POST alone.",
};

static SESSION: Row = Row {
    id: "R13.session",
    requirement: "R13",
    levels: Levels::always(Level::Must),
    title: "A session identifier does not replace a token",
    expected: "401",
    fix: "Verify the token of every request, also within a session (MCP security: sessions are no authentication).",
};

static PATHS: Row = Row {
    id: "R13.path-variants",
    requirement: "R13",
    levels: Levels::always(Level::Must),
    title: "No other spelling of the path goes around the check",
    expected: "none is answered without a token",
    fix: "Check the token where the server routes, on the normalized path, and not by a pattern in a proxy.",
};

static IDENTITY_HEADERS: Row = Row {
    id: "R13.identity-headers",
    requirement: "R13",
    levels: Levels::always(Level::Must),
    title: "Headers that claim an identity do not replace a token",
    expected: "a refusal, as without a token",
    fix: "Ignore such headers, or remove them at the edge: whoever reaches the server can send them.",
};

static AFTER_GOOD: Row = Row {
    id: "R13.after-good-token",
    requirement: "R13",
    levels: Levels::NONE.since(Revision::V2025_03_26, Level::Must),
    title: "A good token does not open the connection for what follows",
    expected: "a refusal, as without a token",
    fix: "Keep nothing about the caller per connection.",
};

/// What else a client sends; `initialize` was the first request of all.
const METHODS: [&str; 6] =
    ["ping", "tools/list", "tools/call", "resources/list", "prompts/list", "server/discover"];

/// Headers by which proxies tell a server who is calling.
const IDENTITIES: [&str; 6] = [
    "x-forwarded-user",
    "x-forwarded-email",
    "x-auth-request-user",
    "x-authenticated-userid",
    "x-user-id",
    "remote-user",
];

impl Prober {
    /// Asks for everything without a token.
    pub(super) async fn probe_every_request(&mut self, dialect: Option<&Dialect>) {
        self.probe_messages_without_token().await;
        let get = Call::get("a GET without a token", &*self.target.text)
            .header("accept", "text/event-stream");
        let delete = Call::new("a DELETE without a token", Method::DELETE, &*self.target.text)
            .header("mcp-session-id", MADE_UP);
        for (row, call) in [(&GET, get), (&DELETE, delete)] {
            let answer = self.send(call).await;
            let is_refused = matches!(answer.status(), 400..=499);
            self.record(row, Outcome::when(is_refused, answer.words()));
        }
        self.probe_session(dialect).await;
        self.probe_paths().await;
        let mut call = mcp::initialize("identity headers", &self.target);
        for name in IDENTITIES {
            call = call.header(name, "admin");
        }
        let answer = self.send(call).await;
        self.record(&IDENTITY_HEADERS, refused(&answer));
    }

    async fn probe_messages_without_token(&mut self) {
        let mut complaints = Vec::new();
        for method in METHODS {
            let old = mcp::post(
                "a message without a token",
                &self.target,
                &mcp::message(method, json!({ "name": mcp::NO_SUCH_TOOL })),
            );
            let modern = mcp::modern("a message without a token", &self.target, method);
            for call in [old.header("mcp-protocol-version", mcp::LEGACY), modern] {
                let answer = self.send(call).await;
                if !matches!(answer.status(), 400..=499) {
                    complaints.push(format!("{method}: {}", answer.words()));
                }
            }
        }
        let body = mcp::notification("notifications/initialized");
        let answer =
            self.send(mcp::post("a notification without a token", &self.target, &body)).await;
        if !matches!(answer.status(), 400..=499) {
            complaints.push(format!("a notification: {}", answer.words()));
        }
        complaints.dedup();
        self.record(&EVERY_METHOD, Outcome::unless(complaints, "all are refused"));
    }

    async fn probe_session(&mut self, dialect: Option<&Dialect>) {
        let made_up =
            Dialect::Legacy { revision: mcp::LEGACY.to_owned(), session: Some(MADE_UP.to_owned()) };
        let call = made_up.list_tools("a made-up session without a token", &self.target);
        let to_made_up = self.send(call).await;
        let mut seen = format!("made up: {}", to_made_up.words());
        let mut holds = to_made_up.status() == 401;
        if let Some(real @ Dialect::Legacy { session: Some(_), .. }) = dialect {
            let real_call = real.list_tools("a real session without a token", &self.target);
            let to_real = self.send(real_call).await;
            seen = format!("{seen}; real: {}", to_real.words());
            holds &= to_real.status() == 401;
        }
        self.record(&SESSION, Outcome::when(holds, seen));
        let Some(dialect) = dialect else { return };
        self.send_signed(dialect.list_tools("a request with a token", &self.target)).await;
        let bare = dialect.list_tools("a request after one with a token", &self.target);
        let answer = self.send(bare).await;
        self.record(&AFTER_GOOD, refused(&answer));
    }

    async fn probe_paths(&mut self) {
        let mut complaints = Vec::new();
        for path in variants(self.target.url.path()) {
            let call = mcp::initialize("another spelling of the path", &self.target);
            let answer = self.send(call.to(self.target.with_path(&path))).await;
            let is_served = answer.json().is_some_and(|json| json.get("result").is_some());
            if answer.is_success() && is_served {
                complaints.push(format!("{path}: {}", answer.words()));
            }
        }
        self.record(&PATHS, Outcome::unless(complaints, "none is answered"));
    }
}

/// Not served; with which status is for R1 to judge.
fn refused(answer: &Answer) -> Outcome {
    Outcome::when(matches!(answer.status(), 300..=499), answer.words())
}

const MADE_UP: &str = "mcp-auth-check-made-up";

/// Spellings that a router may take for the path, and a check in front of it not.
fn variants(path: &str) -> Vec<String> {
    let trimmed = path.trim_end_matches('/');
    let mut variants = vec![
        format!("{trimmed}/"),
        format!("/{path}"),
        format!("{path}?x=1"),
        format!("{trimmed}/x"),
        format!("{trimmed}/.well-known/oauth-protected-resource"),
        format!("/.well-known/..;{path}"),
        path.to_ascii_uppercase(),
    ];
    if let Some(first) = trimmed.chars().nth(1) {
        let encoded = format!("/%{:02x}{}", u32::from(first), &trimmed[1 + first.len_utf8()..]);
        variants.extend([
            encoded,
            format!("{trimmed};x"),
            format!("{trimmed}%2f"),
            trimmed.to_owned(),
        ]);
    }
    variants.retain(|variant| variant != path);
    variants.sort();
    variants.dedup();
    variants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_other_spellings() {
        let found = variants("/mcp");
        for expected in ["//mcp", "/%6dcp", "/MCP", "/mcp/", "/mcp?x=1", "/mcp;x"] {
            assert!(found.iter().any(|variant| variant == expected), "{expected} in {found:?}");
        }
        assert!(!found.contains(&"/mcp".to_owned()));
        assert!(!variants("/").is_empty());
    }
}
