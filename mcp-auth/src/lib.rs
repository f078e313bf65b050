#![cfg_attr(all(feature = "axum", feature = "rmcp3"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "axum", feature = "rmcp3")),
    doc = "Authentication and authorization for MCP servers."
)]
//!
//! # The map
//!
//! One request is one call of [`McpAuth::decide`]: bearer token → verified caller → scopes →
//! [`Decision`](decision::Decision). The folders are the questions on that way: `serve` (what does HTTP see?),
//! `authorize` (may they do this?), `authenticate` (who is calling?), `issuer` (whose keys?) and `jose`
//! (bytes in, bytes out). The last one has no clock and no network; only `issuer` has a network.
//!
//! # Names
//!
//! At the root is what most servers name. The rest is in modules:
//!
//! | module | for |
//! |---|---|
//! | [`presets`] | identity providers |
//! | [`settings`] | settings that few servers need |
//! | [`policy`] | rules: who may do what |
//! | [`errors`] | the reasons inside an [`AuthError`] |
//! | [`explanation`], [`inspection`] | people who look into a token or an issuer |
//! | [`http_client`], [`clock`] | code of your own in the place of the library's |
//! | [`shared_store`] | several instances of one server |
//! | [`downstream`] | calling other APIs for the caller |
//! | [`sealed_state`] | servers that keep nothing themselves |
//! | [`layer`], [`decision`] | naming the tower types; adapters to other frameworks |
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `axum` | yes | `McpAuth::protect`, `McpAuth::metadata_router`, [`AuthInfo`] as an extractor |
//! | `rmcp3` | | [`AuthInfo`] as an argument of rmcp 3 handlers, `McpAuth::streamable_http_service` |
//! | `redis` | | `shared_store.redis` in the configuration: several instances share what was revoked |

mod adapters;
mod algorithm;
mod assembly;
mod auth_info;
mod authenticate;
mod authorize;
mod claim_path;
mod claims;
pub mod clock;
mod config;
pub mod downstream;
mod downstream_refusal;
mod error;
mod flights;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod handles;
mod identifier;
pub mod inspection;
mod issuer;
mod jose;
mod json;
mod last_answer;
mod limits;
#[cfg(test)]
mod linear_cost;
mod mcp_auth;
mod message_fault;
mod metadata_document;
mod mounts;
mod nearest;
mod notices;
mod number;
mod principal;
mod refusal;
pub mod revocation;
mod scope;
mod serve;
pub mod shared_store;
mod spawner;
mod steps;
mod text;
mod too_many_failures;

pub use adapters::AuthLayer;
#[cfg(feature = "rmcp3")]
pub use adapters::{OptionalAuthInfo, requires};
pub use assembly::McpAuthBuilder;
pub use auth_info::{AuthInfo, CallerMark};
pub use authenticate::TokenVerifier;
pub use authorize::{Authorizer, Operation};
pub use config::{
    AuthorizationServer, Config, ConfigError, Introspection, ProtectedResource, ScopePolicy,
};
pub use error::AuthError;
pub use identifier::{IssuerIdentifier, ResourceIdentifier};
pub use mcp_auth::McpAuth;
pub use principal::Principal;
pub use scope::Scopes;

/// Settings that few servers need, as types.
///
/// [`Config`], [`ProtectedResource`] and [`AuthorizationServer`] have a field for each; what is not set has a safe
/// default.
///
/// ```
/// use mcp_auth::settings::{Algorithm, ServerType};
/// use mcp_auth::AuthorizationServer;
///
/// let mut server = AuthorizationServer::new("https://as.example.com");
/// server.server_type = ServerType::Oidc;
/// server.algorithms = vec![Algorithm::Es256];
/// ```
pub mod settings {
    pub use crate::algorithm::Algorithm;
    pub use crate::config::{
        ActorToken, BackChannelLogout, ChallengeStyle, ClientAuthMethod, ConnectConfig,
        DownstreamConfig, DownstreamGrant, DownstreamTarget, FailureLimit, IntrospectionMethod,
        Limits, RedisConfig, Secret, ServerType, SharedSignals, SharedStoreConfig, SignInConfig,
    };
    pub use crate::principal::PrincipalClaim;
}

