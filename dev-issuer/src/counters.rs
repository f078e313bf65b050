//! Counts requests for each endpoint, so that a test can assert how often something was asked.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::endpoint::Endpoint;
use crate::requests::Requests;
use crate::token_question::TokenQuestion;

/// One counter for each [`Endpoint`], and one for each [`TokenQuestion`].
#[derive(Default)]
pub(crate) struct Counters {
    /// By the number of the endpoint's variant.
    by_endpoint: [AtomicU64; 10],
    /// By the number of the question's variant.
    by_question: [AtomicU64; 7],
}

impl Counters {
    pub(crate) fn count(&self, endpoint: Endpoint) {
        self.by_endpoint[endpoint as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_question(&self, question: TokenQuestion) {
        self.by_question[question as usize].fetch_add(1, Ordering::Relaxed);
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
            authorization_code: self.of_question(TokenQuestion::AuthorizationCode),
            refresh_token: self.of_question(TokenQuestion::RefreshToken),
            client_credentials: self.of_question(TokenQuestion::ClientCredentials),
            token_exchange: self.of_question(TokenQuestion::TokenExchange),
            id_jag: self.of_question(TokenQuestion::IdJag),
            on_behalf_of: self.of_question(TokenQuestion::OnBehalfOf),
            jwt_bearer: self.of_question(TokenQuestion::JwtBearer),
        }
    }

    fn of(&self, endpoint: Endpoint) -> u64 {
        self.by_endpoint[endpoint as usize].load(Ordering::Relaxed)
    }

    fn of_question(&self, question: TokenQuestion) -> u64 {
        self.by_question[question as usize].load(Ordering::Relaxed)
    }
}
