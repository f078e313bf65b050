//! What the token endpoint is asked for, told apart for the counters.

/// A kind of question to the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenQuestion {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    TokenExchange,
    /// An exchange whose answer is an ID-JAG.
    IdJag,
    OnBehalfOf,
    /// `jwt-bearer` with the ID-JAG of another issuer.
    JwtBearer,
}
