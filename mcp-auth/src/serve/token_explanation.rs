//! Why a token is accepted or refused, and what its caller may do: for people.
//!
//! Tested in `authenticate::explanation`.

use serde::Serialize;

use crate::authenticate::TokenCheck;
use crate::authorize::Explanation;
use crate::scope::Scopes;

/// Why a resource accepts a token or refuses it: [`McpAuth::explain_token`](crate::McpAuth::explain_token).
///
/// It holds what was compared, such as issuers, audiences and times, and of the caller only the granted
/// scopes: no claim that tells who they are, and never the signature.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TokenExplanation {
    /// The resource that was asked.
    pub resource: String,
    /// Whether the token says who is calling. What they may do is in `operations`.
    pub accepted: bool,
    /// `ok`, or the code of the refusal.
    pub code: &'static str,
    /// Every check in its order, also those after one that failed.
    pub checks: Vec<TokenCheck>,
    /// The scopes that every request needs.
    pub required: Scopes,
    /// The scopes that the token grants; none when it is refused.
    pub granted: Scopes,
    /// What the rules of the policy say about this caller, for every operation that one names.
    pub operations: Vec<Explanation>,
}
