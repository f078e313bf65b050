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
    /// Cannot be seen from outside, and there is nothing to do.
    Unseen(String),
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
        Self::Broken(some_of(&complaints, "; "))
    }
}

/// More complaints of one kind say no more.
const MOST_NAMED: usize = 5;

/// The first few texts, and how many more there are.
pub(crate) fn some_of(texts: &[String], separator: &str) -> String {
    let named = &texts[..texts.len().min(MOST_NAMED)];
    match texts.len() - named.len() {
        0 => named.join(separator),
        more => format!("{}{separator}and {more} more", named.join(separator)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_complaints_are_a_few_and_a_number() {
        let rows = [(1, "0"), (5, "0; 1; 2; 3; 4"), (20_000, "0; 1; 2; 3; 4; and 19995 more")];
        for (count, expected) in rows {
            let texts: Vec<_> = (0..count).map(|one: i32| one.to_string()).collect();
            assert_eq!(some_of(&texts, "; "), expected);
        }
    }
}
