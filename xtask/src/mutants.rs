//! `cargo xtask mutants`: cargo-mutants on the library. What it changes and no test notices needs a test, or a reason in
//! `.cargo/mutants.toml`.

use crate::command::{Failure, cargo, root};

/// Tries the changes of the files below this folder of `mcp-auth/src`; `shard` is `k/n`.
///
/// The tests of the library alone run for each, which is some 20 seconds. The tree itself stays as it is: cargo-mutants
/// works in a copy, with a target folder of its own that is kept in `target/mutants`.
///
/// # Errors
///
/// The tool is missing, the folder is not there, or something went unnoticed.
pub(crate) fn run(
    folder: Option<&str>,
    shard: Option<&str>,
    rest: &[String],
) -> Result<(), Failure> {
    if cargo(&["mutants", "--version"]).output().is_err() {
        let reason = "cargo-mutants is not installed (cargo install cargo-mutants --locked)";
        return Err(Failure::new(reason));
    }
    let mut arguments = vec!["mutants".to_owned(), "--package".to_owned(), "mcp-auth".to_owned()];
    if let Some(folder) = folder {
        arguments.extend(["--file".to_owned(), files_of(folder)?]);
    }
    if let Some(shard) = shard {
        // Every n-th change, so that a shard is a sample of the whole.
        arguments.extend(["--sharding".to_owned(), "round-robin".to_owned()]);
        arguments.extend(["--shard".to_owned(), shard.to_owned()]);
    }
    arguments.extend(["--output".to_owned(), "target/mutants".to_owned()]);
    cargo(&[])
        .args(arguments)
        .args(rest)
        .env("CARGO_TARGET_DIR", &root().join("target/mutants/build").to_string_lossy())
        .run()
}

/// The pattern that cargo-mutants takes for a folder or a file of the library.
fn files_of(folder: &str) -> Result<String, Failure> {
    let path = format!("mcp-auth/src/{}", folder.trim_matches('/'));
    let whole = root().join(&path);
    if whole.is_dir() {
        Ok(format!("{path}/**"))
    } else if whole.is_file() {
        Ok(path)
    } else {
        Err(Failure::new(format!("{path} is neither a folder nor a file")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_or_a_file_of_the_library_is_named() {
        assert_eq!(files_of("jose").unwrap(), "mcp-auth/src/jose/**");
        assert_eq!(files_of("authorize/policy/").unwrap(), "mcp-auth/src/authorize/policy/**");
        assert_eq!(files_of("lib.rs").unwrap(), "mcp-auth/src/lib.rs");
        assert!(files_of("nowhere").is_err());
    }
}
