//! An OAuth 2.1 authorization server for development and tests of MCP servers.
//!
//! It lets anyone sign in as anyone. It therefore binds loopback addresses only, keeps everything
//! in memory, and says so when it starts. Never a dependency of something that ships.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use dev_issuer::{Broken, DevIssuer};
//!
//! let issuer = DevIssuer::start().await.unwrap();
//! let resource = "http://127.0.0.1:3000/mcp";
//! let token = issuer.mint().subject("alice").audience(resource).scope("mcp").sign();
//! let forged = issuer.mint().audience(resource).broken(Broken::Signature).sign();
//! # assert!(token != forged);
//! # }
//! ```
//!
//! | folder | what |
//! |---|---|
//! | `jose` | signing keys, JWK Set |
//! | `mint` | any token, broken in a named way on request |
//! | `client` | who asks: pre-registered, registered (RFC 7591), Client ID Metadata Documents |
//! | `grant` | authorizations, codes, refresh tokens, and their revocation |
//! | `http` | the listener, the loopback guard, modes, counters, CORS |
//! | `endpoints` | one file per endpoint |

mod builder;
mod client;
mod core;
mod dev_issuer;
mod endpoints;
mod error;
mod grant;
mod http;
mod jose;
mod mint;
mod mode;
mod requests;
mod scope;
mod user;

pub use builder::{Builder, MetadataLocation};
pub use dev_issuer::DevIssuer;
pub use error::{StartError, UnknownName};
pub use jose::Algorithm;
pub use mint::{Broken, Mint};
pub use mode::Mode;
pub use requests::Requests;
pub use user::User;
