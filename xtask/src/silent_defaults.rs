//! The lint step `silent-defaults`: where what cannot be read could become a default without a word.
//!
//! Every such line of the code that reads what strangers wrote is in `xtask/silent-defaults.txt`, with a word that
//! says why it may stay. A line that is not there, or has no word, is a fault.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::command::{Failure, root};
use crate::source_checks::{files, lines_before_tests};
use crate::step::Outcome;

const LIST: &str = "xtask/silent-defaults.txt";

/// Where bodies, headers, tokens, keys and answers are read.
const PLACES: [&str; 3] = ["mcp-auth/src", "node/src", "python/src"];
/// What reads nothing of strangers: what the operator writes, and modules that are for tests only.
const NOT_THERE: [&str; 7] = [
    "mcp-auth/src/assembly/",
    "mcp-auth/src/config/",
    "mcp-auth/src/fuzzing.rs",
    "mcp-auth/src/jose/rfc_examples.rs",
    "mcp-auth/src/jose/wycheproof/",
    "mcp-auth/src/linear_cost",
    "mcp-auth/src/steps.rs",
];

/// What drops an error, or lumps together what was not thought of.
const PATTERNS: [&str; 7] = [
    "unwrap_or_default",
    "unwrap_or(",
    "unwrap_or_else(|_",
    ".ok()",
    "Result::ok",
    "Err(_) =>",
    "_ =>",
];

/// Why a line may stay. A word of one's own is a fault: these say what a reviewer has to believe.
const REASONS: [(&str, &str); 6] = [
    ("absent", "for what is optional and was left out; unreadable is refused before or beside it"),
    ("checked", "cannot happen here: it was checked before, or is so by construction"),
    ("closed", "the default is the strict one: it refuses, hides, or asks for more"),
    ("other", "the other cases of a comparison or a match; no error is dropped"),
    ("ours", "a value of ours or of the operator, not of a stranger"),
    ("shown", "for a log or a report, and nothing is decided by it"),
];
/// What `--write` puts before a line that is new.
const UNKNOWN: &str = "?";

/// One line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Line {
    file: String,
    /// Without the space around it.
    text: String,
}

/// A line of the sources that has one of the patterns.
struct FoundLine {
    line: Line,
    /// Where it is in its file, from 1.
    number: usize,
}

/// A line of the list.
#[derive(Debug, PartialEq, Eq)]
struct ListedLine {
    /// One of [`REASONS`], unless somebody wrote another word.
    reason: String,
    line: Line,
}

/// Compares the sources with the list.
pub(crate) fn run() -> Result<Outcome, Failure> {
    let listed = parse_list(&fs::read_to_string(root().join(LIST))?)?;
    let faults = faults_of(&find_lines()?, &listed);
    if faults.is_empty() {
        return Ok(Outcome::Passed);
    }
    let advice = "cargo xtask lint --only silent-defaults --write brings the list up to date; \
                  then replace each `?` in it with a word from its head";
    Err(Failure::new(format!("{} fault(s)\n{}\n{advice}", faults.len(), faults.join("\n"))))
}

/// Brings the list up to date: known lines keep their word, new ones get a `?`.
pub(crate) fn write() -> Result<(), Failure> {
    let path = root().join(LIST);
    let old = if path.exists() { parse_list(&fs::read_to_string(&path)?)? } else { Vec::new() };
    let new = update_list(&find_lines()?, &old);
    let unknown = new.iter().filter(|listed| listed.reason == UNKNOWN).count();
    fs::write(&path, format_list(&new))?;
    println!("{LIST}: {} lines, {unknown} without a reason", new.len());
    Ok(())
}

/// Every line that has one of the patterns, in the order of the files.
fn find_lines() -> Result<Vec<FoundLine>, Failure> {
    let root = root();
    let mut found = Vec::new();
    for place in PLACES {
        for path in files(&root.join(place))? {
            let file = relative_name(&root, &path);
            let is_for_tests = file.contains("/tests/") || file.ends_with("/tests.rs");
            let is_left_out = NOT_THERE.iter().any(|other| file.starts_with(other));
            if file.ends_with(".rs") && !is_for_tests && !is_left_out {
                found.extend(lines_of(&file, &fs::read_to_string(&path)?));
            }
        }
    }
    Ok(found)
}

fn relative_name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The lines of one file that have a pattern.
fn lines_of(file: &str, source: &str) -> Vec<FoundLine> {
    let mut found = Vec::new();
    for (index, untrimmed) in source.lines().take(lines_before_tests(source)).enumerate() {
        let text = untrimmed.trim();
        let is_comment = text.starts_with("//");
        if !is_comment && PATTERNS.iter().any(|pattern| has_pattern(text, pattern)) {
            let line = Line { file: file.to_owned(), text: text.to_owned() };
            found.push(FoundLine { line, number: index + 1 });
        }
    }
    found
}

/// Whether the pattern is there and is not the end of a longer name, as in `a_ =>`.
fn has_pattern(line: &str, pattern: &str) -> bool {
    line.match_indices(pattern).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let is_inside_of_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !pattern.starts_with('_') || !is_inside_of_name
    })
}

/// Reads the list: a file at the left margin, below it its lines, each behind a word.
fn parse_list(list: &str) -> Result<Vec<ListedLine>, Failure> {
    let mut listed = Vec::new();
    let mut file = "";
    for line in list.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let Some(entry) = line.strip_prefix("  ") else {
            file = line;
            continue;
        };
        let Some((reason, text)) = entry.split_once(" | ") else {
            return Err(Failure::new(format!("{LIST}: not a word and a line: {line}")));
        };
        listed.push(ListedLine {
            reason: reason.trim().to_owned(),
            line: Line { file: file.to_owned(), text: text.to_owned() },
        });
    }
    Ok(listed)
}

