//! Tokens for other APIs, which tools call for their callers: [`McpAuth::downstream`](crate::McpAuth::downstream).
//!
//! MAY A TOOL CALL ANOTHER API FOR THEM? Tokens for APIs behind the server, each for one caller, from their own
//! authorization server.
//!
//! 1. `api` is one API as it is configured: who may have a token for it is decided there, before anything is asked.
//! 2. `grants` writes what is asked for, and judges what was given; `id_jag` reads an identity assertion on its way.
//! 3. `token_cache` keeps what was given, as long as it holds, by `token_key`; `kept_refusals` keeps what was refused, for a second.
//!
//! The caller's own token goes to the token endpoint alone (`issuer/token_endpoint`), and never to the API: a
//! [`DownstreamToken`] is made of an answer. Tested in `downstream`.

/// A token that an API did not accept is replaced once in so many seconds: the API would refuse the next one too.
const SECONDS_BETWEEN_NEW_TOKENS: u64 = 30;

mod actor_file;
mod api;
mod downstream_error;
mod downstream_token;
mod grants;
mod id_jag;
mod kept_refusals;
mod named;
mod places;
#[cfg(test)]
mod tests;
mod token_cache;
mod token_key;
mod vault;

pub(crate) use self::api::{DownstreamApi, DownstreamParts, Downstreams};
pub use self::downstream_error::DownstreamError;
pub use self::downstream_token::DownstreamToken;
#[cfg(any(test, fuzzing))]
pub(crate) use self::id_jag::{ExpectedAssertion, check_assertion};
pub use self::named::Downstream;
pub(crate) use self::places::ApiPlaces;
#[cfg(feature = "redis")]
pub(crate) use self::vault::RedisVault;
pub(crate) use self::vault::{
    ANSWERS_OF_A_USER, BrowserRequest, CALLBACK, ConnectPage, Connection, ConnectionParts,
    FileVault, GrantStore, Page, SIGNED_IN, SignIn, page_paths,
};
pub use self::vault::{GrantVault, UrlElicitation, VaultFault, VaultFuture};
