//! Why a request is refused, and what each refusal looks like on the wire.

use std::fmt;

use http::StatusCode;

use crate::downstream_refusal::DownstreamRefusal;
pub use crate::message_fault::MessageFault;
use crate::scope::Scopes;
use crate::text::{Quoted, QuotedList, in_one_line, shown};
pub use crate::too_many_failures::TooManyFailures;

/// Why a request is not forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthError {
    /// The caller has to do something before a tool can call another API for them.
    Downstream(DownstreamRefusal),
    /// A policy other than scopes refuses; signing in again would not help.
    Forbidden(Forbidden),
    /// The token is good, but lacks a scope that the operation needs.
    InsufficientScope {
        /// Everything the operation needs.
        required: Scopes,
        /// What the token grants.
        granted: Scopes,
    },
    /// The server behind could read the body differently, so that nobody can tell what it asks for.
    InvalidMessage(MessageFault),
    /// The request carries its token in a way that RFC 6750 does not allow.
    InvalidRequest(RequestFault),
    /// The token is not acceptable.
    InvalidToken(TokenError),
    /// The request carries no bearer token.
    MissingToken,
    /// Too many requests of this sender were refused, and this one is as well.
    TooManyFailures(TooManyFailures),
    /// Whether the token is good cannot be told right now.
    Unavailable(Unavailable),
}

impl AuthError {
    /// The HTTP status of the refusal.
    pub fn status(&self) -> StatusCode {
        self.wire().status
    }

    /// A stable code for logs, tests and the SDKs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Downstream(refusal) => refusal.code(),
            Self::Forbidden(reason) => reason.code(),
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::InvalidMessage(fault) => fault.code(),
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidToken(error) => error.code(),
            Self::MissingToken => "missing_token",
            Self::TooManyFailures(_) => "too_many_failures",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// What was expected and what came instead, for the log. Each is inert and cut: a stranger chose it, or a hook
    /// made it of what a stranger chose.
    pub(crate) fn compared(&self) -> Compared {
        let compared = match self {
            Self::Downstream(refusal) => {
                Compared::new("what another API needs of the caller", refusal.code())
            }
            Self::Forbidden(Forbidden::Origin(origin)) => {
                Compared::new("an origin in `allowed_origins`", Quoted(origin).to_string())
            }
            Self::Forbidden(Forbidden::Policy(reason)) => {
                Compared::new("what the policy allows", format!("{reason:?}"))
            }
            Self::InsufficientScope { required, granted } => {
                Compared::new(first_scopes(required), first_scopes(granted))
            }
            Self::InvalidMessage(fault) => {
                let (expected, actual) = fault.compared();
                Compared::new(expected, actual)
            }
            Self::InvalidRequest(fault) => {
                Compared::new("one token in one Authorization header", fault.description())
            }
            Self::InvalidToken(error) => error.compared(),
            Self::MissingToken => Compared::new("a bearer token", "none"),
            Self::TooManyFailures(reason) => {
                Compared::new("fewer refusals, see `limits`", reason.refused_for)
            }
            Self::Unavailable(reason) => {
                Compared::new("an answer of the issuer", reason.to_string())
            }
        };
        Compared {
            expected: in_one_line(&compared.expected),
            actual: in_one_line(&compared.actual),
        }
    }

    /// The refusal as the client sees it: fixed text, never a value from the token.
    pub(crate) fn wire(&self) -> Wire {
        match self {
            Self::Downstream(refusal) => {
                let (status, error) = match refusal {
                    DownstreamRefusal::SignInAgain => (StatusCode::UNAUTHORIZED, "invalid_token"),
                    // As Entra ID's APIs have it, whose clients understand it.
                    DownstreamRefusal::StepUp { .. } => {
                        (StatusCode::UNAUTHORIZED, "insufficient_claims")
                    }
                    DownstreamRefusal::ConsentRequired { .. } => {
                        (StatusCode::FORBIDDEN, "insufficient_scope")
                    }
                };
                Wire::in_challenge_too(status, error, refusal.description())
            }
            Self::Forbidden(reason) => {
                Wire::in_body_alone(StatusCode::FORBIDDEN, "forbidden", reason.description())
            }
            Self::InsufficientScope { .. } => Wire::in_challenge_too(
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "the access token lacks a required scope",
            ),
            Self::InvalidMessage(fault) => {
                Wire::in_body_alone(fault.status(), "invalid_request", fault.description())
            }
            Self::InvalidRequest(fault) => Wire::in_challenge_too(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                fault.description(),
            ),
            Self::InvalidToken(error) => Wire::in_challenge_too(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                error.description(),
            ),
            // RFC 6750 §3.1: no error code when the request lacks authentication information.
            Self::MissingToken => Wire::in_body_alone(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "an access token is required",
            ),
            Self::TooManyFailures(_) => Wire::in_body_alone(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "too many requests were refused; try again later",
            ),
            Self::Unavailable(_) => Wire::in_body_alone(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the access token cannot be verified right now",
            ),
        }
    }
}

