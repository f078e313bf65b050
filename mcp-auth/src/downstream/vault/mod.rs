//! What users have granted at other providers: kept sealed, and used for them alone.
//!
//! 1. `grant_vault` is the seam: where sealed grants are kept; `file_vault` is a folder, and `redis_vault` is Redis.
//! 2. `user_grant` is one grant, and how it is sealed.
//! 3. `browser_request` is what a browser sends, `connect_state` what it carries from page to page, `at_once` how many there may be;
//!    `id_token` says who sits before it.
//! 4. `connection` hands out the tokens, renews and ends them, `not_accepted` says which their API refused; `connect_pages` leads a browser to a grant and back.

mod at_once;
mod browser_request;
mod connect_pages;
mod connect_state;
mod connection;
mod file_vault;
mod grant_vault;
mod id_token;
mod not_accepted;
mod page;
#[cfg(feature = "redis")]
mod redis_vault;
mod url_elicitation;
mod user_grant;

pub(crate) use self::browser_request::BrowserRequest;
pub(crate) use self::connect_pages::{CALLBACK, ConnectPage, SIGNED_IN, page_paths};
pub(crate) use self::connect_state::ANSWERS_OF_A_USER;
pub(crate) use self::connection::{Connection, ConnectionParts, SignIn};
pub(crate) use self::file_vault::FileVault;
pub use self::grant_vault::{GrantVault, VaultFault, VaultFuture};
pub(crate) use self::page::Page;
#[cfg(feature = "redis")]
pub(crate) use self::redis_vault::RedisVault;
pub use self::url_elicitation::UrlElicitation;
pub(crate) use self::user_grant::GrantStore;
