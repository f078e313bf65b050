#![cfg_attr(all(feature = "axum", feature = "rmcp3"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "axum", feature = "rmcp3")),
    doc = "Authentication and authorization for MCP servers."
)]
//!
//! # The map
//!
//! One request is one call of [`McpAuth::check`]: bearer token → verified caller → scopes →
//! [`Decision`]. The folders are the questions on that way: `serve` (what does HTTP see?),
//! `authorize` (may they do this?), `authenticate` (who is calling?), `issuer` (whose keys?) and `jose`
//! (bytes in, bytes out). The last one has no clock and no network; only `issuer` has a network.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `axum` | yes | `McpAuth::protect`, `McpAuth::metadata_router`, [`AuthInfo`] as an extractor |
//! | `rmcp3` | | [`AuthInfo`] as an argument of rmcp 3 handlers, `McpAuth::streamable_http_service` |

mod auth_info;
mod authenticate;
mod authorize;
mod builder;
mod claim_path;
mod clock;
mod config;
mod error;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod identifier;
mod inspection;
mod issuer;
mod jose;
mod json;
#[cfg(test)]
mod linear_cost;
mod mcp_auth;
mod principal;
mod scope;
mod serve;
mod spawner;
mod steps;
mod text;

pub use auth_info::AuthInfo;
pub use authorize::{
    Access, ArgumentRule, Asked, Authorizer, Explanation, Operation, OperationKind, Requirement,
    ScopePolicy, Verdict,
};
pub use builder::McpAuthBuilder;
pub use clock::{Clock, SystemClock};
pub use config::{
    AuthorizationServer, ChallengeStyle, ClientAuthMethod, Config, ConfigError, Introspection,
    IntrospectionMethod, ProtectedResource, Secret, ServerType,
};
pub use error::{
    AuthError, Forbidden, InsufficientScope, MessageFault, RequestFault, TokenError, Unavailable,
};
pub use identifier::{IdentifierError, IssuerIdentifier, ResourceIdentifier};
pub use inspection::{
    IssuerMetadata, IssuerReport, KeyReport, KeySetReport, KnownProvider, Level, Levels,
    MetadataPlace, MetadataPlaceFault, Provider, ProviderCheck, ProviderCheckOutcome,
    ProviderFacts, Revision, RevisionReport, SuggestedConfiguration, Suitability,
};
pub use issuer::{AllowedAddresses, FaultKind, HttpClient, HttpError, Standard};
pub use jose::Algorithm;
pub use mcp_auth::McpAuth;
pub use principal::{Principal, PrincipalClaim};
pub use scope::Scopes;
#[cfg(feature = "rmcp3")]
pub use serve::OptionalAuthInfo;
pub use serve::{
    AuthFuture, AuthLayer, AuthService, Decision, Forward, Passage, PendingDecision, ProtectedBody,
    Reply, ResponseFilter,
};

pub use authenticate::{CheckOutcome, TokenCheck, TokenExplanation, TokenVerifier};

/// Compiles the examples of the page on protecting a server.
#[cfg(all(doctest, feature = "axum", feature = "rmcp3"))]
#[doc = include_str!("../../docs/protect.md")]
mod protect {}

/// Compiles the guide's examples.
#[cfg(all(doctest, feature = "axum", feature = "rmcp3"))]
#[doc = include_str!("../../docs/guide.md")]
mod guide {}

/// Compiles the examples of the page on configuration.
#[cfg(all(doctest, feature = "axum", feature = "rmcp3"))]
#[doc = include_str!("../../docs/configuration.md")]
mod configuration {}

/// Compiles the examples of the page on operations.
#[cfg(all(doctest, feature = "axum", feature = "rmcp3"))]
#[doc = include_str!("../../docs/operations.md")]
mod operations {}

/// Compiles the examples of the page on providers.
#[cfg(all(doctest, feature = "axum", feature = "rmcp3"))]
#[doc = include_str!("../../docs/providers.md")]
mod providers {}

/// Compiles the examples of the page on policies.
#[cfg(all(doctest, feature = "axum", feature = "rmcp3"))]
#[doc = include_str!("../../docs/policies.md")]
mod policies {}
