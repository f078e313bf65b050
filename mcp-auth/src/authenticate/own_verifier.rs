//! A verifier of the user's, asked so that a failure of it is a 503 and ends no request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::runtime::Handle;

use super::{TokenSource, TokenVerifier};
use crate::auth_info::AuthInfo;
use crate::error::{AuthError, Unavailable};

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
    pub(super) async fn verify(&self, token: &str) -> Result<AuthInfo, AuthError> {
        let own = &self.verifier;
        let asked = AssertUnwindSafe(async {
            match Handle::try_current() {
                Ok(_) => tokio::time::timeout(own.timeout(), own.verify(token)).await.ok(),
                // Without tokio, time is the business of whoever runs the service.
                Err(_) => Some(own.verify(token).await),
            }
        });
        match asked.catch_unwind().await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(failed("it gave no answer in time")),
            Err(_) => Err(failed("it panicked")),
        }
    }
}

fn failed(reason: &str) -> AuthError {
    tracing::error!(reason, "a token verifier failed, so that nothing is known of the token");
    let seconds = 5;
    AuthError::Unavailable(Unavailable::new("a token verifier", reason, seconds))
}