/// What a refusal looks like on the wire: one row of the table [`AuthError::wire`].
pub(crate) struct Wire {
    pub(crate) status: StatusCode,
    /// `error` of the JSON body, and of the challenge when `in_challenge`.
    pub(crate) error: &'static str,
    pub(crate) in_challenge: bool,
    pub(crate) description: &'static str,
}

impl Wire {
    /// The error stands in the JSON body, and in the challenge if there is one.
    fn in_challenge_too(
        status: StatusCode,
        error: &'static str,
        description: &'static str,
    ) -> Self {
        Self { status, error, in_challenge: true, description }
    }

    /// The error stands in the JSON body; a challenge names none.
    fn in_body_alone(status: StatusCode, error: &'static str, description: &'static str) -> Self {
        Self { status, error, in_challenge: false, description }
    }
}

/// What was expected and what came instead, for logs and explanations; never for clients. What a stranger chose is
/// quoted and cut.
pub(crate) struct Compared {
    pub(crate) expected: String,
    pub(crate) actual: String,
}

impl Compared {
    fn new(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { expected: expected.into(), actual: actual.into() }
    }
}

/// With the compared values, for operators; what clients see is fixed text.
impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsufficientScope { required, granted } => {
                write!(f, "scopes [{required}] are required, the token grants [{granted}]")
            }
            Self::InvalidToken(error) => error.fmt(f),
            Self::Unavailable(reason) => reason.fmt(f),
            _ => f.write_str(self.wire().description),
        }
    }
}

impl std::error::Error for AuthError {}

impl From<TokenError> for AuthError {
    fn from(error: TokenError) -> Self {
        Self::InvalidToken(error)
    }
}

/// A refusal by policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forbidden {
    /// The `Origin` header names a web origin that is not allowed.
    Origin(String),
    /// The policy, for a reason that no scope would change. The reason is for logs.
    Policy(String),
}

impl Forbidden {
    fn code(&self) -> &'static str {
        match self {
            Self::Origin(_) => "origin_not_allowed",
            Self::Policy(_) => "policy_denied",
        }
    }

    fn description(&self) -> &'static str {
        match self {
            Self::Origin(_) => "the Origin is not in `allowed_origins`",
            Self::Policy(_) => "the policy of this server does not allow it",
        }
    }
}

/// How a request misuses the ways of sending a token (RFC 6750 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestFault {
    /// The `Authorization` header is not `Bearer` and one token.
    MalformedAuthorization,
    /// More than one `Authorization` header.
    SeveralTokens,
    /// An `access_token` in the query string, where logs and caches would keep it.
    TokenInQuery,
}

impl RequestFault {
    fn description(self) -> &'static str {
        match self {
            Self::MalformedAuthorization => {
                "the Authorization header is not `Bearer` and one token"
            }
            Self::SeveralTokens => "the request has more than one Authorization header",
            Self::TokenInQuery => "an access token must not be sent in the query string",
        }
    }
}

impl From<MessageFault> for AuthError {
    fn from(fault: MessageFault) -> Self {
        Self::InvalidMessage(fault)
    }
}

/// A handler needs more scopes than the token grants: [`AuthInfo::require`](crate::AuthInfo::require).
///
/// Return it at once: as an axum response or an rmcp error it becomes a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InsufficientScope {
    /// Everything that is needed.
    pub required: Scopes,
    /// What the token grants.
    pub granted: Scopes,
    /// The challenge (RFC 6750 §3) that asks for it, where the resource is known.
    pub challenge: Option<String>,
}

