//! What the documentation of a provider says.

use serde::{Deserialize, Serialize};

/// What is known of a provider from its documentation, because its metadata does not tell.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProviderFacts {
    /// Where it serves metadata.
    pub metadata: Option<String>,
    /// Whether it has PKCE with S256.
    pub pkce: Option<String>,
    /// Whether clients can register themselves (RFC 7591).
    pub registration: Option<String>,
    /// Whether the URL of a Client ID Metadata Document can be a client's identifier.
    pub client_id_metadata_documents: Option<String>,
    /// Whether clients can ask for a token for one resource (RFC 8707).
    pub resource_indicators: Option<String>,
}
