//! What happens to a good token: it is accepted, in its one place, and the wrong ones are not.

use mcp_auth::clock::{Clock as _, SystemClock};
use mcp_auth::inspection::{Level, Levels, Revision};
use reqwest::Method;

use super::{Answer, Call, Dialect, Documents, Outcome, Prober, Row, Target, mcp, own_token};
use crate::output::quoted;

static ACCEPTED: Row = Row {
    id: "R1.accepts-token",
    requirement: "R1",
    levels: Levels::always(Level::Must),
    title: "A good token is accepted",
    expected: "a JSON-RPC result",
    fix: "Is the token still valid, and for this server? `mcp-auth explain` tells why mcp-auth refuses it.",
};

static INSUFFICIENT: Row = Row {
    id: "R8.insufficient-scope",
    requirement: "R8",
    levels: Levels::NONE.since(Revision::V2025_11_25, Level::Should),
    title: "A missing scope is a 403 that says what to ask for",
    expected: "403 with error=\"insufficient_scope\", `scope` and `resource_metadata`",
    fix: "Answer 403 with `WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"everything the call needs\", \
          resource_metadata=\"…\"`. With mcp-auth: `required_scopes`, or a policy.",
};

static MUST_BE_403: Row = Row {
    id: "R7.missing-scope",
    requirement: "R7",
    levels: Levels::always(Level::Must),
    title: "A missing scope is a 403",
    expected: "403",
    fix: "A token that is good but lacks a scope is answered with 403, never with 401, which would end the session.",
};

static REFUSED: Row = Row {
    id: "R5.refused-token",
    requirement: "R5",
    levels: Levels::always(Level::Must),
    title: "A genuine token that is expired, or for another server, is refused with 401",
    expected: "401",
    fix: "Compare `aud` with the URL of this server and `exp` with the clock, besides the signature.",
};

static QUERY: Row = Row {
    id: "R12.query-token",
    requirement: "R12",
    levels: Levels::always(Level::Must),
    title: "A token in the query string is not accepted",
    expected: "400 or 401",
    fix: "Read tokens from the Authorization header only: URLs end up in logs and histories.",
};

static QUERY_REFUSED: Row = Row {
    id: "R12.query-refused",
    requirement: "R12",
    levels: Levels::always(Level::May),
    title: "A token in the query string is called a mistake",
    expected: "400",
    fix: "Answer 400 with error=\"invalid_request\", so that the mistake is noticed; to ignore it is allowed.",
};

static FORM: Row = Row {
    id: "R12.form-token",
    requirement: "R12",
    levels: Levels::always(Level::Should),
    title: "A token in a form is not accepted",
    expected: "refused",
    fix: "Read tokens from the Authorization header only.",
};

static SEVERAL: Row = Row {
    id: "R7.several-headers",
    requirement: "R7",
    // RFC 6750 §3.1 asks for 400 with a SHOULD, and RFC 9110 §5.3 binds who sends.
    levels: Levels::always(Level::Should),
    title: "Two Authorization headers are refused",
    expected: "400 or 401",
    fix: "Answer 400 with error=\"invalid_request\": a proxy in front may have looked at the other one.",
};

impl Prober {
    /// How the server is talked to, if a token was given and is accepted.
    pub(super) async fn probe_token(&mut self, documents: &Documents) -> Option<Dialect> {
        let Some(token) = self.token.clone() else {
            self.record(&ACCEPTED, Outcome::skipped(NEEDS_TOKEN));
            return None;
        };
        let modern = Dialect::Modern;
        let modern_call = modern.list_tools("a request with the token", &self.target);
        let answer = self.send_signed(modern_call).await;
        if has_result(&answer) {
            self.record(&ACCEPTED, Outcome::Holds(format!("{}, in 2026-07-28", answer.words())));
            return Some(modern);
        }
        let initialize = mcp::initialize("initialize with the token", &self.target);
        let initialized = self.send_signed(initialize).await;
        if let Some(scope) = lacking_scope(&answer).or_else(|| lacking_scope(&initialized)) {
            self.record(&ACCEPTED, Outcome::skipped(scope));
            return None;
        }
        let is_refused = matches!(initialized.status(), 400 | 401 | 403);
        let resources = documents.resources_beside(&self.target.text);
        let now = SystemClock::default().unix_seconds();
        if is_refused && let Some(fault) = own_token::fault_of(&token, &resources, now) {
            self.record(&ACCEPTED, Outcome::skipped(&*fault));
            self.token_fault = Some(fault);
            return None;
        }
        if !has_result(&initialized) {
            let (first, second) = (answer.words(), initialized.words());
            let seen = format!("2026-07-28: {first}; 2025-11-25: {second}");
            self.record(&ACCEPTED, Outcome::Broken(seen));
            return None;
        }
        let dialect = self.begin_session(&initialized).await;
        let list_tools = dialect.list_tools("tools/list with the token", &self.target);
        let listed = self.send_signed(list_tools).await;
        let seen = format!("{}, in {}", listed.words(), mcp::LEGACY);
        self.record(&ACCEPTED, Outcome::when(listed.is_success(), seen));
        Some(dialect)
    }

    async fn begin_session(&mut self, initialized: &Answer) -> Dialect {
        let result = initialized.json().unwrap_or_default();
        let revision =
            result["result"]["protocolVersion"].as_str().unwrap_or(mcp::LEGACY).to_owned();
        let session = initialized.header("mcp-session-id").map(str::to_owned);
        let body = mcp::notification("notifications/initialized");
        let mut call = mcp::post("the end of the handshake", &self.target, &body)
            .header("mcp-protocol-version", &*revision);
        if let Some(session) = &session {
            call = call.header("mcp-session-id", session);
        }
        self.send_signed(call).await;
        Dialect::Legacy { revision, session }
    }