/// Settings for identity providers, and what is known of them.
///
/// A preset fills in the fields of an [`AuthorizationServer`]; you may change them afterwards. `docs/providers.md`
/// says what to set up at each provider.
///
/// ```
/// use mcp_auth::presets::Provider;
/// use mcp_auth::{Config, McpAuth, ProtectedResource};
///
/// let keycloak = Provider::keycloak("https://sso.example.com", "staff");
/// assert_eq!(keycloak.issuer, "https://sso.example.com/realms/staff");
/// let resource = ProtectedResource::new("https://mcp.example.com/mcp", [keycloak]);
/// let auth = McpAuth::new(Config::default().protect_resource(resource))?;
/// # Ok::<(), mcp_auth::ConfigError>(())
/// ```
pub mod presets {
    pub use crate::inspection::known_provider::KnownProvider;
    pub use crate::inspection::provider::Provider;
    pub use crate::inspection::provider_facts::ProviderFacts;
    pub use crate::inspection::suggested_configuration::SuggestedConfiguration;
}

/// The rules of a [`ScopePolicy`], what an [`Authorizer`] of your own says, and why.
///
/// ```
/// use mcp_auth::policy::{AccessRequest, Requirement, Verdict};
/// use mcp_auth::{AuthInfo, Authorizer as _, Operation, ScopePolicy};
/// use serde_json::json;
///
/// let policy = ScopePolicy::new()
///     .require_for_tool("list_notes", Requirement::all_of(["notes:read"]))
///     .require_for_tool("delete_note", Requirement::all_of(["notes:write"]));
/// let claims = json!({ "iss": "https://as.example.com", "exp": 4_000_000_000_u64, "scope": "notes:read" });
/// let caller = AuthInfo::from_verified_json(&claims.to_string())?;
///
/// let list = Operation::tool("list_notes");
/// assert_eq!(policy.authorize(&AccessRequest::new(&caller, &list))?, Verdict::Allow);
///
/// let delete = Operation::tool("delete_note");
/// let verdict = policy.authorize(&AccessRequest::new(&caller, &delete))?;
/// assert!(matches!(verdict, Verdict::MissingScopes(_)));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub mod policy {
    pub use crate::authorize::{AccessRequest, Asked, Explanation, OperationKind, Verdict};
    pub use crate::config::{Access, ArgumentRule, Requirement};
}

/// The reasons inside an [`AuthError`], and what is wrong with an identifier.
///
/// Clients get fixed text; these hold what was compared, for the log.
///
/// ```
/// use mcp_auth::errors::TokenError;
/// use mcp_auth::{AuthError, AuthInfo};
///
/// let refused = AuthInfo::from_verified_json("no claims").map_err(AuthError::InvalidToken);
/// assert!(matches!(refused, Err(AuthError::InvalidToken(TokenError::Malformed { .. }))));
/// ```
pub mod errors {
    pub use crate::config::ConfigFault;
    pub use crate::downstream_refusal::DownstreamRefusal;
    pub use crate::error::{
        Forbidden, InsufficientScope, MessageFault, RequestFault, TokenError, TooManyFailures,
        Unavailable,
    };
    pub use crate::identifier::IdentifierError;
}

