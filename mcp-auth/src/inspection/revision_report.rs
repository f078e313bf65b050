//! How an issuer suits the clients of each MCP revision.

use serde::Serialize;

use super::client_needs::{CLIENT_NEEDS, Evidence};
use super::provider_facts::ProviderFacts;
use super::{IssuerMetadata, Level, MetadataPlace, ProviderCheck, ProviderCheckOutcome, Revision};

/// How an issuer suits clients of one revision of MCP.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RevisionReport {
    /// The revision, such as `2026-07-28`.
    pub revision: &'static str,
    /// All checks in one word.
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

/// Judges an issuer for the clients of every revision, oldest first.
pub(super) fn judge_revisions(
    places: &[MetadataPlace],
    metadata: Option<&IssuerMetadata>,
    known: Option<&ProviderFacts>,
) -> Vec<RevisionReport> {
    let mut reports = Vec::new();
    for revision in Revision::ALL {
        let evidence = Evidence { places, metadata, revision, known };
        let mut checks = Vec::new();
        for need in CLIENT_NEEDS {
            if let Some(level) = need.levels.of(revision) {
                checks.push(need.check(level, &evidence));
            }
        }
        let suitability = Suitability::of(&checks);
        reports.push(RevisionReport { revision: revision.name(), suitability, checks });
    }
    reports
}

impl Suitability {
    fn of(checks: &[ProviderCheck]) -> Self {
        if has_unmet_need(checks, Level::Must) {
            Self::DoesNotSuit
        } else if has_unmet_need(checks, Level::Should) {
            Self::SuitsWithGaps
        } else {
            Self::Suits
        }
    }
}

fn has_unmet_need(checks: &[ProviderCheck], level: Level) -> bool {
    checks.iter().any(|check| check.level == level && check.outcome == ProviderCheckOutcome::NotMet)
}