    /// Ends the session, if one was begun, so that the server need not keep it.
    pub(super) async fn end_session(&mut self, dialect: Option<&Dialect>) {
        if let Some(Dialect::Legacy { session: Some(session), .. }) = dialect {
            let call = Call::new("the end of the session", Method::DELETE, &*self.target.text)
                .header("mcp-session-id", session);
            self.send_signed(call).await;
        }
    }

    /// Tokens anywhere but in one `Authorization` header.
    pub(super) async fn probe_token_places(&mut self, dialect: Option<&Dialect>) {
        let garbage = "mcp-auth-check-garbage";
        let token = self.token.clone().filter(|_| dialect.is_some());
        let garbage_in_query = self.token_in_query("a token in the query", garbage, dialect).await;
        let is_refused = garbage_in_query.status() == 400;
        self.record(&QUERY_REFUSED, Outcome::when(is_refused, garbage_in_query.words()));
        let mut in_query = vec![garbage_in_query];
        if let Some(token) = &token {
            in_query.push(self.token_in_query("the token in the query", token, dialect).await);
        }
        self.record(&QUERY, all_refused(&in_query));
        let form = match &token {
            None => Outcome::skipped(NEEDS_TOKEN),
            Some(token) => {
                let call = first_call("the token in a form", &self.target, dialect)
                    .without("content-type")
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(format!("access_token={token}"))
                    .secret(token);
                let answer = self.send(call).await;
                Outcome::when(!answer.is_success(), answer.words())
            }
        };
        self.record(&FORM, form);
        let good = token.as_deref().unwrap_or(garbage);
        let mut with_two_tokens = Vec::new();
        for [first, second] in [[good, garbage], [garbage, good]] {
            let call = first_call("two Authorization headers", &self.target, dialect);
            let call_with_both = call.bearer(first).bearer(second).secret(good);
            with_two_tokens.push(self.send(call_with_both).await);
        }
        self.record(&SEVERAL, all_refused(&with_two_tokens));
    }

    async fn token_in_query(
        &mut self,
        name: &'static str,
        token: &str,
        dialect: Option<&Dialect>,
    ) -> Answer {
        let url = self.target.with_query("access_token", token);
        self.send(first_call(name, &self.target, dialect).to(url).secret(token)).await
    }

    /// Genuine tokens that cannot be forged, where the user has some.
    pub(super) async fn probe_scopes_and_genuine_tokens(&mut self) {
        match self.weak_token.clone() {
            None => {
                for row in [&MUST_BE_403, &INSUFFICIENT] {
                    self.record(row, Outcome::skipped("needs --weak-token"));
                }
            }
            Some(token) => {
                let answer = self.with_token("the weak token", &token).await;
                self.judge_weak(&answer);
            }
        }
        let outcome = match self.refused_token.clone() {
            None => Outcome::skipped("needs --refused-token"),
            Some(token) => {
                let answer = self.with_token("the token that must be refused", &token).await;
                Outcome::when(answer.status() == 401, answer.words())
            }
        };
        self.record(&REFUSED, outcome);
    }

    /// Asks for `tools/list` with a token; a server that does not speak 2026-07-28 gets `initialize`.
    async fn with_token(&mut self, name: &'static str, token: &str) -> Answer {
        let answer = self.send(Dialect::Modern.list_tools(name, &self.target).bearer(token)).await;
        if matches!(answer.status(), 200 | 401 | 403) {
            return answer;
        }
        self.send(mcp::initialize(name, &self.target).bearer(token)).await
    }

    fn judge_weak(&mut self, answer: &Answer) {
        if answer.is_success() {
            for row in [&MUST_BE_403, &INSUFFICIENT] {
                self.record(
                    row,
                    Outcome::skipped("the weak token is strong enough for tools/list"),
                );
            }
            return;
        }
        self.record(&MUST_BE_403, Outcome::when(answer.status() == 403, answer.words()));
        let complaints = match answer.challenge() {
            Err(fault) => vec![fault],
            Ok(challenge) => {
                let mut complaints: Vec<_> = ["scope", "resource_metadata"]
                    .into_iter()
                    .filter(|name| challenge.parameter(name).is_none())
                    .map(|name| format!("no `{name}`"))
                    .collect();
                let error = challenge.parameter("error").unwrap_or_default();
                if error != "insufficient_scope" {
                    complaints.push(format!("error=\"{}\"", quoted(error)));
                }
                complaints
            }
        };
        self.record(&INSUFFICIENT, Outcome::unless(complaints, "insufficient_scope"));
    }
}

pub(super) const NEEDS_TOKEN: &str = "needs --token with a token that the server accepts";

/// A call that a client could begin with, without a token.
fn first_call(name: &'static str, target: &Target, dialect: Option<&Dialect>) -> Call {
    match dialect {
        Some(dialect) => dialect.list_tools(name, target),
        None => mcp::initialize(name, target),
    }
}

/// What a token lacks that is good and not enough.
fn lacking_scope(answer: &Answer) -> Option<String> {
    let challenge = answer.challenge().ok().filter(|_| answer.status() == 403)?;
    let is_about_scope = challenge.parameter("error") == Some("insufficient_scope");
    let scope = quoted(challenge.parameter("scope").unwrap_or_default());
    is_about_scope.then(|| format!("the token lacks a scope: give one with `{scope}`"))
}

fn has_result(answer: &Answer) -> bool {
    answer.is_success() && answer.json().is_some_and(|json| json.get("result").is_some())
}

fn all_refused(answers: &[Answer]) -> Outcome {
    let holds = answers.iter().all(|answer| matches!(answer.status(), 400 | 401));
    let words: Vec<_> = answers.iter().map(Answer::words).collect();
    Outcome::when(holds, words.join("; "))
}
