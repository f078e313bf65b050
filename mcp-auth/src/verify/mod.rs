//! WHO IS CALLING? From a request's headers to an [`AuthInfo`](crate::AuthInfo).

mod bearer;
mod cache;
mod claims;
mod issuer_rules;
mod jwt;

pub(crate) use bearer::BearerToken;
pub(crate) use cache::TokenCache;
pub(crate) use claims::{Claims, Rules};
pub(crate) use issuer_rules::IssuerRules;
pub(crate) use jwt::{TrustedIssuer, Verifier};