fn faults_of(found: &[FoundLine], listed: &[ListedLine]) -> Vec<String> {
    let mut counts: HashMap<&Line, usize> = HashMap::new();
    for ListedLine { line, .. } in listed {
        *counts.entry(line).or_default() += 1;
    }
    let mut faults = Vec::new();
    for FoundLine { line, number } in found {
        match counts.get_mut(line) {
            Some(count) if *count > 0 => *count -= 1,
            _ => faults.push(format!("{}:{number}: not listed: {}", line.file, line.text)),
        }
    }
    let mut gone = Vec::new();
    for (line, count) in counts {
        if count > 0 {
            gone.push(format!("{}: listed and not there: {}", line.file, line.text));
        }
    }
    gone.sort();
    faults.extend(gone);
    for ListedLine { reason, line } in listed {
        if !REASONS.iter().any(|(known, _)| known == reason) {
            faults.push(format!("{}: {reason:?} is no reason: {}", line.file, line.text));
        }
    }
    faults
}

/// The lines that are there, each with the word that it had.
fn update_list(found: &[FoundLine], old: &[ListedLine]) -> Vec<ListedLine> {
    let mut reasons: HashMap<&Line, Vec<&String>> = HashMap::new();
    for ListedLine { reason, line } in old.iter().rev() {
        reasons.entry(line).or_default().push(reason);
    }
    let mut listed = Vec::new();
    for FoundLine { line, .. } in found {
        let reason = match reasons.get_mut(line).and_then(Vec::pop) {
            Some(reason) => reason.clone(),
            None => UNKNOWN.to_owned(),
        };
        listed.push(ListedLine { reason, line: line.clone() });
    }
    listed
}

fn format_list(listed: &[ListedLine]) -> String {
    let mut text = String::from(
        "# Where what cannot be read could become a default without a word; see CONTRIBUTING.md.\n\
         # cargo xtask lint --only silent-defaults --write brings the list up to date. The words:\n",
    );
    for (reason, meaning) in REASONS {
        let _ = writeln!(text, "#   {reason:<8} {meaning}");
    }
    let mut by_file: BTreeMap<&str, Vec<&ListedLine>> = BTreeMap::new();
    for entry in listed {
        by_file.entry(&entry.line.file).or_default().push(entry);
    }
    for (file, entries) in by_file {
        let _ = writeln!(text, "\n{file}");
        for ListedLine { reason, line } in entries {
            let _ = writeln!(text, "  {reason:<7} | {}", line.text);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
// A comment: x.unwrap_or_default()
let a = read().unwrap_or_default();
let b = known;
match c {
    some_ => {}
    _ => {}
}
let d = read().unwrap_or_else(|| ours());
let e = read().ok();
#[cfg(test)]
mod tests {
    let f = read().unwrap_or(1);
";

    fn line(text: &str) -> Line {
        Line { file: "a.rs".to_owned(), text: text.to_owned() }
    }

    fn found(texts: &[&str]) -> Vec<FoundLine> {
        let mut lines = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            lines.push(FoundLine { line: line(text), number: index + 1 });
        }
        lines
    }

    fn listed(reason: &str, text: &str) -> ListedLine {
        ListedLine { reason: reason.to_owned(), line: line(text) }
    }

    #[test]
    fn lines_are_found_outside_of_tests_and_comments() {
        let found = lines_of("a.rs", SOURCE);
        let shown: Vec<_> =
            found.iter().map(|found| (found.number, found.line.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                (2, "let a = read().unwrap_or_default();"),
                (6, "_ => {}"),
                (9, "let e = read().ok();"),
            ]
        );
    }

    #[test]
    fn a_new_line_is_a_fault_and_a_second_like_a_listed_one_too() {
        let listed = vec![listed("other", "_ => {}")];
        assert!(faults_of(&found(&["_ => {}"]), &listed).is_empty());
        assert_eq!(
            faults_of(&found(&["x.ok()", "_ => {}"]), &listed),
            ["a.rs:1: not listed: x.ok()"]
        );
        assert_eq!(
            faults_of(&found(&["_ => {}", "_ => {}"]), &listed),
            ["a.rs:2: not listed: _ => {}"]
        );
        assert_eq!(faults_of(&[], &listed), ["a.rs: listed and not there: _ => {}"]);
    }

    #[test]
    fn a_line_needs_a_word_that_is_known() {
        for reason in ["?", "because", ""] {
            let listed = vec![listed(reason, "_ => {}")];
            assert_eq!(faults_of(&found(&["_ => {}"]), &listed).len(), 1, "{reason:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_known_lines_keep_their_words() {
        let old = vec![
            listed("other", "_ => {}"),
            listed("closed", "_ => {}"),
            listed("ours", "gone.ok()"),
        ];
        let new = update_list(&found(&["_ => {}", "a | b.ok()", "_ => {}"]), &old);
        let words: Vec<_> = new.iter().map(|listed| listed.reason.as_str()).collect();
        assert_eq!(words, ["other", "?", "closed"]);
        assert_eq!(parse_list(&format_list(&new)).unwrap(), new);
        assert!(parse_list("a.rs\n  no word\n").is_err());
    }
}
