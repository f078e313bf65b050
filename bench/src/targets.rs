//! What mcp-auth must reach, as data. The table prints each beside its row.

/// What a target is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantity {
    Measured,
    Ratio,
    Allocations,
}

/// The side on which the value must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Exactly(f64),
}

pub(crate) struct Target {
    /// The first column of the row.
    pub(crate) work: &'static str,
    pub(crate) quantity: Quantity,
    pub(crate) bound: Bound,
}

impl Bound {
    pub(crate) fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
            Self::Exactly(expected) => value == expected,
        }
    }
}

const fn target(work: &'static str, quantity: Quantity, bound: Bound) -> Target {
    Target { work, quantity, bound }
}

/// Every target there is.
pub(crate) const TARGETS: &[Target] = {
    use Bound::{AtLeast, AtMost, Exactly};
    use Quantity::{Allocations, Measured, Ratio};
    &[
        target("verify RS256 distinct", Ratio, AtMost(1.08)),
        target("verify RS256 distinct", Allocations, AtMost(12.0)),
        target("verify ES256 distinct", Ratio, AtMost(1.05)),
        target("verify ES256 distinct", Allocations, AtMost(12.0)),
        target("verify EdDSA distinct", Ratio, AtMost(1.05)),
        target("verify EdDSA distinct", Allocations, AtMost(12.0)),
        target("verify RS256 seen", Ratio, AtMost(1.0 / 60.0)),
        target("verify RS256 seen", Allocations, Exactly(0.0)),
        target("verify ES256 seen", Ratio, AtMost(1.0 / 60.0)),
        target("verify ES256 seen", Allocations, Exactly(0.0)),
        target("verify EdDSA seen", Ratio, AtMost(1.0 / 60.0)),
        target("verify EdDSA seen", Allocations, Exactly(0.0)),
        target("axum seen", Ratio, AtLeast(0.93)),
        target("rmcp seen", Ratio, AtLeast(0.97)),
        target("rmcp distinct", Ratio, AtLeast(0.64)),
        // Of the unprotected server, which is faster: so this is a little stricter than asked.
        target("policy of 10 tools", Ratio, AtLeast(0.95)),
        target("policy of 10,000 tools", Ratio, AtLeast(1.0 / 1.2)),
        target("burst accepted", Measured, Exactly(100.0)),
        target("burst discoveries", Measured, Exactly(1.0)),
        target("burst key fetches", Measured, Exactly(1.0)),
        target("burst time", Measured, AtMost(8.0)),
        target("growth RSS, valid tokens", Measured, AtMost(32.0)),
        // What is refused is not kept; this much is the noise of the system's allocator.
        target("growth RSS, garbage tokens", Measured, AtMost(1.0)),
        target("growth 1,000 issuers, distinct", Ratio, AtMost(1.2)),
        target("growth 1,000 issuers, seen", Ratio, AtMost(1.2)),
        target("growth 1,000 resources, distinct", Ratio, AtMost(1.2)),
        target("growth 1,000 resources, seen", Ratio, AtMost(1.2)),
        target("growth two threads, distinct", Ratio, AtLeast(1.9)),
        target("growth two threads, seen", Ratio, AtLeast(1.9)),
    ]
};
