//! What was found, as plain data.

use serde::Serialize;
use serde_json::Value;

use super::super::discovery::Standard;
use super::super::fetch::FaultKind;
use super::{IssuerMetadata, KeyReport, KeySet, RevisionReport, algorithms_of};
use crate::algorithm::Algorithm;
use crate::config::{KnownProvider, SuggestedConfiguration};

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

/// A place where metadata was looked for.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MetadataPlace {
    /// Its URL.
    pub url: String,
    /// The specification that says so.
    pub standard: Standard,
    /// Whether verification uses what is there: it is the first usable one.
    pub is_used: bool,
    /// Why it is of no use; `None` when it is.
    pub fault: Option<MetadataFault>,
}

/// Why a place is of no use.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MetadataFault {
    /// What kind of fault.
    pub kind: FaultKind,
    /// The same in words, with the compared values.
    pub reason: String,
}

/// An issuer's keys.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct KeySetReport {
    /// Where they are; `None` when they are given by hand, or nobody knows.
    pub jwks_uri: Option<String>,
    /// Why no token can be verified with them; `None` when one can.
    pub fault: Option<String>,
    /// Every key that was looked at.
    pub keys: Vec<KeyReport>,
    /// How many more there are, which are not used.
    pub ignored: usize,
    /// The algorithms that tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
}

impl KeySetReport {
    /// There is none, and tokens are opaque.
    pub(super) fn not_needed() -> Self {
        Self { jwks_uri: None, fault: None, keys: Vec::new(), ignored: 0, algorithms: Vec::new() }
    }

    pub(super) fn unavailable(jwks_uri: Option<String>, fault: impl Into<String>) -> Self {
        Self { jwks_uri, fault: Some(fault.into()), ..Self::not_needed() }
    }

    pub(super) fn read(
        jwks_uri: Option<String>,
        document: &Value,
        issuer: &str,
        accepted: &[Algorithm],
    ) -> Self {
        let judged = KeySet::judge(document, issuer).into_iter().flatten();
        let keys: Vec<_> =
            judged.map(|(jwk, judged)| KeyReport::new(jwk, judged, accepted)).collect();
        let algorithms = algorithms_of(&keys);
        let none_accepted = "the algorithms of its keys are none of those in `algorithms`";
        let fault = KeySet::read(document, issuer)
            .err()
            .or_else(|| algorithms.is_empty().then(|| none_accepted.to_owned()));
        Self { jwks_uri, fault, keys, ignored: KeySet::ignored(document), algorithms }
    }
}
