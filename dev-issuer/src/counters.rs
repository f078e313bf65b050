//! Counts requests for each endpoint, so that a test can assert how often something was asked.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::endpoint::Endpoint;
use crate::requests::Requests;

/// One counter for each [`Endpoint`].
#[derive(Default)]
pub(crate) struct Counters {
    /// By the number of the endpoint's variant.
    by_endpoint: [AtomicU64; 10],
}

impl Counters {
    pub(crate) fn count(&self, endpoint: Endpoint) {
        self.by_endpoint[endpoint as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub(crate) fn snapshot(&self) -> Requests {
        Requests {
            metadata: self.of(Endpoint::Metadata),
            jwks: self.of(Endpoint::Jwks),
            token: self.of(Endpoint::Token),
            authorize: self.of(Endpoint::Authorize),
            register: self.of(Endpoint::Register),
            introspect: self.of(Endpoint::Introspect),
            revoke: self.of(Endpoint::Revoke),
        }
    }

    fn of(&self, endpoint: Endpoint) -> u64 {
        self.by_endpoint[endpoint as usize].load(Ordering::Relaxed)
    }
}
