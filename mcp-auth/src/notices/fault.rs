//! Why a notice is refused.

use std::fmt;

use crate::error::Unavailable;
use crate::text::Quoted;

/// Why a notice is refused. What was found is for the log: the answer is fixed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoticeFault {
    /// It is not what is received here: the reason.
    Malformed(String),
    /// `iss` is none whose notices are accepted.
    UnknownIssuer(String),
    /// `aud` names others alone.
    WrongAudience,
    /// No key of its issuer made the signature.
    BadSignature,
    /// The transmitter did not say in `Authorization` what was agreed.
    NotAuthenticated,
    /// It is too old, over, or of the future.
    WrongTime,
    /// It came before.
    SeenBefore,
    /// Whom it is about cannot be found in tokens: the reason.
    UnknownSubject(String),
    /// Too many forged ones came, or too many are remembered.
    TooMany,
    /// The issuer's keys cannot be had right now.
    Unavailable(Unavailable),
}

impl NoticeFault {
    pub(super) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed(reason.into())
    }

    /// For the log.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "notice_malformed",
            Self::UnknownIssuer(_) => "notice_unknown_issuer",
            Self::WrongAudience => "notice_wrong_audience",
            Self::BadSignature => "notice_bad_signature",
            Self::NotAuthenticated => "notice_not_authenticated",
            Self::WrongTime => "notice_wrong_time",
            Self::SeenBefore => "notice_seen_before",
            Self::UnknownSubject(_) => "notice_unknown_subject",
            Self::TooMany => "notice_too_many",
            Self::Unavailable(_) => "notice_unavailable",
        }
    }

    /// The code of RFC 8935 §2.4 and RFC 8936 §2.
    pub(crate) fn secevent_code(&self) -> &'static str {
        match self {
            Self::UnknownIssuer(_) => "invalid_issuer",
            Self::WrongAudience => "invalid_audience",
            Self::BadSignature => "invalid_key",
            Self::NotAuthenticated => "authentication_failed",
            Self::Malformed(_)
            | Self::WrongTime
            | Self::SeenBefore
            | Self::UnknownSubject(_)
            | Self::TooMany
            | Self::Unavailable(_) => "invalid_request",
        }
    }

    /// What the sender is told.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "it is not what is received here",
            Self::UnknownIssuer(_) => "nothing of this issuer is accepted",
            Self::WrongAudience => "it is for another audience",
            Self::BadSignature => "no known key of the issuer signed it",
            Self::NotAuthenticated => "the Authorization header is not the agreed one",
            Self::WrongTime => "it is too old or of the future",
            Self::SeenBefore => "it was received before",
            Self::UnknownSubject(_) => "its subject cannot be found in tokens",
            Self::TooMany => "too many were received",
            Self::Unavailable(_) => "it cannot be verified right now",
        }
    }
}

/// With what was found, for operators.
impl fmt::Display for NoticeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) | Self::UnknownSubject(reason) => f.write_str(reason),
            Self::UnknownIssuer(issuer) => write!(f, "the issuer is {}", Quoted(issuer)),
            Self::Unavailable(reason) => reason.fmt(f),
            _ => f.write_str(self.description()),
        }
    }
}
