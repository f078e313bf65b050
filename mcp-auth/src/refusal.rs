//! A refusal as data: what other languages make their exceptions of, and what a log of your own can hold.
//!
//! Every refusal is one JSON object:
//!
//! | member | what |
//! |---|---|
//! | `kind` | `downstream`, `forbidden`, `limit`, `request`, `scope`, `token` or `unavailable`: which class of error it is |
//! | `code` | what [`AuthError::code`] says |
//! | `status` | the HTTP status |
//! | `description` | the fixed text that the client gets |
//! | `message` | the description with the compared values, for operators |
//! | `compared` | the compared values by name; empty where nothing was compared |

use serde_json::{Value, json};

use crate::downstream_refusal::DownstreamRefusal;
use crate::error::{AuthError, Forbidden, InsufficientScope, TokenError};

impl AuthError {
    /// The refusal as one JSON object, of which Python and Node make their exceptions: `kind`, `code`, `status`,
    /// `description`, `message` and `compared`.
    ///
    /// `message` and `compared` hold values that a stranger chose: they are for operators, and no answer to a client
    /// may have them.
    ///
    /// ```
    /// use mcp_auth::errors::TokenError;
    /// use mcp_auth::AuthError;
    ///
    /// let refusal = AuthError::from(TokenError::Expired { exp: 1_000, now: 1_100 }).json();
    /// assert_eq!((&refusal["kind"], &refusal["code"]), (&"token".into(), &"expired".into()));
    /// assert_eq!(refusal["compared"]["exp"], 1_000);
    /// ```
    pub fn json(&self) -> Value {
        json!({
            "kind": self.kind(),
            "code": self.code(),
            "status": self.status().as_u16(),
            "description": self.wire().description,
            "message": self.to_string(),
            "compared": self.compared_values(),
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Downstream(_) => "downstream",
            Self::Forbidden(_) => "forbidden",
            Self::InsufficientScope { .. } => "scope",
            Self::InvalidMessage(_) | Self::InvalidRequest(_) | Self::MissingToken => "request",
            Self::InvalidToken(_) => "token",
            Self::TooManyFailures(_) => "limit",
            Self::Unavailable(_) => "unavailable",
        }
    }

    fn compared_values(&self) -> Value {
        match self {
            Self::Downstream(DownstreamRefusal::StepUp { claims }) => json!({ "claims": claims }),
            Self::Downstream(DownstreamRefusal::ConsentRequired { scopes }) => {
                json!({ "scopes": scopes })
            }
            Self::Downstream(DownstreamRefusal::SignInAgain) => json!({}),
            Self::Forbidden(Forbidden::Origin(origin)) => json!({ "origin": origin }),
            Self::Forbidden(Forbidden::Policy(reason)) => json!({ "reason": reason }),
            Self::InsufficientScope { required, granted } => {
                json!({ "required": required, "granted": granted })
            }
            Self::InvalidToken(error) => error.compared_values(),
            Self::TooManyFailures(reason) => json!({
                "refused_for": reason.refused_for,
                "retry_after": reason.retry_after,
            }),
            Self::Unavailable(unavailable) => json!({
                "issuer": unavailable.issuer,
                "reason": unavailable.reason,
                "retry_after": unavailable.retry_after,
            }),
            Self::InvalidMessage(_) | Self::InvalidRequest(_) | Self::MissingToken => json!({}),
        }
    }
}

impl TokenError {
    fn compared_values(&self) -> Value {
        match self {
            Self::AlgorithmNotAllowed { algorithm } => json!({ "algorithm": algorithm }),
            Self::ClaimNotAccepted { claim } => json!({ "claim": claim }),
            Self::Expired { exp, now } => json!({ "exp": exp, "now": now }),
            Self::Malformed { reason } | Self::WrongType { reason } => json!({ "reason": reason }),
            Self::MissingClaim { claim } => json!({ "claim": claim }),
            Self::NotYetValid { valid_from, now } => {
                json!({ "valid_from": valid_from, "now": now })
            }
            Self::UnknownIssuer { actual, expected } => {
                json!({ "actual": actual, "expected": expected })
            }
            Self::UnknownKey { key_id } => json!({ "key_id": key_id }),
            Self::WrongAudience { actual, expected } => {
                json!({ "actual": actual, "expected": expected })
            }
            Self::BadSignature { untried: 0 }
            | Self::Inactive
            | Self::Revoked
            | Self::SenderConstrained => {
                json!({})
            }
            Self::BadSignature { untried } => json!({ "untried": untried }),
        }
    }
}

impl InsufficientScope {
    /// The refusal as data, as [`AuthError::json`] has it; where the challenge is known, it is `compared.challenge`.
    pub fn json(&self) -> Value {
        let mut refusal = AuthError::from(self.clone()).json();
        if let Some(challenge) = &self.challenge {
            refusal["compared"]["challenge"] = json!(challenge);
        }
        refusal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{TooManyFailures, Unavailable};
    use crate::scope::Scopes;

    #[test]
    fn a_refusal_holds_what_was_compared_beside_the_fixed_text() {
        let error = TokenError::WrongAudience {
            actual: vec!["https://other.example".to_owned()],
            expected: vec!["https://mcp.example.com/mcp".to_owned()],
        };
        let expected = json!({
            "kind": "token",
            "code": "wrong_audience",
            "status": 401,
            "description": "the access token was issued for another resource",
            "message": "the access token was issued for another resource: expected [\"https://mcp.example.com/mcp\"], got [\"https://other.example\"]",
            "compared": { "actual": ["https://other.example"], "expected": ["https://mcp.example.com/mcp"] },
        });
        assert_eq!(AuthError::from(error).json(), expected);
    }

    #[test]
    fn each_kind_names_its_values() {
        let (required, granted) = (Scopes::parse("a b"), Scopes::parse("a"));
        let rows = [
            (AuthError::MissingToken, "request", json!({})),
            (
                AuthError::Forbidden(Forbidden::Policy("no".to_owned())),
                "forbidden",
                json!({ "reason": "no" }),
            ),
            (
                AuthError::InsufficientScope { required, granted },
                "scope",
                json!({ "required": ["a", "b"], "granted": ["a"] }),
            ),
            (
                AuthError::TooManyFailures(TooManyFailures::new(7, "inactive")),
                "limit",
                json!({ "refused_for": "inactive", "retry_after": 7 }),
            ),
            (TokenError::BadSignature { untried: 0 }.into(), "token", json!({})),
            (TokenError::BadSignature { untried: 2 }.into(), "token", json!({ "untried": 2 })),
            (
                AuthError::Unavailable(Unavailable::new("https://as.example", "down", 5)),
                "unavailable",
                json!({ "issuer": "https://as.example", "reason": "down", "retry_after": 5 }),
            ),
        ];
        for (error, kind, compared) in rows {
            let refusal = error.json();
            assert_eq!((&refusal["kind"], &refusal["compared"]), (&json!(kind), &compared));
        }
    }

    #[test]
    fn a_handler_s_refusal_has_its_challenge() {
        let challenge = Some("Bearer scope=\"a\"".to_owned());
        let error = InsufficientScope::new(Scopes::parse("a"), Scopes::default(), challenge);
        assert_eq!(error.json()["compared"]["challenge"], "Bearer scope=\"a\"");
        let unknown = InsufficientScope::new(Scopes::parse("a"), Scopes::default(), None);
        assert_eq!(unknown.json()["compared"].get("challenge"), None);
    }
}
