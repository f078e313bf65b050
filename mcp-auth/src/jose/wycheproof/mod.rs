//! Project Wycheproof: known attacks on signatures and keys, each with its verdict.
//!
//! `jws` has whole tokens with their keys, `signatures` has messages and signatures as bytes. Where
//! we are stricter than a vector, a table says why; a vector that is decided otherwise than both it
//! and the table say fails, and so does a table row that no vector needs.

mod jws;
mod signatures;
