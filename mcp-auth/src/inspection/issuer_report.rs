//! Everything that was found out about an issuer.

use serde::Serialize;

use super::known_provider::KnownProvider;
use super::suggested_configuration::SuggestedConfiguration;
use super::{IssuerMetadata, KeySetReport, MetadataPlace, RevisionReport};

/// What an authorization server serves, what a server with this library makes of it, and what MCP
/// clients will.
///
/// [`McpAuthBuilder::inspect_issuers`](crate::McpAuthBuilder::inspect_issuers) makes it. It holds no
/// secret and no key material.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct IssuerReport {
    /// The issuer that was asked.
    pub issuer: String,
    /// The resource that the advice is for.
    pub resource: String,
    /// Where metadata was looked for, in order, with what was found.
    pub places: Vec<MetadataPlace>,
    /// What matters in the metadata; `None` when there is none to be used.
    pub metadata: Option<IssuerMetadata>,
    /// Its keys.
    pub keys: KeySetReport,
    /// How it suits clients of each MCP revision, oldest first.
    pub revisions: Vec<RevisionReport>,
    /// The provider, when its issuer shows which it is.
    pub provider: Option<KnownProvider>,
    /// What to configure here.
    pub configuration: SuggestedConfiguration,
}

impl IssuerReport {
    /// Whether tokens of this issuer can be verified: its keys were found, and some can be used, or
    /// none are needed because its tokens are introspected.
    pub fn can_verify(&self) -> bool {
        self.keys.fault.is_none()
    }
}
