//! A refusal of a sender that is refused too often.

use crate::error::AuthError;

/// Too many requests of one address or one caller were refused, so that this refusal is not told in full: `limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooManyFailures {
    /// Seconds after which a refusal would be told in full again. What is allowed is allowed at any time.
    pub retry_after: u64,
    /// The code of the refusal, for operators.
    pub refused_for: &'static str,
}

impl TooManyFailures {
    pub(crate) fn new(retry_after: u64, refused_for: &'static str) -> Self {
        Self { retry_after, refused_for }
    }
}

impl From<TooManyFailures> for AuthError {
    fn from(error: TooManyFailures) -> Self {
        Self::TooManyFailures(error)
    }
}
