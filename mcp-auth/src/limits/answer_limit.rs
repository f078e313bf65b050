//! How often something may be answered for one user, whatever came of it.

use std::sync::Arc;

use super::failure_limiter::{Counted, FailureLimiter};
use super::failure_limits::{hash_of, hex};
use super::shared_failures::{CommonCount, SharedFailures};
use super::steady_time::SteadyTime;
use crate::clock::Clock;
use crate::config::FailureLimit;

/// Counts answers for users by the `iss` and `sub` of their tokens, with other instances where they share a store.
pub(crate) struct AnswerLimit {
    counted: SharedFailures<[u8; 32]>,
    /// What the answers are for, so that other limits do not count them.
    purpose: &'static str,
}

/// Whether one more answer may be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Within,
    Beyond {
        /// Whether the operator was not told of this user in this period.
        is_news: bool,
    },
}

impl AnswerLimit {
    pub(crate) fn new(
        purpose: &'static str,
        limit: FailureLimit,
        clock: Arc<dyn Clock>,
        common: Option<&CommonCount>,
    ) -> Self {
        let limiter = FailureLimiter::new(limit, &SteadyTime::new(clock));
        Self { counted: SharedFailures::new(limiter, common), purpose }
    }

    /// Counts an answer.
    pub(crate) fn count(&self, issuer: &str, subject: &str) -> Room {
        let parts = [self.purpose, issuer, subject].map(str::as_bytes);
        let user = hash_of(&parts);
        match self.counted.count(&user, || hex(user)) {
            Counted::Within => Room::Within,
            Counted::Beyond { is_news, .. } => Room::Beyond { is_news },
        }
    }
}
