//! A verifier of the user's, asked so that a failure of it is a 503 and ends no request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;
use tokio::runtime::Handle;

use super::{TokenSource, TokenVerifier};
use crate::auth_info::AuthInfo;
use crate::clock::Clock;
use crate::error::{AuthError, TokenError, Unavailable};

/// A verifier, and where its tokens are.
pub(crate) struct OwnVerifier {
    pub(crate) source: TokenSource,
    pub(crate) verifier: Arc<dyn TokenVerifier>,
}

impl OwnVerifier {
    /// Whether a token is for it, told by its form. If that fails, nobody can tell who would know the token.
    pub(super) fn is_for(&self, token: &str) -> Result<bool, AuthError> {
        let told = catch_unwind(AssertUnwindSafe(|| self.verifier.is_for(token)));
        told.map_err(|_| failed("`is_for` panicked"))
    }

    /// The caller behind a token. If it panics, or takes too long, it can tell nothing about it.
    pub(super) async fn verify(
        &self,
        token: &str,
        clock: &dyn Clock,
    ) -> Result<AuthInfo, AuthError> {
        let own = &self.verifier;
        let asked = AssertUnwindSafe(async {
            match Handle::try_current() {
                Ok(_) => tokio::time::timeout(own.timeout(), own.verify(token)).await.ok(),
                // Without tokio, time is the business of whoever runs the service.
                Err(_) => Some(own.verify(token).await),
            }
        });
        let caller = match asked.catch_unwind().await {
            Ok(Some(answer)) => answer?,
            Ok(None) => return Err(failed("it gave no answer in time")),
            Err(_) => return Err(failed("it panicked")),
        };
        // While it was asked, time went by.
        check_times(&caller, clock.unix_seconds())?;
        Ok(caller)
    }
}

/// The times among the claims hold to the second: whoever wrote the verifier has its own clock in mind.
fn check_times(caller: &AuthInfo, now: u64) -> Result<(), AuthError> {
    for name in ["exp", "nbf"] {
        if caller.claims().get(name).is_some_and(|time| !time.is_number()) {
            return Err(failed("a time among its claims is no number"));
        }
    }
    if let Some(exp) = caller.expires_at().filter(|exp| *exp <= now) {
        return Err(TokenError::Expired { exp, now }.into());
    }
    let not_before = caller.claims().get("nbf").and_then(Value::as_f64);
    if let Some(nbf) = not_before.filter(|nbf| *nbf > Duration::from_secs(now).as_secs_f64()) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "after now, and claims with a time beyond the year 9999 are not read"
        )]
        let valid_from = nbf.ceil() as u64;
        return Err(TokenError::NotYetValid { valid_from, now }.into());
    }
    Ok(())
}

fn failed(reason: &str) -> AuthError {
    tracing::error!(reason, "a token verifier failed, so that nothing is known of the token");
    let seconds = 5;
    AuthError::Unavailable(Unavailable::new("a token verifier", reason, seconds))
}
