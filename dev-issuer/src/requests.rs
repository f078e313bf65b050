use std::sync::atomic::{AtomicU64, Ordering};

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

/// The endpoints that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Metadata,
    Jwks,
    Token,
    Authorize,
    Register,
    Introspect,
    Revoke,
    Userinfo,
    Control,
    Unknown,
}

impl Endpoint {
    /// Whether pages of other origins may read the answer.
    pub(crate) fn is_open_to_browsers(self) -> bool {
        use Endpoint::*;
        matches!(self, Metadata | Jwks | Token | Register | Revoke | Userinfo)
    }
}

#[derive(Default)]
pub(crate) struct Counters([AtomicU64; 10]);

impl Counters {
    pub(crate) fn count(&self, endpoint: Endpoint) {
        self.0[endpoint as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Requests {
        let count = |endpoint: Endpoint| self.0[endpoint as usize].load(Ordering::Relaxed);
        Requests {
            metadata: count(Endpoint::Metadata),
            jwks: count(Endpoint::Jwks),
            token: count(Endpoint::Token),
            authorize: count(Endpoint::Authorize),
            register: count(Endpoint::Register),
            introspect: count(Endpoint::Introspect),
            revoke: count(Endpoint::Revoke),
        }
    }
}
