//! The revisions of MCP.

/// A revision of the MCP specification that has authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revision {
    /// The first one with authorization: the MCP server is its own authorization server.
    V2025_03_26,
    /// The first one in which the MCP server is a resource server (RFC 9728).
    V2025_06_18,
    /// The first one with Client ID Metadata Documents.
    V2025_11_25,
    /// The newest one.
    V2026_07_28,
}

impl Revision {
    /// Every revision, oldest first.
    pub const ALL: [Self; 4] =
        [Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// As the specification writes it, such as `2026-07-28`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of this name; `None` when there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.name() == name)
    }
}
