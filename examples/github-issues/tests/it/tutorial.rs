//! What the tutorial shows is what the examples do.

const TUTORIAL: &str = include_str!("../../../../docs/tutorials/github-issues.md");

/// The sources of each language, by the word after the three backticks.
const SOURCES: [(&str, &[&str]); 3] = [
    ("rust", &[include_str!("../../src/settings.rs"), include_str!("../../src/github.rs")]),
    ("python,ignore", &[include_str!("../../../python/github_issues.py")]),
    ("ts,ignore", &[include_str!("../../../node/github-issues.ts")]),
];

#[test]
fn every_excerpt_is_a_part_of_its_example() {
    for (language, sources) in SOURCES {
        let excerpts: Vec<_> = TUTORIAL.split(&format!("```{language}\n")).skip(1).collect();
        assert!(!excerpts.is_empty(), "{language}");
        for excerpt in excerpts {
            let (code, _) = excerpt.split_once("```").unwrap();
            let is_there = sources.iter().any(|source| trimmed(source).contains(&trimmed(code)));
            assert!(is_there, "{code}");
        }
    }
}

/// Without the indentation; whole lines only.
fn trimmed(text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("{}\n", line.trim())).collect();
    format!("\n{lines}")
}
