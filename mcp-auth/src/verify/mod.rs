//! WHO IS CALLING? From a request's headers to an [`AuthInfo`](crate::AuthInfo).

mod bearer;
mod claims;
mod jwt;

pub(crate) use bearer::BearerToken;
pub(crate) use claims::{Claims, Rules};
pub(crate) use jwt::{TrustedIssuer, Verifier};