impl InsufficientScope {
    pub(crate) fn new(required: Scopes, granted: Scopes, challenge: Option<String>) -> Self {
        Self { required, granted, challenge }
    }
}

impl fmt::Display for InsufficientScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the access token lacks a required scope: {}", self.required)
    }
}

impl std::error::Error for InsufficientScope {}

impl From<InsufficientScope> for AuthError {
    fn from(error: InsufficientScope) -> Self {
        Self::InsufficientScope { required: error.required, granted: error.granted }
    }
}

/// Why a token is not acceptable. Carries what was compared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// `alg` is `none`, symmetric, unknown, or not allowed for this issuer.
    AlgorithmNotAllowed {
        /// The header's `alg`.
        algorithm: String,
    },
    /// The signature was not made by a key of the issuer that was tried.
    BadSignature {
        /// How many keys could have made it and were not tried, because there are too many without a name.
        untried: usize,
    },
    /// A claim has none of the values in `required_claims`.
    ClaimNotAccepted {
        /// Its name or JSON Pointer.
        claim: String,
    },
    /// `exp` has passed, clock tolerance included.
    Expired {
        /// The token's `exp`, in seconds since 1970.
        exp: u64,
        /// The time of the check, in seconds since 1970.
        now: u64,
    },
    /// Its issuer says that it is not, or no longer, active.
    Inactive,
    /// Not a signed JWT in a form that can be read.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// A claim that must be there is not.
    MissingClaim {
        /// Its name.
        claim: &'static str,
    },
    /// `nbf` or `iat` is in the future, clock tolerance included.
    NotYetValid {
        /// The later of both, in seconds since 1970.
        valid_from: u64,
        /// The time of the check, in seconds since 1970.
        now: u64,
    },
    /// It was revoked since it was issued.
    Revoked,
    /// `cnf` binds the token to a key whose possession was not proven.
    SenderConstrained,
    /// `iss` is not one of this resource's authorization servers.
    UnknownIssuer {
        /// The token's `iss`.
        actual: String,
        /// The configured issuers.
        expected: Vec<String>,
    },
    /// The issuer has no key with this `kid` for this algorithm.
    UnknownKey {
        /// The header's `kid`.
        key_id: Option<String>,
    },
    /// `aud` does not name this resource.
    WrongAudience {
        /// The token's `aud`.
        actual: Vec<String>,
        /// The accepted audiences.
        expected: Vec<String>,
    },
    /// Not an access token: an ID token, a refresh token, a logout token, another kind of JWT.
    WrongType {
        /// The marker that gave it away.
        reason: String,
    },
}

