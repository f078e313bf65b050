//! Tokens that anybody could make, and what they are answered with.

use mcp_auth::inspection::{Level, Levels};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::challenge::Challenge;
use super::{Answer, Documents, Outcome, Prober, Row, mcp};

const MUST: Levels = Levels::always(Level::Must);
const VERIFY: &str = "Verify the signature of every token with the issuer's keys, with an algorithm that you chose, before anything in \
                      it is believed. With mcp-auth this cannot be turned off.";

/// A token, what it pretends, and the row that it tests.
struct Forgery {
    row: Row,
    name: &'static str,
    make: fn(&Claims) -> String,
}

static FORGERIES: [Forgery; 8] = [
    Forgery {
        row: Row {
            id: "R7.garbage-token",
            requirement: "R7",
            levels: MUST,
            title: "A token that is no token is refused with 401",
            expected: "401",
            fix: "Answer 401 to every token that cannot be verified: 403 and 500 leave clients without a way on.",
        },
        name: "a garbage token",
        make: |_| "mcp-auth-check-garbage".to_owned(),
    },
    Forgery {
        row: Row {
            id: "R7.malformed-jwt",
            requirement: "R7",
            levels: MUST,
            title: "A token that only looks like a JWT is refused with 401",
            expected: "401",
            fix: "Catch what your JWT library throws, and answer 401.",
        },
        name: "a malformed JWT",
        make: |_| "bWNwLWF1dGg.Y2hlY2s.bm90LWpzb24".to_owned(),
    },
    Forgery {
        row: Row {
            id: "R5.alg-none",
            requirement: "R5",
            levels: MUST,
            title: "A JWT with alg `none` is refused with 401",
            expected: "401",
            fix: VERIFY,
        },
        name: "a JWT with alg none",
        make: |claims| {
            format!("{}.", unsigned(&json!({ "alg": "none", "typ": "JWT" }), &claims.good()))
        },
    },
    Forgery {
        row: Row {
            id: "R5.bad-signature",
            requirement: "R5",
            levels: MUST,
            title: "A JWT with good claims and a wrong signature is refused with 401",
            expected: "401",
            fix: VERIFY,
        },
        name: "a JWT with a wrong signature",
        make: |claims| signed_wrongly(&claims.good()),
    },
    Forgery {
        row: Row {
            id: "R5.symmetric",
            requirement: "R5",
            levels: MUST,
            title: "A JWT with alg HS256 is refused with 401",
            expected: "401",
            fix: VERIFY,
        },
        name: "a JWT with alg HS256",
        make: |claims| {
            let signed = unsigned(&json!({ "alg": "HS256", "typ": "JWT" }), &claims.good());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode([7; 32]))
        },
    },
    Forgery {
        row: Row {
            id: "R7.expired-token",
            requirement: "R7",
            levels: MUST,
            title: "A JWT that says it is expired is refused with 401",
            expected: "401",
            fix: "Answer 401 with error=\"invalid_token\" to an expired token, so that clients refresh it.",
        },
        name: "an expired JWT",
        make: |claims| signed_wrongly(&claims.good_except("exp", json!(claims.now - 3600))),
    },
    Forgery {
        row: Row {
            id: "R6.other-audience",
            requirement: "R6",
            levels: MUST,
            title: "A JWT for another server is refused with 401",
            expected: "401",
            fix: "Accept only tokens whose `aud` is this server. --refused-token checks it with a genuine one.",
        },
        name: "a JWT for another audience",
        make: |claims| signed_wrongly(&claims.good_except("aud", json!("https://other.invalid"))),
    },
    Forgery {
        row: Row {
            id: "R20.unknown-issuer",
            requirement: "R20",
            levels: MUST,
            title: "A JWT of an unknown issuer is refused with 401",
            expected: "401",
            fix: "Look `iss` up in the list of trusted issuers before any key is fetched: an unknown one is a 401, \
                  not an attempt to reach it.",
        },
        name: "a JWT of an unknown issuer",
        make: |claims| signed_wrongly(&claims.good_except("iss", json!("https://issuer.invalid"))),
    },
];

static MALFORMED_HEADER: Row = Row {
    id: "R7.malformed-header",
    requirement: "R7",
    levels: MUST,
    title: "An Authorization header without a token is refused",
    expected: "400 or 401",
    fix: "Answer 400 with error=\"invalid_request\", or 401.",
};

static OTHER_SCHEME: Row = Row {
    id: "R7.basic-scheme",
    requirement: "R7",
    levels: MUST,
    title: "Basic credentials are refused with 401",
    expected: "401",
    fix: "Take only the Bearer scheme, and answer anything else like a request without a token.",
};

static BAD_TOKEN_CHALLENGE: Row = Row {
    id: "R7.challenge",
    requirement: "R7",
    levels: MUST,
    title: "The 401 for a bad token has a Bearer challenge too",
    expected: "the challenge of a request without a token, and an error",
    fix: "Send WWW-Authenticate with every 401, also when the token was bad: that is how clients find the way back.",
};

