//! What the documentation of a provider says.

use serde::{Deserialize, Serialize};

/// What is known of a provider from its documentation, because its metadata does not tell.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ProviderFacts {
    /// Where it serves metadata.
    pub metadata: Option<String>,
    /// PKCE with S256.
    pub pkce: Option<String>,
    /// Dynamic client registration (RFC 7591).
    pub registration: Option<String>,
    /// Client ID Metadata Documents.
    pub client_id_metadata_documents: Option<String>,
    /// Resource indicators (RFC 8707).
    pub resource_indicators: Option<String>,
}
