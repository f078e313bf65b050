//! Refusals of senders that are refused often: [`FailureLimits`](crate::limits::FailureLimits) counts them.
//!
//! Nothing is counted before it is certain that a request is refused, and what goes on is never looked at here. So a limit
//! makes another answer of a refusal, and never a refusal.
//!
//! Tested in `serve::failure_limits`.

use http::request::Parts;

use super::Resource;
use crate::auth_info::AuthInfo;
use crate::authenticate::BearerToken;
use crate::error::AuthError;
use crate::limits::Sender;

impl Resource {
    /// The caller behind a token, whatever its sender was refused before. Only where an issuer has to be asked about it
    /// others may come first.
    pub(super) async fn authenticate_unlimited(
        &self,
        mut token: BearerToken<'_>,
        request: &Parts,
    ) -> Result<AuthInfo, AuthError> {
        if let Some(limits) = &self.limits {
            token.may_wait = limits.is_beyond(&limits.sender(request, None));
        }
        self.authenticator.authenticate(token).await
    }

    /// Counts a refusal: the same refusal, or what takes its place beyond a limit.
    pub(super) fn limited(
        &self,
        error: AuthError,
        request: &Parts,
        caller: Option<&AuthInfo>,
    ) -> AuthError {
        match self.sender(request) {
            Some(sender) => self.limited_for(error, &sender, caller),
            None => error,
        }
    }

    /// The same for a sender that is known already.
    pub(super) fn limited_for(
        &self,
        error: AuthError,
        sender: &Sender,
        caller: Option<&AuthInfo>,
    ) -> AuthError {
        match &self.limits {
            Some(limits) => limits.count(error, sender, caller),
            None => error,
        }
    }

    /// The same for what a handler refused, where the caller is known and nothing else has to be.
    pub(super) fn limited_by_handler(
        &self,
        error: AuthError,
        caller: Option<&AuthInfo>,
    ) -> AuthError {
        self.limited_for(error, &Sender::default(), caller)
    }

    /// Who sent a request, as far as a limit asks for it.
    pub(super) fn sender(&self, request: &Parts) -> Option<Sender> {
        let limits = self.limits.as_ref()?;
        let token = BearerToken::from_request(request, &self.authenticator.token_headers);
        let bytes = match &token {
            Ok(token) => Some(token.as_bytes()),
            // It is refused for that.
            Err(_) => None,
        };
        Some(limits.sender(request, bytes))
    }
}