static ERROR_CODE: Row = Row {
    id: "R7.error-code",
    requirement: "R7",
    levels: Levels::always(Level::Should),
    title: "The challenge for a bad token says so",
    expected: "error=\"invalid_token\"",
    fix: "Add error=\"invalid_token\" to the challenge (RFC 6750 §3.1): clients then refresh or sign in again.",
};

impl Prober {
    /// Sends tokens that nobody signed.
    pub(super) async fn probe_forged_tokens(
        &mut self,
        documents: &Documents,
        challenge: Option<&Challenge>,
    ) {
        let claims = Claims::new(&self.target.text, documents, challenge);
        let mut challenges = Challenges::expecting(challenge);
        for forgery in &FORGERIES {
            let token = (forgery.make)(&claims);
            let call = mcp::initialize(forgery.name, &self.target).bearer(&token);
            let answer = self.send(call).await;
            challenges.judge(forgery.name, &answer);
            self.record(&forgery.row, Outcome::when(answer.status() == 401, answer.words()));
        }
        let empty = self.send_with_authorization("an empty token", "Bearer").await;
        let is_refused = matches!(empty.status(), 400 | 401);
        self.record(&MALFORMED_HEADER, Outcome::when(is_refused, empty.words()));
        let value = "Basic bWNwLWF1dGg6Y2hlY2s=";
        let basic = self.send_with_authorization("Basic credentials", value).await;
        self.record(&OTHER_SCHEME, Outcome::when(basic.status() == 401, basic.words()));
        self.record_challenges(challenges);
    }

    async fn send_with_authorization(&mut self, name: &'static str, value: &str) -> Answer {
        self.send(mcp::initialize(name, &self.target).header("authorization", value)).await
    }

    fn record_challenges(&mut self, challenges: Challenges) {
        if challenges.seen == 0 {
            for row in [&BAD_TOKEN_CHALLENGE, &ERROR_CODE] {
                self.record(row, Outcome::skipped("no bad token got a 401 with a challenge"));
            }
            return;
        }
        self.record(&BAD_TOKEN_CHALLENGE, Outcome::unless(challenges.missing, "it is there"));
        self.record(&ERROR_CODE, Outcome::unless(challenges.without_code, "invalid_token"));
    }
}

/// What the 401s for bad tokens say.
struct Challenges {
    /// `resource_metadata` of the challenge without a token.
    metadata: Option<String>,
    /// The challenges that a 401 had, or should have had.
    seen: usize,
    missing: Vec<String>,
    without_code: Vec<String>,
}

impl Challenges {
    fn expecting(challenge: Option<&Challenge>) -> Self {
        Self {
            metadata: parameter(challenge, "resource_metadata"),
            // Without any challenge, R1.challenge has said so already.
            seen: 0,
            missing: Vec::new(),
            without_code: Vec::new(),
        }
    }

    fn judge(&mut self, name: &'static str, answer: &Answer) {
        if answer.status() != 401 {
            return;
        }
        match answer.challenge() {
            Ok(challenge) => {
                self.seen += 1;
                let metadata = challenge.parameter("resource_metadata");
                if self.metadata.is_some() && metadata != self.metadata.as_deref() {
                    self.missing.push(format!("{name}: another `resource_metadata`, or none"));
                }
                if challenge.parameter("error") != Some("invalid_token") {
                    self.without_code.push(name.to_owned());
                }
            }
            Err(fault) if self.metadata.is_some() => {
                self.seen += 1;
                self.missing.push(format!("{name}: {fault}"));
            }
            Err(_) => {}
        }
    }
}

/// What a good token for this server would claim, as far as that can be guessed.
struct Claims {
    issuer: String,
    audience: String,
    scope: String,
    now: u64,
}

impl Claims {
    fn new(target: &str, documents: &Documents, challenge: Option<&Challenge>) -> Self {
        let issuer = documents.issuers().into_iter().next();
        let asked = parameter(challenge, "scope");
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            issuer: issuer.unwrap_or_else(|| "https://issuer.invalid".to_owned()),
            audience: target.to_owned(),
            scope: asked.unwrap_or_else(|| documents.scopes().join(" ")),
            now: since_1970.map_or(0, |time| time.as_secs()),
        }
    }

    fn good(&self) -> Value {
        json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": "mcp-auth-check",
            "client_id": "mcp-auth-check",
            "scope": self.scope,
            "iat": self.now,
            "exp": self.now + 3600,
            "jti": "mcp-auth-check",
        })
    }

    fn good_except(&self, name: &str, value: Value) -> Value {
        let mut claims = self.good();
        claims[name] = value;
        claims
    }
}

fn parameter(challenge: Option<&Challenge>, name: &str) -> Option<String> {
    challenge?.parameter(name).map(str::to_owned)
}

/// A signature that no key made.
fn signed_wrongly(claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "mcp-auth-check" });
    format!("{}.{}", unsigned(&header, claims), URL_SAFE_NO_PAD.encode([7; 256]))
}

fn unsigned(header: &Value, claims: &Value) -> String {
    [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".")
}
