//! Facts about an issuer, for people: what it serves, how that suits MCP clients, and what to configure.
//!
//! A report decides nothing: it is for people, and `mcp-auth check issuer` prints it. What is known of providers is here
//! too; the presets among it are in [`presets`](crate::presets).
//!
//! ```
//! use mcp_auth::inspection::ProviderCheckOutcome;
//! use mcp_auth::{Config, ConfigError, McpAuth};
//!
//! # async fn show() -> Result<(), ConfigError> {
//! let config = Config::new("https://mcp.example.com/mcp", "https://tenant.eu.auth0.com/")?;
//! for report in McpAuth::builder(config).inspect_issuers().await? {
//!     println!("{}: tokens can be verified: {}", report.issuer, report.can_verify());
//!     for revision in &report.revisions {
//!         for check in &revision.checks {
//!             if check.outcome == ProviderCheckOutcome::NotMet {
//!                 println!("{}: {:?} {}: {}", revision.revision, check.level, check.code, check.fix);
//!             }
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod client_needs;
mod inspect;
mod issuer_metadata;
mod issuer_pattern;
mod issuer_report;
mod key_report;
mod key_set_report;
pub(crate) mod known_provider;
mod level;
mod metadata_place;
mod preset;
pub(crate) mod provider;
mod provider_check;
pub(crate) mod provider_facts;
mod revision;
mod revision_report;
pub(crate) mod suggested_configuration;

pub(crate) use self::inspect::{InspectedIssuer, inspect};
pub use self::issuer_metadata::IssuerMetadata;
pub use self::issuer_report::IssuerReport;
pub use self::key_report::KeyReport;
pub use self::key_set_report::KeySetReport;
pub(crate) use self::known_provider::principal_rule;
pub use self::level::{Level, Levels};
pub use self::metadata_place::{MetadataPlace, MetadataPlaceFault};
pub use self::provider_check::{ProviderCheck, ProviderCheckOutcome};
pub use self::revision::Revision;
pub use self::revision_report::{RevisionReport, Suitability};
pub use crate::issuer::{FaultKind, Standard};