/// Why a token is accepted or refused, check by check: [`McpAuth::explain_token`].
///
/// It is for people. Nothing is decided by it, and it holds neither the token nor who is calling.
///
/// ```
/// use mcp_auth::explanation::CheckOutcome;
/// use mcp_auth::{Config, McpAuth};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mcp_auth::ConfigError> {
/// let auth = McpAuth::new(Config::new("https://mcp.example.com/mcp", "https://as.example.com")?)?;
/// if let Some(explained) = auth.explain_token("/mcp", "not-a-jwt").await {
///     assert!(!explained.accepted);
///     assert_eq!(explained.checks[0].name, "form");
///     assert_eq!(explained.checks[0].outcome, CheckOutcome::Failed);
/// }
/// # Ok(())
/// # }
/// ```
pub mod explanation {
    pub use crate::authenticate::{CheckOutcome, TokenCheck};
    pub use crate::serve::TokenExplanation;
}

/// What is to be done with a request and its response, for adapters to frameworks that do not speak tower.
///
/// Adapters carry it out and decide nothing.
///
/// ```
/// use http::StatusCode;
/// use mcp_auth::decision::Decision;
/// use mcp_auth::{Config, McpAuth};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let auth = McpAuth::new(Config::new("https://mcp.example.com/mcp", "https://as.example.com")?)?;
/// let (head, ()) = http::Request::post("/mcp").body(())?.into_parts();
/// match auth.decide(&head).await {
///     Decision::Reply(reply) => assert_eq!(reply.status, StatusCode::UNAUTHORIZED),
///     _ => unreachable!("there is no token"),
/// }
/// # Ok(())
/// # }
/// ```
pub mod decision {
    pub use crate::authenticate::KeyHint;
    pub use crate::limits::PeerAddress;
    pub use crate::metadata_document::MetadataDocument;
    pub use crate::serve::{
        Decision, Forward, LogValue, Passage, PendingDecision, Reply, ResponseFilter, StreamEnd,
    };
}

/// State that a server gives to a client and takes back: [`McpAuth::state_sealer`].
pub mod sealed_state {
    pub use crate::handles::{StateError, StateSealer};
}

/// The types behind an [`AuthLayer`], for those who must name them.
///
/// ```
/// use mcp_auth::McpAuth;
/// use mcp_auth::layer::AuthService;
/// use tower::Layer as _;
///
/// fn protect<S>(auth: &McpAuth, service: S) -> AuthService<S> {
///     auth.layer().layer(service)
/// }
/// ```
pub mod layer {
    pub use crate::adapters::{AuthFuture, AuthService, DownstreamClient, DownstreamLayer};
    pub use crate::serve::ProtectedBody;
}

/// An HTTP client of your own, for metadata, keys and introspection.
///
/// The built-in one is right for nearly everybody. One of your own must heed [`AllowedAddresses`], or a document that
/// a stranger wrote can lead it into your network.
///
/// [`AllowedAddresses`]: http_client::AllowedAddresses
///
/// ```
/// use bytes::Bytes;
/// use futures_util::future::BoxFuture;
/// use http::{Request, Response};
/// use mcp_auth::http_client::{HttpClient, HttpError};
/// use mcp_auth::{Config, McpAuth};
///
/// /// For a server whose keys are in its configuration.
/// struct Offline;
///
/// impl HttpClient for Offline {
///     fn send(&self, _: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
///         Box::pin(async { Err(HttpError::new("nothing is fetched here")) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mcp_auth::ConfigError> {
/// let config = Config::new("https://mcp.example.com/mcp", "https://as.example.com")?;
/// let auth = McpAuth::builder(config).http_client(Offline).build()?;
/// assert!(auth.ready().await.is_err());
/// # Ok(())
/// # }
/// ```
pub mod http_client {
    pub use crate::issuer::{AllowedAddresses, HttpClient, HttpError};
}

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

/// Compiles the examples of the page on calling other APIs.
#[cfg(all(doctest, feature = "axum", feature = "rmcp3"))]
#[doc = include_str!("../../docs/downstream.md")]
mod downstream_page {}

/// Compiles the example of the page on sessions.
#[cfg(all(doctest, feature = "axum", feature = "rmcp3"))]
#[doc = include_str!("../../docs/sessions.md")]
mod sessions {}
