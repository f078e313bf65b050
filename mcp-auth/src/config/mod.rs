//! Configuration as plain data: the same fields in Rust, TOML, Python and JavaScript.
//!
//! Nothing is read or checked here: `assembly` does that, and lists what is wrong in a [`ConfigError`].

mod authorization_server;
mod client_settings;
#[expect(clippy::module_inception, reason = "each type is in a file of its name")]
mod config;
mod config_error;
mod config_fault;
mod connect;
mod downstream;
mod faults;
mod introspection;
mod limits;
mod notices;
mod policy;
mod protected_resource;
mod seconds;
mod secret;
mod shared_store_config;

pub use self::authorization_server::{AuthorizationServer, ServerType};
pub(crate) use self::client_settings::ClientSettings;
pub use self::config::Config;
pub use self::config_error::ConfigError;
pub use self::config_fault::ConfigFault;
pub use self::connect::{ConnectConfig, SignInConfig};
pub use self::downstream::{ActorToken, DownstreamConfig, DownstreamGrant, DownstreamTarget};
pub(crate) use self::faults::Faults;
pub use self::introspection::{ClientAuthMethod, Introspection, IntrospectionMethod};
pub use self::limits::{FailureLimit, Limits};
pub use self::notices::{BackChannelLogout, SharedSignals};
pub(crate) use self::policy::ScopesByArguments;
pub use self::policy::{Access, ArgumentRule, Requirement, ScopePolicy};
pub use self::protected_resource::{ChallengeStyle, ProtectedResource};
pub use self::secret::Secret;
pub use self::shared_store_config::{RedisConfig, SharedStoreConfig};
