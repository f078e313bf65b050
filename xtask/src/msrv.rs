//! The lint step `msrv`: the oldest Rust that builds the project is stated once, in the `Cargo.toml` at the root.
//!
//! What else names it agrees. That the code needs no newer one is for clippy (`incompatible_msrv`), and for the job `msrv`
//! in CI, which has that very Rust. No `rust-toolchain` file picks a Rust: every released one from there on will do.

use std::fs;

use crate::command::{Failure, root};
use crate::source_checks::files;
use crate::step::Outcome;

const STATED_IN: &str = "Cargo.toml";
/// `bench/` is not shipped, and one of the peers in it needs a newer Rust. The changelog tells what was.
const NOT_COMPARED: [&str; 2] = ["bench/Cargo.toml", "CHANGELOG.md"];

/// Compares every file that names a version of Rust with the one that is stated.
pub(crate) fn run() -> Result<Outcome, Failure> {
    let root = root();
    let manifest = fs::read_to_string(root.join(STATED_IN))?;
    let Some(stated) = stated_version(&manifest) else {
        return Err(Failure::new(format!("{STATED_IN} states no rust-version")));
    };
    let mut faults = Vec::new();
    for path in files(&root)? {
        let relative = path.strip_prefix(&root).unwrap_or(&path);
        let file = relative.to_string_lossy().replace('\\', "/");
        if is_compared(&file) {
            faults.extend(faults_of(&file, &fs::read_to_string(&path)?, stated));
        }
    }
    if faults.is_empty() {
        return Ok(Outcome::Passed);
    }
    Err(Failure::new(format!("{} fault(s)\n{}", faults.len(), faults.join("\n"))))
}

/// The version in a manifest's line `rust-version = "…"`.
fn stated_version(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(version_in_manifest_line)
}

fn version_in_manifest_line(line: &str) -> Option<&str> {
    line.strip_prefix("rust-version = \"")?.strip_suffix('"')
}

fn is_compared(file: &str) -> bool {
    let names_a_version =
        file.ends_with(".md") || file.ends_with("Cargo.toml") || is_toolchain_file(file);
    names_a_version && !NOT_COMPARED.contains(&file)
}

fn is_toolchain_file(file: &str) -> bool {
    let name = file.rsplit('/').next();
    name == Some("rust-toolchain") || name == Some("rust-toolchain.toml")
}

fn faults_of(file: &str, text: &str, stated: &str) -> Vec<String> {
    if is_toolchain_file(file) {
        return vec![format!("{file}: picks a Rust; every one from {stated} on has to do")];
    }
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let named = match version_in_manifest_line(line) {
            Some(version) => Some(version),
            None => version_in_words(line),
        };
        if let Some(version) = named
            && version != stated
        {
            let line_number = index + 1;
            faults.push(format!("{file}:{line_number}: Rust {version}, and not {stated}"));
        }
    }
    faults
}

/// The version in a line of prose such as "It needs Rust 1.80 or later".
fn version_in_words(line: &str) -> Option<&str> {
    let start = line.find("Rust 1.")? + "Rust ".len();
    let rest = &line[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_manifest() {
        assert_eq!(stated_version("edition = \"2024\"\nrust-version = \"1.80\"\n"), Some("1.80"));
        assert_eq!(stated_version("rust-version.workspace = true\n"), None);
    }

    #[test]
    fn other_files_agree() {
        let good = [
            ("README.md", "It needs Rust 1.80 or later, or Rust 1.80."),
            ("README.md", "Rust and a C compiler"),
            ("examples/Cargo.toml", "rust-version = \"1.80\""),
            ("cli/Cargo.toml", "rust-version.workspace = true"),
        ];
        for (file, text) in good {
            assert!(faults_of(file, text, "1.80").is_empty(), "{text}");
        }
        let bad = [
            ("README.md", "\nIt needs Rust 1.79.", "README.md:2: Rust 1.79, and not 1.80"),
            ("a/Cargo.toml", "rust-version = \"1.8\"", "a/Cargo.toml:1: Rust 1.8, and not 1.80"),
            (
                "rust-toolchain.toml",
                "channel = \"1.80\"",
                "rust-toolchain.toml: picks a Rust; every one from 1.80 on has to do",
            ),
        ];
        for (file, text, fault) in bad {
            assert_eq!(faults_of(file, text, "1.80"), [fault]);
        }
    }

    #[test]
    fn what_is_not_ours_to_ship_is_not_compared() {
        assert!(is_compared("docs/guide.md"));
        assert!(is_compared("node/rust-toolchain"));
        assert!(!is_compared("bench/Cargo.toml"));
        assert!(!is_compared("mcp-auth/src/lib.rs"));
    }
}
