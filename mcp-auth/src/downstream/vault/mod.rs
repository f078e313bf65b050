//! What users have granted at other providers: kept sealed, and used for them alone.
//!
//! 1. `grant_vault` is the seam: where sealed grants are kept; `file_vault` is a folder, and `redis_vault` is Redis.
//! 2. `user_grant` is one grant, and how it is sealed.
//! 3. `connect_state` is what a browser carries from page to page; `id_token` says who sits before it.
//! 4. `connection` sends a browser to sign in and then to the provider, takes the code back, and keeps the grant.

mod connect_state;
mod file_vault;
mod grant_vault;
mod id_token;
mod user_grant;

pub(crate) use self::file_vault::FileVault;
pub use self::grant_vault::{GrantVault, VaultFault, VaultFuture};
