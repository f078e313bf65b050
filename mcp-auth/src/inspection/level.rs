//! How strongly the revisions of MCP ask for something.

use serde::Serialize;

use super::Revision;

/// How much something is needed (RFC 2119).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Level {
    /// Clients do not work without it.
    Must,
    /// Some clients do not work without it, or not as well.
    Should,
    /// It helps.
    May,
}

impl Level {
    /// As RFC 2119 writes it, such as `MUST`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// How strongly each revision asks for something.
///
/// ```
/// use mcp_auth::inspection::{Level, Levels, Revision};
///
/// // A SHOULD that has become a MUST.
/// let pkce = Levels::always(Level::Should).since(Revision::V2025_11_25, Level::Must);
/// assert_eq!(pkce.of(Revision::V2025_06_18), Some(Level::Should));
/// assert_eq!(pkce.of(Revision::V2026_07_28), Some(Level::Must));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    v2025_03_26: Option<Level>,
    v2025_06_18: Option<Level>,
    v2025_11_25: Option<Level>,
    v2026_07_28: Option<Level>,
}

impl Levels {
    /// No revision asks for it.
    pub const NONE: Self =
        Self { v2025_03_26: None, v2025_06_18: None, v2025_11_25: None, v2026_07_28: None };

    /// Every revision asks for it.
    pub const fn always(level: Level) -> Self {
        Self::NONE.since(Revision::V2025_03_26, level)
    }

    /// This revision and all later ones ask for it; earlier ones as before.
    #[must_use]
    pub const fn since(mut self, first: Revision, level: Level) -> Self {
        let mut index = 0;
        while index < Revision::ALL.len() {
            let revision = Revision::ALL[index];
            if revision as usize >= first as usize {
                self = self.with(revision, level);
            }
            index += 1;
        }
        self
    }

    /// This revision asks for it; all others as before.
    #[must_use]
    pub const fn with(mut self, revision: Revision, level: Level) -> Self {
        match revision {
            Revision::V2025_03_26 => self.v2025_03_26 = Some(level),
            Revision::V2025_06_18 => self.v2025_06_18 = Some(level),
            Revision::V2025_11_25 => self.v2025_11_25 = Some(level),
            Revision::V2026_07_28 => self.v2026_07_28 = Some(level),
        }
        self
    }

    /// How strongly this revision asks for it; `None`: it does not.
    pub const fn of(self, revision: Revision) -> Option<Level> {
        match revision {
            Revision::V2025_03_26 => self.v2025_03_26,
            Revision::V2025_06_18 => self.v2025_06_18,
            Revision::V2025_11_25 => self.v2025_11_25,
            Revision::V2026_07_28 => self.v2026_07_28,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_holds_from_a_revision_on() {
        let levels = Levels::NONE.since(Revision::V2025_11_25, Level::Must);
        let expected = [None, None, Some(Level::Must), Some(Level::Must)];
        assert_eq!(Revision::ALL.map(|revision| levels.of(revision)), expected);
    }

    #[test]
    fn a_level_may_hold_in_one_revision_alone() {
        let levels = Levels::NONE.with(Revision::V2025_06_18, Level::Must);
        let expected = [None, Some(Level::Must), None, None];
        assert_eq!(Revision::ALL.map(|revision| levels.of(revision)), expected);
    }
}
