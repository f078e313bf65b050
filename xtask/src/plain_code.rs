//! The lint step `plain-code`: closures with a name, and bindings that shadow another one.
//!
//! Both make a reader remember what a name means just here. They are counted in code, not in tests: not behind
//! `#[cfg(test)]`, and not in files named `tests.rs` or in folders named `tests`.
//!
//! - A named closure is `let name = |…| …`.
//! - A shadowing is a binding (of `let`, a pattern, or a closure's parameter) whose name is in scope already in the
//!   same function. It does not count where the old value itself was parsed or unwrapped, on one line:
//!   `let x = x.parse()?`, `let Some(x) = x else`, `if let Some(x) = x`, `match x { Some(x) => …`.
//!
//! Counted so, `mcp-auth/src` had 116 named closures and 12 shadowings for 1,000 lines when the limits to reach were
//! set, and rustls 0.23 has 0 and 1.8.

mod reader;

use std::fmt;
use std::fs;

use crate::command::{Failure, root};
use crate::rust_source;
use crate::source_checks::{files, lines_before_tests};
use crate::step::Outcome;

/// What is counted together. The limits go down, never up.
const PARTS: [Part; 2] = [
    Part {
        name: "the library",
        folders: &["mcp-auth/src"],
        closures: 14,
        shadowings_per_1000_lines: 1.0,
    },
    Part {
        name: "everything else",
        folders: &[
            "bench/src",
            "cli/src",
            "dev-issuer",
            "examples",
            "fuzz/fuzz_targets",
            "node/src",
            "python/src",
            "xtask/src",
        ],
        closures: 25,
        shadowings_per_1000_lines: 3.0,
    },
];

/// Folders of the repository, and what may be in them.
struct Part {
    name: &'static str,
    folders: &'static [&'static str],
    closures: usize,
    shadowings_per_1000_lines: f64,
}

/// Counts each part and compares it with its limits.
pub(crate) fn run() -> Result<Outcome, Failure> {
    let mut faults = Vec::new();
    for part in PARTS {
        let count = Count::of(&part)?;
        println!("{}: {count}", part.name);
        faults.extend(faults_of(&part, &count));
    }
    if faults.is_empty() {
        return Ok(Outcome::Passed);
    }
    let advice = "cargo xtask lint --only plain-code --places names each place";
    Err(Failure::new(format!("{}\n{advice}", faults.join("\n"))))
}

/// Prints each place, and the counts.
pub(crate) fn print_places() -> Result<(), Failure> {
    for part in PARTS {
        let count = Count::of(&part)?;
        for place in &count.closures {
            println!("{place}: a closure with a name");
        }
        for place in &count.shadowings {
            println!("{place}: shadows another binding");
        }
        println!("{}: {count}\n", part.name);
    }
    Ok(())
}

/// What one part has. Places are `file:line: name`.
#[derive(Default)]
struct Count {
    lines: usize,
    closures: Vec<String>,
    shadowings: Vec<String>,
}

impl Count {
    fn of(part: &Part) -> Result<Self, Failure> {
        let root = root();
        let mut count = Self::default();
        for folder in part.folders {
            for path in files(&root.join(folder))? {
                let relative = path.strip_prefix(&root).unwrap_or(&path);
                let file = relative.to_string_lossy().replace('\\', "/");
                if is_code(&file) {
                    count.add(&file, &fs::read_to_string(&path)?)?;
                }
            }
        }
        Ok(count)
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), Failure> {
        let found = reader::read(&rust_source::parse_without_tests(file, text)?);
        self.lines += lines_before_tests(text);
        for place in found.closures {
            self.closures.push(format!("{file}:{}: {}", place.line, place.name));
        }
        for place in found.shadowings {
            self.shadowings.push(format!("{file}:{}: {}", place.line, place.name));
        }
        Ok(())
    }

    fn shadowings_per_1000_lines(&self) -> f64 {
        let thousands = self.lines as f64 / 1000.0;
        self.shadowings.len() as f64 / thousands
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} named closures; {} shadowings, {:.1} for 1,000 lines of {}",
            self.closures.len(),
            self.shadowings.len(),
            self.shadowings_per_1000_lines(),
            self.lines,
        )
    }
}

/// Rust, and no tests.
fn is_code(file: &str) -> bool {
    let is_for_tests = file.contains("/tests/") || file.ends_with("/tests.rs");
    file.ends_with(".rs") && !is_for_tests
}

fn faults_of(part: &Part, count: &Count) -> Vec<String> {
    let mut faults = Vec::new();
    let closures = count.closures.len();
    if closures > part.closures {
        faults.push(format!("{}: {closures} named closures, over {}", part.name, part.closures));
    }
    let rate = count.shadowings_per_1000_lines();
    if rate > part.shadowings_per_1000_lines {
        faults.push(format!(
            "{}: {rate:.2} shadowings for 1,000 lines, over {}",
            part.name, part.shadowings_per_1000_lines
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Part =
        Part { name: "a part", folders: &[], closures: 1, shadowings_per_1000_lines: 200.0 };

    /// Five lines before the tests, with a named closure and a shadowing.
    const SOURCE: &str = "fn f(x: X) {
    let is_good = |y| y > 1;
    let x = x.trim();
    let x = x.parse()?;
}
#[cfg(test)]
mod tests {
    fn f(x: X) {
        let x = || 1;
    }
}
";

    #[test]
    fn code_at_the_limits_passes() {
        let mut count = Count::default();
        count.add("a.rs", SOURCE).unwrap();
        assert_eq!(count.closures, ["a.rs:2: is_good"]);
        assert_eq!(count.shadowings, ["a.rs:3: x"]);
        assert_eq!(count.to_string(), "1 named closures; 1 shadowings, 200.0 for 1,000 lines of 5");
        assert!(faults_of(&PART, &count).is_empty());
    }

    #[test]
    fn code_above_the_limits_is_a_fault() {
        let mut count = Count::default();
        count.add("a.rs", SOURCE).unwrap();
        count.add("b.rs", "fn g(x: X) {\n    let x = |y| y;\n}\n").unwrap();
        assert_eq!(
            faults_of(&PART, &count),
            [
                "a part: 2 named closures, over 1",
                "a part: 250.00 shadowings for 1,000 lines, over 200"
            ]
        );
    }

    #[test]
    fn tests_are_no_code() {
        assert!(is_code("mcp-auth/src/json/reader.rs"));
        for file in ["mcp-auth/src/a/tests.rs", "mcp-auth/src/a/tests/b.rs", "docs/a.md"] {
            assert!(!is_code(file), "{file}");
        }
    }
}
