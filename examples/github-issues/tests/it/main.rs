//! The example as a program, with an issuer and a server in the shape of GitHub that it knows only from its environment.
//!
//! It is the one in Rust; or any other that does the same, which `GITHUB_ISSUES_PROGRAM` and `GITHUB_ISSUES_SCRIPT` name:
//! `cargo xtask test --only github-issues` runs all of this for the examples in Rust, Python and Node.

mod browser;
mod cases;
mod server;
mod tutorial;
