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
//! | `clients` | who asks: there from the start, registered (RFC 7591), Client ID Metadata Documents |
//! | `grants` | authorization requests, grants, codes, refresh tokens, and their revocation |
//! | `mint` | any token, broken in a named way on request |
//! | `endpoints` | one file for each endpoint |
//! | `github` | another server: GitHub's OAuth, for what calls it for a user |
//! | `http` | the listener, and what stands before the endpoints: loopback names only, modes, counters, CORS |
//!
//! They import each other in one direction: values (the files beside this one) → `jose` → `clients` → `grants` → `issuer` →
//! `mint` → `endpoints` → `http` → `dev_issuer` → `builder`. `cargo xtask lint --only arrows` checks that.

mod algorithm;
mod builder;
mod clients;
mod clock;
mod counters;
mod dev_client;
mod dev_issuer;
mod endpoint;
mod endpoints;
mod github;
mod grants;
mod http;
mod issuer;
mod jose;
mod loopback;
mod metadata_location;
mod mint;
mod mode;
mod oauth_error;
mod params;
mod requests;
mod scope;
mod settings;
mod start_error;
mod token_mode;
mod token_question;
mod unknown_name;
mod user;

pub use algorithm::Algorithm;
pub use builder::Builder;
pub use dev_client::DevClient;
pub use dev_issuer::DevIssuer;
pub use github::{DevGitHub, Issue};
pub use metadata_location::MetadataLocation;
pub use mint::{Broken, Mint};
pub use mode::Mode;
pub use requests::Requests;
pub use start_error::StartError;
pub use token_mode::TokenMode;
pub use unknown_name::UnknownName;
pub use user::User;
