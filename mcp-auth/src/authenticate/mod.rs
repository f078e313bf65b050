//! WHO IS CALLING? From a request's headers to an [`AuthInfo`](crate::AuthInfo).

mod acceptance;
mod asked_issuers;
mod asked_revocations;
mod authenticator;
mod bearer;
mod cache;
mod claims_validation;
mod issuer_rules;
mod jwt;
mod opaque;
mod own_verifier;
mod refused_tokens;
mod token_checks;
mod token_verifier;

pub(crate) use acceptance::Acceptance;
pub(crate) use asked_issuers::IssuerSays;
pub(crate) use asked_revocations::AskedRevocations;
pub use authenticator::KeyHint;
pub(crate) use authenticator::{Authenticator, TrustedIssuer};
pub(crate) use bearer::{BearerToken, TokenSource};
pub(crate) use cache::TokenCache;
pub(crate) use claims_validation::Rules;
pub(crate) use issuer_rules::IssuerRules;
pub(crate) use opaque::OpaqueTokens;
pub(crate) use own_verifier::OwnVerifier;
pub use token_checks::{CheckOutcome, TokenCheck};
pub use token_verifier::TokenVerifier;
