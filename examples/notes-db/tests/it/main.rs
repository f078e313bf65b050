//! The example as a program, with issuers that it knows only from its environment.
//!
//! It is the one in Rust; or any other that does the same, which `NOTES_DB_PROGRAM` and `NOTES_DB_SCRIPT` name. The tests with
//! PostgreSQL need the folder of its socket in `NOTES_DB_POSTGRES`: `cargo xtask test --only notes-db` starts it, and runs all of
//! this for the examples in Rust, Python and Node.

mod cases;
mod postgres;
mod rows;
mod server;
mod sqlite;
mod tutorial;
