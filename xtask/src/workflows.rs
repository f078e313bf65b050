//! The lint step `workflows`: what GitHub runs, in `.github/workflows`.
//!
//! Every action is named with a version or a commit, never with a branch. The rest is for actionlint, which Go builds:
//! without Go this is skipped. Where shellcheck is installed, actionlint asks it about the scripts too.

use std::fs;

use crate::command::{Failure, Run, root};
use crate::step::Outcome;

const FOLDER: &str = ".github/workflows";
const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

/// Checks every workflow.
pub(crate) fn run() -> Result<Outcome, Failure> {
    let mut files = Vec::new();
    let mut faults = Vec::new();
    for entry in fs::read_dir(root().join(FOLDER))? {
        let entry = entry?;
        let file = format!("{FOLDER}/{}", entry.file_name().to_string_lossy());
        faults.extend(unpinned(&file, &fs::read_to_string(entry.path())?));
        files.push(file);
    }
    if !faults.is_empty() {
        return Err(Failure::new(format!("{} fault(s)\n{}", faults.len(), faults.join("\n"))));
    }
    // `go --version` is not a thing.
    if Run::new("go").args(["version"]).output().is_err() {
        return Ok(Outcome::Skipped("Go is not installed: no actionlint".into()));
    }
    files.sort();
    Run::new("go").args(["run", ACTIONLINT]).args(files).run()?;
    Ok(Outcome::Passed)
}

/// The actions that a workflow names with nothing that stays the same.
fn unpinned(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let entry = line.trim().trim_start_matches("- ");
        if let Some(action) = entry.strip_prefix("uses: ")
            && !is_pinned(action)
        {
            faults.push(format!("{file}:{line_number}: not a version or commit: {action}"));
        }
    }
    faults
}

/// Whether it is an action of this repository, or one with a version (`v4`, `release/v1`) or a commit.
fn is_pinned(action: &str) -> bool {
    if action.starts_with("./") {
        return true;
    }
    // What may follow is a comment.
    let name = action.split(' ').next().unwrap_or(action);
    let Some((_, reference)) = name.split_once('@') else { return false };
    let is_commit = reference.len() == 40 && reference.chars().all(|c| c.is_ascii_hexdigit());
    let version = reference.strip_prefix("release/").unwrap_or(reference);
    let number = version.strip_prefix('v').unwrap_or("");
    is_commit || number.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_have_a_version_or_a_commit() {
        let good = [
            "actions/checkout@v5",
            "pypa/gh-action-pypi-publish@release/v1",
            "actions/checkout@0123456789abcdef0123456789abcdef01234567 # v5.0.0",
            "./.github/workflows/ci.yml",
        ];
        for action in good {
            assert!(is_pinned(action), "{action}");
        }
        for action in ["actions/checkout", "actions/checkout@main", "a/b@012345", "a/b@version"] {
            assert!(!is_pinned(action), "{action}");
        }
    }

    #[test]
    fn an_action_without_one_is_named_with_its_line() {
        let text = "steps:\n  - uses: a/b@v1\n  - name: c\n    uses: c/d@main\n";
        assert_eq!(unpinned("ci.yml", text), ["ci.yml:4: not a version or commit: c/d@main"]);
    }
}
