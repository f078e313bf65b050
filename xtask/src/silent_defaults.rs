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

/// One line of a file: (file, text without the space around it).
type Line = (String, String);

/// Compares the sources with the list.
pub(crate) fn run() -> Result<Outcome, Failure> {
    let listed = parse(&fs::read_to_string(root().join(LIST))?)?;
    let faults = faults(&found()?, &listed);
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
    let old = if path.exists() { parse(&fs::read_to_string(&path)?)? } else { Vec::new() };
    let found = found()?;
    let new = updated(&found, &old);
    let unknown = new.iter().filter(|(reason, _)| reason == UNKNOWN).count();
    fs::write(&path, written(&new))?;
    println!("{LIST}: {} lines, {unknown} without a reason", new.len());
    Ok(())
}

/// Every line that has one of the patterns, in the order of the files, with where it is.
fn found() -> Result<Vec<(Line, usize)>, Failure> {
    let root = root();
    let mut found = Vec::new();
    for place in PLACES {
        for path in files(&root.join(place))? {
            let name = name(&root, &path);
            let is_for_tests = name.contains("/tests/") || name.ends_with("/tests.rs");
            let is_left_out = NOT_THERE.iter().any(|other| name.starts_with(other));
            if !name.ends_with(".rs") || is_for_tests || is_left_out {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            let lines = lines_of(&text).map(|(at, line)| ((name.clone(), line.to_owned()), at));
            found.extend(lines);
        }
    }
    Ok(found)
}

fn name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The lines of one file that have a pattern, and their numbers.
fn lines_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().take(lines_before_tests(text)).enumerate();
    numbered.map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| {
        let is_comment = line.starts_with("//");
        !is_comment && PATTERNS.iter().any(|pattern| has_pattern(line, pattern))
    })
}

/// Whether the pattern is there and is not the end of a longer name, as in `a_ =>`.
fn has_pattern(line: &str, pattern: &str) -> bool {
    let is_whole = |(at, _): (usize, &str)| {
        let before = line[..at].chars().next_back();
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        !pattern.starts_with('_') || !before.is_some_and(is_name)
    };
    line.match_indices(pattern).any(is_whole)
}

/// Reads the list: a file at the left margin, below it its lines, each behind a word.
fn parse(list: &str) -> Result<Vec<(String, Line)>, Failure> {
    let mut lines = Vec::new();
    let mut file = "";
    for line in list.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        match line.strip_prefix("  ").map(|entry| entry.split_once(" | ")) {
            None => file = line,
            Some(Some((reason, text))) => {
                lines.push((reason.trim().to_owned(), (file.to_owned(), text.to_owned())));
            }
            Some(None) => {
                return Err(Failure::new(format!("{LIST}: not a word and a line: {line}")));
            }
        }
    }
    Ok(lines)
}

fn faults(found: &[(Line, usize)], listed: &[(String, Line)]) -> Vec<String> {
    let mut counts: HashMap<&Line, usize> = HashMap::new();
    for (_, line) in listed {
        *counts.entry(line).or_default() += 1;
    }
    let mut faults = Vec::new();
    for (line, at) in found {
        match counts.get_mut(line) {
            Some(count) if *count > 0 => *count -= 1,
            _ => faults.push(format!("{}:{at}: not listed: {}", line.0, line.1)),
        }
    }
    let gone = counts.into_iter().filter(|(_, count)| *count > 0);
    let mut gone: Vec<_> =
        gone.map(|(line, _)| format!("{}: listed and not there: {}", line.0, line.1)).collect();
    gone.sort();
    faults.extend(gone);
    let is_reason = |word: &str| REASONS.iter().any(|(reason, _)| *reason == word);
    let unexplained = listed.iter().filter(|(reason, _)| !is_reason(reason));
    faults.extend(
        unexplained
            .map(|(reason, line)| format!("{}: {reason:?} is no reason: {}", line.0, line.1)),
    );
    faults
}

/// The lines that are there, each with the word that it had.
fn updated(found: &[(Line, usize)], old: &[(String, Line)]) -> Vec<(String, Line)> {
    let mut reasons: HashMap<&Line, Vec<&String>> = HashMap::new();
    for (reason, line) in old.iter().rev() {
        reasons.entry(line).or_default().push(reason);
    }
    let updated = found.iter().map(|(line, _)| {
        let reason = reasons.get_mut(line).and_then(Vec::pop);
        (reason.map_or_else(|| UNKNOWN.to_owned(), String::clone), line.clone())
    });
    updated.collect()
}

fn written(lines: &[(String, Line)]) -> String {
    let mut text = String::from(
        "# Where what cannot be read could become a default without a word; see CONTRIBUTING.md.\n\
         # cargo xtask lint --only silent-defaults --write brings the list up to date. The words:\n",
    );
    for (reason, meaning) in REASONS {
        let _ = writeln!(text, "#   {reason:<8} {meaning}");
    }
    let mut by_file: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (reason, (file, line)) in lines {
        by_file.entry(file).or_default().push((reason, line));
    }
    for (file, lines) in by_file {
        let _ = writeln!(text, "\n{file}");
        for (reason, line) in lines {
            let _ = writeln!(text, "  {reason:<7} | {line}");
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
        ("a.rs".to_owned(), text.to_owned())
    }

    fn found(texts: &[&str]) -> Vec<(Line, usize)> {
        texts.iter().enumerate().map(|(at, text)| (line(text), at + 1)).collect()
    }

    #[test]
    fn lines_are_found_outside_of_tests_and_comments() {
        let found: Vec<_> = lines_of(SOURCE).collect();
        assert_eq!(
            found,
            [
                (2, "let a = read().unwrap_or_default();"),
                (6, "_ => {}"),
                (9, "let e = read().ok();"),
            ]
        );
    }

    #[test]
    fn a_new_line_is_a_fault_and_a_second_like_a_listed_one_too() {
        let listed = vec![("other".to_owned(), line("_ => {}"))];
        assert!(faults(&found(&["_ => {}"]), &listed).is_empty());
        assert_eq!(faults(&found(&["x.ok()", "_ => {}"]), &listed), ["a.rs:1: not listed: x.ok()"]);
        assert_eq!(
            faults(&found(&["_ => {}", "_ => {}"]), &listed),
            ["a.rs:2: not listed: _ => {}"]
        );
        assert_eq!(faults(&[], &listed), ["a.rs: listed and not there: _ => {}"]);
    }

    #[test]
    fn a_line_needs_a_word_that_is_known() {
        for reason in ["?", "because", ""] {
            let listed = vec![(reason.to_owned(), line("_ => {}"))];
            assert_eq!(faults(&found(&["_ => {}"]), &listed).len(), 1, "{reason:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_known_lines_keep_their_words() {
        let old = vec![
            ("other".to_owned(), line("_ => {}")),
            ("closed".to_owned(), line("_ => {}")),
            ("ours".to_owned(), line("gone.ok()")),
        ];
        let new = updated(&found(&["_ => {}", "a | b.ok()", "_ => {}"]), &old);
        let words: Vec<_> = new.iter().map(|(reason, _)| reason.as_str()).collect();
        assert_eq!(words, ["other", "?", "closed"]);
        assert_eq!(parse(&written(&new)).unwrap(), new);
        assert!(parse("a.rs\n  no word\n").is_err());
    }
}
