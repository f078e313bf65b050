//! Verifiers of the user's own: a seam.

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::HeaderName;

use crate::auth_info::AuthInfo;
use crate::error::AuthError;

/// Verifies tokens in a way of your own: API keys, a session store, an issuer with rules that no
/// setting covers.
///
/// The first verifier that a token is for decides, and nobody is asked after it: yours, in the order
/// in which they were added; then the authorization servers, for JWTs by `iss` and for opaque tokens by
/// prefix. Required scopes and policies hold for every caller, whoever verified the token.
///
/// A caller whose `exp` is over, or whose `nbf` is yet to come, is refused, to the second.
///
/// Nothing of what it accepts is kept: a verifier that is slow should remember its own answers.
pub trait TokenVerifier: Send + Sync {
    /// Whether this token is for this verifier, told by its form alone, such as a prefix.
    fn is_for(&self, token: &str) -> bool;

    /// The caller behind the token, made with
    /// [`AuthInfo::from_verified_claims`](crate::AuthInfo::from_verified_claims).
    ///
    /// # Errors
    /// [`TokenError`](crate::errors::TokenError) in an [`AuthError`] when the token is not acceptable, which
    /// is a 401; [`Unavailable`](crate::errors::Unavailable) when that cannot be told right now, a 503.
    fn verify<'t>(&'t self, token: &'t str) -> BoxFuture<'t, Result<AuthInfo, AuthError>>;

    /// How long it may take to verify a token; then nothing is known of the token, which is a 503. Asked for
    /// each token, and kept where requests are checked within a tokio runtime.
    fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// The header that its tokens come in, as they are and without a scheme; `None`:
    /// `Authorization: Bearer`. Asked once.
    fn token_header(&self) -> Option<HeaderName> {
        None
    }
}
