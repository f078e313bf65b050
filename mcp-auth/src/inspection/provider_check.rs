//! One need of MCP clients, and whether an issuer meets it.

use serde::Serialize;

use super::Level;

/// One need of MCP clients, and whether an issuer meets it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProviderCheck {
    /// A stable name, such as `pkce_s256`.
    pub code: &'static str,
    /// How strongly the revision asks for it.
    pub level: Level,
    /// Whether the issuer meets the need.
    pub outcome: ProviderCheckOutcome,
    /// What clients need.
    pub requirement: &'static str,
    /// The section of MCP, or the RFC, that asks for it.
    pub reference: &'static str,
    /// What to do where the need is not met.
    pub fix: &'static str,
    /// What was found in the metadata.
    pub found: String,
    /// What the documentation of the provider says about it, if the provider is known.
    pub note: Option<String>,
}

/// Whether an issuer meets a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProviderCheckOutcome {
    /// What is needed is there.
    Met,
    /// What is needed is not there.
    NotMet,
    /// It cannot be seen from outside.
    Unknown,
}

impl From<bool> for ProviderCheckOutcome {
    fn from(met: bool) -> Self {
        if met { Self::Met } else { Self::NotMet }
    }
}
