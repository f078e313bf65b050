//! What time is it? A seam, so that tests can travel.
//!
//! ```
//! use mcp_auth::clock::Clock;
//! use mcp_auth::{Config, McpAuth};
//!
//! /// It is always the first second of 2030.
//! struct Fixed;
//!
//! impl Clock for Fixed {
//!     fn unix_seconds(&self) -> u64 {
//!         1_893_456_000
//!     }
//! }
//!
//! let config = Config::new("https://mcp.example.com/mcp", "https://as.example.com")?;
//! let auth = McpAuth::builder(config).clock(Fixed).build()?;
//! # Ok::<(), mcp_auth::ConfigError>(())
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the current time.
///
/// The default reads the system clock; tests give their own through
/// [`McpAuthBuilder::clock`](crate::McpAuthBuilder::clock).
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01T00:00:00Z, as in a JWT's NumericDate.
    fn unix_seconds(&self) -> u64;
}

/// Whether it is less than so many seconds since then. A clock that was set back does not make it longer.
pub(crate) fn is_just_now(then: u64, now: u64, seconds: u64) -> bool {
    then <= now && now < then.saturating_add(seconds)
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_seconds(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
    }
}
