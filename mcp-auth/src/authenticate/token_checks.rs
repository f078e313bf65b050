//! The checks of a token one by one: for people, deciding nothing.

use serde::Serialize;

use super::{Authenticator, BearerToken, TrustedIssuer};
use crate::auth_info::AuthInfo;
use crate::claims::Claims;
use crate::error::{AuthError, Compared, TokenError};
use crate::jose::Jws;

/// One check of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenCheck {
    /// What is checked: a member of the token, or `form`, `kind`, `key`, `signature`, `introspection`,
    /// `required_claims`.
    pub name: &'static str,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// What would pass.
    pub expected: String,
    /// What is there.
    pub actual: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckOutcome {
    /// The token is as it must be.
    Passed,
    /// The token is refused for it.
    Failed,
    /// It depends on a check that failed.
    NotReached,
}

impl Authenticator {
    /// Every check of a token in the header where its like belongs, and what comes of all of them.
    pub(crate) async fn explain(
        &self,
        token: &str,
    ) -> (Vec<TokenCheck>, Result<AuthInfo, AuthError>) {
        let bearer = BearerToken::new(token, self.source_of(token));
        let outcome = self.authenticate(bearer).await;
        let mut checks = Checks::default();
        match bearer.as_text() {
            Ok(text) if self.is_asked_about(bearer, text) => {
                checks.add_outcome("introspection", &outcome, "active and for this resource");
            }
            Ok(text) => match Jws::parse(text, &self.limits, &mut Vec::new()) {
                Ok(jws) => self.explain_jwt(jws, bearer, &outcome, &mut checks).await,
                Err(_) => checks.add_outcome("form", &outcome, "a signed JWT"),
            },
            Err(_) => checks.add_outcome("form", &outcome, "a token"),
        }
        if outcome.is_err() && checks.0.iter().all(|one| one.outcome != CheckOutcome::Failed) {
            checks.add_outcome("verification", &outcome, "");
        }
        (checks.0, outcome)
    }

    async fn explain_jwt(
        &self,
        unread: Jws<'_>,
        token: BearerToken<'_>,
        outcome: &Result<AuthInfo, AuthError>,
        checks: &mut Checks,
    ) {
        checks.passed("form", "a signed JWT", "a signed JWT");
        let jws = match unread.read_claims::<Claims<'_>>() {
            Ok(jws) => jws,
            Err(error) => return checks.add("claims", Err(Claims::malformed(error)), "", ""),
        };
        let position = self.position_of(jws.issuer(), token.source());
        let iss = jws.issuer().unwrap_or("none").to_owned();
        let trusted = position.as_ref().ok().map(|at| &self.issuers.list[*at]);
        checks.add("iss", position.map(drop), "a trusted issuer", &iss);
        let Some(trusted) = trusted else {
            return checks.not_reached(&["alg", "typ", "signature", "exp", "aud"]);
        };
        trusted.explain_header(&jws, checks);
        let now = self.clock.unix_seconds();
        let signature = trusted.verify_signature(&jws, now).await.map(drop);
        let key = match jws.key_id() {
            Some(key_id) => format!("made by the issuer's key {key_id:?}"),
            None => "made by a key of the issuer".to_owned(),
        };
        checks.add_outcome("signature", &signature, &key);
        // What it says is shown, and nothing is decided by it: the outcome is known.
        let claims = jws.unverified_for_explanation();
        claims.explain(&self.rules, &trusted.rules, now, checks);
        match outcome {
            // Of these, only the outcome tells.
            Err(AuthError::InvalidToken(
                error @ (TokenError::ClaimNotAccepted { .. }
                | TokenError::Inactive
                | TokenError::Revoked
                | TokenError::MissingClaim { claim: "sub" }),
            )) => {
                let name = match error {
                    TokenError::Inactive => "introspection",
                    TokenError::Revoked => "revocation",
                    TokenError::MissingClaim { .. } => "sub",
                    _ => "required_claims",
                };
                checks.add(name, Err(error.clone()), "", "");
            }
            _ if !trusted.rules.required_claims.is_empty() && outcome.is_ok() => {
                let names: Vec<_> = trusted.rules.required_claims.keys().cloned().collect();
                checks.passed("required_claims", &names.join(", "), "as required");
            }
            _ => {}
        }
    }
}

impl TrustedIssuer {
    fn explain_header<T>(&self, jws: &Jws<'_, T>, checks: &mut Checks) {
        let algorithm = jws.algorithm().to_string();
        let allowed = match &*self.rules.algorithms {
            [] => "a supported algorithm".to_owned(),
            some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        checks.add("alg", self.check_algorithm(jws), &allowed, &algorithm);
        let accepted = match self.rules.require_at_jwt {
            true => "at+jwt",
            false => "at+jwt, JWT or none",
        };
        let typ = jws.typ().unwrap_or("none");
        checks.add("typ", self.check_typ(jws), accepted, typ);
    }
}

/// The checks so far.
#[derive(Default)]
pub(super) struct Checks(Vec<TokenCheck>);

impl Checks {
    /// A check with what is compared; when it fails, the error knows that better.
    pub(super) fn add(
        &mut self,
        name: &'static str,
        outcome: Result<(), TokenError>,
        expected: &str,
        actual: &str,
    ) {
        match outcome {
            Ok(()) => self.passed(name, expected, actual),
            Err(error) => {
                self.add_outcome(name, &Err::<(), _>(AuthError::InvalidToken(error)), "");
            }
        }
    }

    fn add_outcome<T>(&mut self, name: &'static str, outcome: &Result<T, AuthError>, passed: &str) {
        match outcome {
            Ok(_) => self.passed(name, passed, passed),
            Err(error) => {
                let Compared { expected, actual } = error.compared();
                self.0.push(TokenCheck { name, outcome: CheckOutcome::Failed, expected, actual });
            }
        }
    }

    fn passed(&mut self, name: &'static str, expected: &str, actual: &str) {
        self.0.push(TokenCheck {
            name,
            outcome: CheckOutcome::Passed,
            expected: expected.to_owned(),
            actual: actual.to_owned(),
        });
    }

    fn not_reached(&mut self, names: &[&'static str]) {
        self.0.extend(names.iter().map(|name| TokenCheck {
            name,
            outcome: CheckOutcome::NotReached,
            expected: String::new(),
            actual: String::new(),
        }));
    }
}
