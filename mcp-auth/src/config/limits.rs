//! Limits for those who are refused, as plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;

/// After how many refusals a sender is answered 429 with `Retry-After`, for what would be refused anyway. What is allowed
/// goes on, whoever else is behind the same address.
///
/// # Defaults
/// Nothing is limited, and no proxy is trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Of requests from one address, with tokens that nobody trusted has issued, or with credentials that cannot be read.
    /// Of IPv6, a /64 counts as one address.
    pub failures_per_address: Option<FailureLimit>,
    /// Of requests from one caller (issuer, subject and client) who may not do what they ask for; and of requests with one
    /// token that a trusted issuer made, and that is not good here, or no longer.
    pub failures_per_principal: Option<FailureLimit>,
    /// Proxies whose `X-Forwarded-For` is believed: addresses, and ranges such as `10.0.0.0/8`. Of all others, the address
    /// of the connection counts, and no header. Each must add to the header who called it.
    pub trusted_proxies: Vec<String>,
}

/// So many refusals in a period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FailureLimit {
    /// So many at once, and then one more each `count`-th part of the period; at most 100,000.
    pub count: u32,
    /// After this time without a refusal, all of them are there again; 1 second to 1 day. In data: seconds.
    #[serde(with = "seconds")]
    pub period: Duration,
}

impl FailureLimit {
    /// So many refusals in this period.
    pub fn new(count: u32, period: Duration) -> Self {
        Self { count, period }
    }
}
