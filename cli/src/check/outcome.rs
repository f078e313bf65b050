//! Whether a requirement holds.

/// Whether a requirement holds, and what was seen.
#[derive(Clone)]
pub(crate) enum Outcome {
    Holds(String),
    Broken(String),
    /// Not looked at: why, and there is nothing to do.
    Skipped(String),
    /// Cannot be seen from outside: the row says how to find out.
    Unknown(String),
}

impl Outcome {
    /// It holds when `holds`; `actual` says what was seen in either case.
    pub(crate) fn when(holds: bool, actual: impl Into<String>) -> Self {
        if holds { Self::Holds(actual.into()) } else { Self::Broken(actual.into()) }
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }

    /// It holds when there is no complaint, and then `good` is what was seen.
    pub(crate) fn unless(complaints: Vec<String>, good: impl Into<String>) -> Self {
        if complaints.is_empty() {
            return Self::Holds(good.into());
        }
        Self::Broken(complaints.join("; "))
    }
}
