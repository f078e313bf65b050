//! WHO IS CALLING? From a request's headers to an [`AuthInfo`](crate::AuthInfo).

mod bearer;
mod cache;
mod claims;
mod flights;
mod issuer_rules;
mod jwt;
mod opaque;
mod own_verifier;
mod refused_tokens;
mod token_explanation;
mod token_verifier;
mod verifier;

pub(crate) use bearer::{BearerToken, TokenSource};
pub(crate) use cache::TokenCache;
pub(crate) use claims::{Claims, Rules};
pub(crate) use issuer_rules::IssuerRules;
pub(crate) use opaque::OpaqueTokens;
pub(crate) use own_verifier::OwnVerifier;
pub use token_explanation::{CheckOutcome, TokenCheck, TokenExplanation};
pub use token_verifier::TokenVerifier;
pub(crate) use verifier::{TrustedIssuer, Verifier};
