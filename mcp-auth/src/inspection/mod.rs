//! Facts about an issuer, for people: what it serves, how that suits MCP clients, and what to configure.
//!
//! Nothing is decided by what is here. The presets are here too: they are what is known of providers.

mod client_needs;
mod inspect;
mod issuer_metadata;
mod issuer_pattern;
mod issuer_report;
mod key_report;
mod key_set_report;
mod known_provider;
mod level;
mod metadata_place;
mod preset;
mod provider;
mod provider_check;
mod provider_facts;
mod revision;
mod revision_report;
mod suggested_configuration;

pub(crate) use self::inspect::{InspectedIssuer, inspect};
pub use self::issuer_metadata::IssuerMetadata;
pub use self::issuer_report::IssuerReport;
pub use self::key_report::KeyReport;
pub use self::key_set_report::KeySetReport;
pub use self::known_provider::KnownProvider;
pub(crate) use self::known_provider::principal_rule;
pub use self::level::{Level, Levels};
pub use self::metadata_place::{MetadataPlace, MetadataPlaceFault};
pub use self::provider::Provider;
pub use self::provider_check::{ProviderCheck, ProviderCheckOutcome};
pub use self::provider_facts::ProviderFacts;
pub use self::revision::Revision;
pub use self::revision_report::{RevisionReport, Suitability};
pub use self::suggested_configuration::SuggestedConfiguration;
