//! What a client without a token meets: a 401 that says where to sign in.

use mcp_auth::inspection::{Level, Levels, Revision};
use reqwest::Url;

use super::challenge::Challenge;
use super::{Answer, Outcome, Prober, Row};
use crate::output::quoted;

pub(super) static UNAUTHENTICATED: Row = Row {
    id: "R1.unauthenticated",
    requirement: "R1",
    levels: Levels::always(Level::Must),
    title: "A request without a token is refused with 401",
    expected: "401",
    fix: "Check the token before the message is read, and answer 401: not 200 with a JSON-RPC error, not 403, \
          not a redirect to a sign-in page. With mcp-auth: `protect` around the server. On 404: is the URL right?",
};

static CHALLENGE: Row = Row {
    id: "R1.challenge",
    requirement: "R1",
    levels: Levels::always(Level::Must),
    title: "The 401 has a Bearer challenge that can be read",
    expected: "WWW-Authenticate: Bearer …, values in quotes, separated by commas",
    fix: "Send `WWW-Authenticate: Bearer resource_metadata=\"…\"` with every 401 (RFC 6750 §3).",
};

static NOT_STRIPPED: Row = Row {
    id: "R1.challenge-parameters",
    requirement: "R1",
    levels: Levels::always(Level::Should),
    title: "The challenge arrives as it was sent, with its parameters",
    expected: "parameters after `Bearer`, in a header of its own name",
    fix: "If the server sends more than this, something between strips it: let the proxy or gateway hand on \
          WWW-Authenticate of a 401 unchanged. Amazon API Gateway renames it: map `integration.response.header` back. \
          Without its parameters clients do not find the metadata, or ask for no scopes.",
};

static NO_ERROR_CODE: Row = Row {
    id: "R1.no-error-code",
    requirement: "R1",
    levels: Levels::always(Level::Should),
    title: "Without a token the challenge names no error",
    expected: "no `error` parameter",
    fix: "Leave `error` out when the request had no token (RFC 6750 §3.1): some clients give up on \
          invalid_token instead of signing in.",
};

static CHALLENGE_URL: Row = Row {
    id: "R3.challenge-url",
    requirement: "R3",
    levels: Levels::NONE
        .with(Revision::V2025_06_18, Level::Must)
        .since(Revision::V2025_11_25, Level::Should),
    title: "The challenge says where the metadata is",
    expected: "resource_metadata with an absolute URL",
    fix: "Add `resource_metadata=\"https://host/.well-known/oauth-protected-resource/path\"` to the challenge \
          (RFC 9728 §5.1). Clients of 2025-06-18 know no other way.",
};

static SCOPE: Row = Row {
    id: "R4.scope",
    requirement: "R4",
    levels: Levels::NONE.since(Revision::V2025_11_25, Level::Should),
    title: "The challenge says which scopes to ask for",
    expected: "a `scope` parameter",
    fix: "Add `scope=\"…\"` with what the request needs. With mcp-auth: `required_scopes`, or a policy.",
};

static NO_OFFLINE_ACCESS: Row = Row {
    id: "R11.challenge",
    requirement: "R11",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Should),
    title: "The challenge does not ask for offline_access",
    expected: "no offline_access in `scope`",
    fix: "Leave offline_access out of the challenge: whether to ask for refresh tokens is the client's business.",
};

impl Prober {
    /// Whether the server serves strangers, and the challenge that a client without a token gets: `answer`.
    pub(super) fn probe_challenge(&mut self, answer: &Answer) -> (bool, Option<Challenge>) {
        self.record(&UNAUTHENTICATED, Outcome::when(answer.status() == 401, answer.words()));
        let challenge = self.read_challenge(answer);
        self.record(&NOT_STRIPPED, judge_parameters(answer, challenge.as_ref()));
        self.judge_challenge(challenge.as_ref());
        (answer.is_success(), challenge)
    }

    fn read_challenge(&mut self, answer: &Answer) -> Option<Challenge> {
        if answer.status() != 401 {
            self.record(&CHALLENGE, Outcome::skipped("there is no 401"));
            return None;
        }
        match answer.challenge() {
            Ok(challenge) => {
                self.record(&CHALLENGE, Outcome::Holds("Bearer".to_owned()));
                Some(challenge)
            }
            Err(fault) => {
                self.record(&CHALLENGE, Outcome::Broken(fault));
                None
            }
        }
    }

    fn judge_challenge(&mut self, challenge: Option<&Challenge>) {
        let Some(challenge) = challenge else {
            for row in [&NO_ERROR_CODE, &CHALLENGE_URL, &SCOPE, &NO_OFFLINE_ACCESS] {
                self.record(row, Outcome::skipped("there is no challenge"));
            }
            return;
        };
        self.record(
            &NO_ERROR_CODE,
            match challenge.parameter("error") {
                None => Outcome::Holds("no `error`".to_owned()),
                Some(error) => Outcome::Broken(format!("error=\"{}\"", quoted(error))),
            },
        );
        self.record(&CHALLENGE_URL, metadata_url(challenge));
        let scope = challenge.parameter("scope");
        self.record(
            &SCOPE,
            match scope {
                Some(scope) => Outcome::Holds(quoted(scope)),
                None => Outcome::Broken("no `scope`".to_owned()),
            },
        );
        let scopes = scope.unwrap_or_default();
        let asks = scopes.split(' ').any(|name| name == "offline_access");
        self.record(&NO_OFFLINE_ACCESS, Outcome::when(!asks, quoted(scopes)));
    }
}

/// Whether something between the server and us changed the challenge.
fn judge_parameters(answer: &Answer, challenge: Option<&Challenge>) -> Outcome {
    if let Some(name) = RENAMED.into_iter().find(|name| answer.header(name).is_some()) {
        return Outcome::Broken(format!("the challenge is in {name}"));
    }
    match challenge {
        None => Outcome::skipped("there is no challenge"),
        Some(found) if found.has_parameters() => Outcome::Holds("it has parameters".to_owned()),
        Some(_) => Outcome::Broken("`Bearer` alone".to_owned()),
    }
}

/// Where gateways put the header that they do not hand on.
const RENAMED: [&str; 2] = ["x-amzn-remapped-www-authenticate", "x-amz-remapped-www-authenticate"];

/// Whether a challenge leads to the metadata.
fn metadata_url(challenge: &Challenge) -> Outcome {
    match challenge.parameter("resource_metadata") {
        None => Outcome::Broken("no `resource_metadata`".to_owned()),
        Some(text) => {
            let is_web = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            Outcome::when(is_web, quoted(text))
        }
    }
}