impl TokenError {
    /// The stable code, which Rust, Python, Node and `vectors/` share.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlgorithmNotAllowed { .. } => "algorithm_not_allowed",
            Self::BadSignature { .. } => "bad_signature",
            Self::ClaimNotAccepted { .. } => "claim_not_accepted",
            Self::Expired { .. } => "expired",
            Self::Inactive => "inactive",
            Self::Malformed { .. } => "malformed",
            Self::MissingClaim { .. } => "missing_claim",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::SenderConstrained => "sender_constrained",
            Self::UnknownIssuer { .. } => "unknown_issuer",
            Self::UnknownKey { .. } => "unknown_key",
            Self::WrongAudience { .. } => "wrong_audience",
            Self::WrongType { .. } => "wrong_type",
        }
    }

    /// What the client may know.
    fn description(&self) -> &'static str {
        match self {
            Self::AlgorithmNotAllowed { .. } => "the signature algorithm is not allowed",
            Self::BadSignature { .. } => "the signature does not verify",
            Self::ClaimNotAccepted { .. } => "a claim has a value that is not accepted here",
            Self::Expired { .. } => "the access token expired",
            Self::Inactive => "the access token is not active",
            Self::Malformed { .. } => "the access token is malformed",
            Self::MissingClaim { .. } => "a required claim is missing",
            Self::NotYetValid { .. } => "the access token is not valid yet",
            Self::Revoked => "the access token is not active",
            Self::SenderConstrained => "the access token is bound to a key and needs its proof",
            Self::UnknownIssuer { .. } => "the issuer is not trusted here",
            Self::UnknownKey { .. } => "the signing key is unknown",
            Self::WrongAudience { .. } => "the access token was issued for another resource",
            Self::WrongType { .. } => "not an access token",
        }
    }

    /// Not yet cut: [`AuthError::compared`] does that.
    fn compared(&self) -> Compared {
        match self {
            Self::AlgorithmNotAllowed { algorithm } => {
                Compared::new("an allowed algorithm", Quoted(algorithm).to_string())
            }
            Self::BadSignature { untried } => {
                Compared::new("a signature by the issuer's key", tried_keys(*untried))
            }
            Self::ClaimNotAccepted { claim } => {
                Compared::new(format!("claim {claim:?} as in `required_claims`"), "another value")
            }
            Self::Expired { exp, now } => {
                Compared::new(format!("exp after {now}"), exp.to_string())
            }
            Self::Inactive => Compared::new("an active token", "not active, says its issuer"),
            Self::Malformed { reason } => Compared::new("a signed JWT", reason.as_str()),
            Self::MissingClaim { claim } => Compared::new(*claim, "absent"),
            Self::NotYetValid { valid_from, now } => {
                Compared::new(format!("valid at {now}"), valid_from.to_string())
            }
            Self::Revoked => Compared::new("issued after the revocation", "revoked"),
            Self::SenderConstrained => {
                Compared::new("no `cnf`, a bearer token", "`cnf`, or another `token_type`")
            }
            Self::UnknownIssuer { actual, expected } => {
                let without_slash = actual.trim_end_matches('/');
                let differs_by_slash =
                    expected.iter().any(|issuer| issuer.trim_end_matches('/') == without_slash);
                let hint = match differs_by_slash {
                    true => ", which differs only by a slash at the end",
                    false => "",
                };
                Compared::new(format!("{expected:?}"), format!("{}{hint}", Quoted(actual)))
            }
            Self::UnknownKey { key_id: Some(key_id) } => {
                Compared::new("a key that the issuer publishes", Quoted(key_id).to_string())
            }
            Self::UnknownKey { key_id: None } => {
                Compared::new("a key that the issuer publishes", "none named")
            }
            Self::WrongAudience { actual, expected } => {
                Compared::new(format!("{expected:?}"), QuotedList(actual).to_string())
            }
            Self::WrongType { reason } => Compared::new("an access token", reason.as_str()),
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compared { expected, actual } = self.compared();
        write!(f, "{}: expected {expected}, got {}", self.description(), in_one_line(&actual))
    }
}

impl std::error::Error for TokenError {}

/// Which keys did not make a signature.
fn tried_keys(untried: usize) -> String {
    match untried {
        0 => "another".to_owned(),
        1 => "none by those that were tried; 1 key was not tried".to_owned(),
        _ => format!("none by those that were tried; {untried} keys were not tried"),
    }
}

/// The first few of these scopes, each cut.
fn first_scopes(scopes: &Scopes) -> String {
    const MOST: usize = 16;
    let mut first: Vec<String> = scopes.iter().take(MOST).map(shown).collect();
    if scopes.iter().nth(MOST).is_some() {
        first.push("…".to_owned());
    }
    first.join(" ")
}

/// An authorization server could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unavailable {
    /// The issuer that could not be asked.
    pub issuer: String,
    /// Why, for operators.
    pub reason: String,
    /// Seconds after which a client should try again.
    pub retry_after: u64,
}

impl Unavailable {
    /// For verifiers of your own: who could not be asked, why, and when to try again, in seconds.
    pub fn new(issuer: impl fmt::Display, reason: impl Into<String>, retry_after: u64) -> Self {
        Self { issuer: issuer.to_string(), reason: reason.into(), retry_after }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A verify function stands in place of an issuer, by its name.
        match self.issuer.contains("://") {
            true => write!(f, "issuer {} is unavailable: {}", self.issuer, self.reason),
            false => write!(f, "{} could not tell: {}", self.issuer, self.reason),
        }
    }
}

impl std::error::Error for Unavailable {}
