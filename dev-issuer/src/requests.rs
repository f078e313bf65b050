//! How often each endpoint was asked.

/// How many requests each endpoint received, in every mode, CORS preflights not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requests {
    /// Metadata, at any well-known URL, also those that answer 404.
    pub metadata: u64,
    /// JWK Set.
    pub jwks: u64,
    /// Token endpoint.
    pub token: u64,
    /// Authorization endpoint, the consent form included.
    pub authorize: u64,
    /// Dynamic client registration.
    pub register: u64,
    /// Introspection.
    pub introspect: u64,
    /// Revocation.
    pub revoke: u64,
}
