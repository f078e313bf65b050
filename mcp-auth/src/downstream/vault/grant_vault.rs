//! The seam: where grants of users at other providers are kept.

use std::fmt;

use futures_util::future::BoxFuture;

/// Keeps what users have granted at other providers, for
/// [`McpAuthBuilder::grant_vault`](crate::McpAuthBuilder::grant_vault). What it gets is sealed: it holds no secret that it
/// could read, and what it gives back is opened only for the user and the API it was sealed for.
///
/// Its futures run in a tokio runtime with time and IO. Each must end in a bounded time, also while the storage hangs.
pub trait GrantVault: Send + Sync {
    /// What is kept under this name: up to 64 characters, of `0` to `9` and `a` to `f`.
    fn load<'v>(&'v self, name: &'v str) -> VaultFuture<'v, Option<String>>;

    /// Keeps `new` under this name in place of `expected`, in one step: where something else is there now, nothing changes
    /// and the answer is `false`. `None` is nothing: as `new` it removes. What was answered `true` outlives a crash.
    ///
    /// No two texts that are ever kept are the same.
    fn replace<'v>(
        &'v self,
        name: &'v str,
        expected: Option<&'v str>,
        new: Option<&'v str>,
    ) -> VaultFuture<'v, bool>;
}

/// What a vault promises.
pub type VaultFuture<'v, T> = BoxFuture<'v, Result<T, VaultFault>>;

/// What went wrong with a vault, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultFault {
    reason: String,
}

impl VaultFault {
    /// A fault for this reason, which holds no secrets.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for VaultFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for VaultFault {}
