//! Code of the user's that knows which tokens were taken back: a seam.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::auth_info::AuthInfo;

/// Says of accepted tokens whether they were taken back since, by what only you know: a table of dismissed employees, a
/// session store.
///
/// It is asked when a token is accepted first, and the request waits for that. A token that is kept is asked about again
/// when the last answer is older than [`interval`](Self::interval): in the background, while requests go on by the last
/// answer. Where that is older than twice the interval, because there is no answer, requests wait and are refused (503). So
/// whoever is taken back is out after the interval and the time that an answer takes, at the first request that comes; and
/// after twice the interval at most.
///
/// An error, a panic and an answer that comes too late say nothing of the token. Only what is known at once, and changes
/// nothing outside, should be told by [`McpAuth::revoke`](crate::McpAuth::revoke) instead, which needs no question.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use mcp_auth::AuthInfo;
/// use mcp_auth::revocation::{RevocationCheck, RevocationCheckError};
///
/// struct Dismissed;
///
/// impl RevocationCheck for Dismissed {
///     fn is_revoked<'c>(
///         &'c self,
///         caller: &'c AuthInfo,
///     ) -> BoxFuture<'c, Result<bool, RevocationCheckError>> {
///         Box::pin(async move { Ok(caller.subject() == Some("mallory")) })
///     }
/// }
/// # fn build(config: mcp_auth::Config) -> Result<(), mcp_auth::ConfigError> {
/// let auth = mcp_auth::McpAuth::builder(config).revocation_check(Dismissed).build()?;
/// # Ok(())
/// # }
/// ```
pub trait RevocationCheck: Send + Sync {
    /// Whether the token of this caller was taken back: then it is refused (401, `revoked` in the log).
    ///
    /// # Errors
    /// [`RevocationCheckError`] when that cannot be told right now.
    fn is_revoked<'c>(
        &'c self,
        caller: &'c AuthInfo,
    ) -> BoxFuture<'c, Result<bool, RevocationCheckError>>;

    /// How old an answer may be before it is asked for again. Asked once.
    fn interval(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// How long an answer may take. Kept where requests are checked within a tokio runtime.
    fn timeout(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// Why a [`RevocationCheck`] cannot tell; for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationCheckError {
    reason: String,
}

impl RevocationCheckError {
    /// With the reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for RevocationCheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for RevocationCheckError {}
