//! What mcp-auth must reach, as data. The tables print each beside its row.

use serde_json::{Value, json};

use crate::table::{ALLOCATIONS, MICROSECONDS, OVER_BARE, OVER_EMPTY, RATIO};

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
    /// The column that is judged.
    pub(crate) figure: &'static str,
    pub(crate) bound: Bound,
}

impl Target {
    pub(crate) fn to_json(&self) -> Value {
        match self.bound {
            Bound::AtMost(limit) => json!({ "figure": self.figure, "at_most": limit }),
            Bound::AtLeast(limit) => json!({ "figure": self.figure, "at_least": limit }),
            Bound::Exactly(limit) => json!({ "figure": self.figure, "exactly": limit }),
        }
    }
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

const fn target(work: &'static str, figure: &'static str, bound: Bound) -> Target {
    Target { work, figure, bound }
}

/// Every target there is.
pub(crate) const TARGETS: &[Target] = {
    use Bound::{AtLeast, AtMost, Exactly};
    &[
        target("RS256 distinct", RATIO, AtMost(1.08)),
        target("RS256 distinct", ALLOCATIONS, AtMost(4.0)),
        target("ES256 distinct", RATIO, AtMost(1.04)),
        target("ES256 distinct", ALLOCATIONS, AtMost(4.0)),
        target("EdDSA distinct", RATIO, AtMost(1.04)),
        target("EdDSA distinct", ALLOCATIONS, AtMost(4.0)),
        target("RS256 seen", RATIO, AtMost(1.0 / 70.0)),
        target("RS256 seen", ALLOCATIONS, Exactly(0.0)),
        target("ES256 seen", RATIO, AtMost(1.0 / 70.0)),
        target("ES256 seen", ALLOCATIONS, Exactly(0.0)),
        target("EdDSA seen", RATIO, AtMost(1.0 / 70.0)),
        target("EdDSA seen", ALLOCATIONS, Exactly(0.0)),
        target("axum seen", OVER_EMPTY, AtMost(0.4)),
        target("rmcp seen", OVER_EMPTY, AtMost(0.6)),
        target("rmcp distinct", OVER_BARE, AtMost(2.5)),
        target("policy of 10 tools", OVER_EMPTY, AtMost(4.0)),
        // Rules are found by their names, however many there are.
        target("policy of 10,000 tools", RATIO, AtLeast(1.0 / 1.2)),
        target("burst", "accepted of 100", Exactly(100.0)),
        target("burst", "discoveries", Exactly(1.0)),
        target("burst", "key fetches", Exactly(1.0)),
        target("burst", "ms", AtMost(3.0)),
        target("memory, valid tokens", "MiB", AtMost(12.0)),
        // What is refused is not kept; this much is the noise of the system's allocator.
        target("memory, garbage tokens", "MiB", AtMost(1.0)),
        target("1,000 issuers, distinct", RATIO, AtMost(1.15)),
        target("1,000 issuers, seen", RATIO, AtMost(1.15)),
        target("1,000 resources, distinct", RATIO, AtMost(1.15)),
        target("1,000 resources, seen", RATIO, AtMost(1.15)),
        target("two threads, distinct", RATIO, AtLeast(1.95)),
        target("two threads, seen", RATIO, AtLeast(1.95)),
        target("10,000 others are revoked", RATIO, AtMost(1.05)),
        target("sealing a session", MICROSECONDS, AtMost(1.0)),
        // That of the header.
        target("sealing a session", ALLOCATIONS, AtMost(1.0)),
        target("a token that is kept", MICROSECONDS, AtMost(1.0)),
    ]
};
