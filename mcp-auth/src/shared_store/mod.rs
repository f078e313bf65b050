//! What several instances of a server know together: a store of your own, or Redis.
//!
//! Without one, each instance knows what it was told itself. With one, what is revoked on one instance is refused on all,
//! and a message that counts once counts once on all of them. A token that was accepted before costs no question to the
//! store: each instance follows it in the background.
//!
//! ```
//! # #[cfg(feature = "redis")]
//! # fn show() -> Result<(), mcp_auth::ConfigError> {
//! use mcp_auth::settings::{RedisConfig, SharedStoreConfig};
//! use mcp_auth::{Config, McpAuth};
//!
//! let mut config = Config::new("https://mcp.example.com/mcp", "https://as.example.com")?;
//! config.shared_store = Some(SharedStoreConfig::redis(RedisConfig::new("redis://127.0.0.1:6379")));
//! let auth = McpAuth::new(config)?;
//! # Ok(())
//! # }
//! ```

mod current_store;
#[cfg(feature = "redis")]
mod cutoff_text;
#[cfg(feature = "redis")]
mod redis_connection;
#[cfg(feature = "redis")]
mod redis_scripts;
#[cfg(feature = "redis")]
mod redis_store;
#[cfg(feature = "redis")]
mod redis_texts;
#[expect(clippy::module_inception, reason = "each type is in a file of its name")]
mod shared_store;

pub(crate) use current_store::CurrentStore;
#[cfg(feature = "redis")]
pub(crate) use redis_store::{RedisSettings, RedisStore};
#[cfg(feature = "redis")]
pub(crate) use redis_texts::RedisTexts;
pub use shared_store::{
    CountedFailures, CutoffKind, Followed, Loaded, SharedCutoff, SharedStore, StoreFault,
    StoreFuture,
};
