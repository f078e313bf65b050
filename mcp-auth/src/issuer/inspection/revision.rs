//! How an issuer suits the clients of each MCP revision.

use serde::Serialize;

use super::requirements::{Facts, REQUIREMENTS, REVISIONS};
use super::{IssuerMetadata, MetadataPlace};
use crate::config::ProviderFacts;

/// How an issuer suits clients of one revision of MCP.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RevisionReport {
    /// The revision, such as `2026-07-28`.
    pub revision: &'static str,
    /// All in all.
    pub suitability: Suitability,
    /// Everything that clients of this revision need of it.
    pub checks: Vec<ProviderCheck>,
}

/// All checks of a revision in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Suitability {
    /// Nothing that can be seen is missing.
    Suits,
    /// Something that it should have is missing.
    SuitsWithGaps,
    /// Something that it must have is missing.
    DoesNotSuit,
}

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

/// Every revision, oldest first.
pub(super) fn judge(
    places: &[MetadataPlace],
    metadata: Option<&IssuerMetadata>,
    known: Option<&ProviderFacts>,
) -> Vec<RevisionReport> {
    let report = |(column, revision): (usize, &&'static str)| {
        let facts = Facts { places, metadata, revision, known };
        let checks: Vec<_> = REQUIREMENTS
            .iter()
            .filter_map(|row| Some((row, row.levels[column]?)))
            .map(|(row, level)| row.check(level, &facts))
            .collect();
        RevisionReport { revision, suitability: Suitability::of(&checks), checks }
    };
    REVISIONS.iter().enumerate().map(report).collect()
}

impl Suitability {
    fn of(checks: &[ProviderCheck]) -> Self {
        let lacks = |level| {
            checks
                .iter()
                .any(|check| check.level == level && check.outcome == ProviderCheckOutcome::NotMet)
        };
        match (lacks(Level::Must), lacks(Level::Should)) {
            (true, _) => Self::DoesNotSuit,
            (false, true) => Self::SuitsWithGaps,
            (false, false) => Self::Suits,
        }
    }
}
