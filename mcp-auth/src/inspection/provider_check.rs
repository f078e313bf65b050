//! One need of MCP clients, and whether an issuer meets it.

use serde::Serialize;

use super::Level;

/// One need of clients.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProviderCheck {
    /// A stable name, such as `pkce_s256`.
    pub code: &'static str,
    /// How much it is needed.
    pub level: Level,
    /// Whether it is there.
    pub outcome: ProviderCheckOutcome,
    /// What is needed.
    pub requirement: &'static str,
    /// Who says so.
    pub reference: &'static str,
    /// What to do where it is not met.
    pub fix: &'static str,
    /// What was found.
    pub found: String,
    /// What is known of this provider, or what follows.
    pub note: Option<String>,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProviderCheckOutcome {
    /// It is.
    Met,
    /// It is not.
    NotMet,
    /// It cannot be seen from outside.
    Unknown,
}

impl From<bool> for ProviderCheckOutcome {
    fn from(met: bool) -> Self {
        if met { Self::Met } else { Self::NotMet }
    }
}
