//! What the tutorial shows is what the examples do.

const TUTORIAL: &str = include_str!("../../../../docs/tutorials/notes-db.md");

/// The sources of each language, by what is after the three backticks. Excerpts are no whole programs.
const SOURCES: [(&str, &[&str]); 4] = [
    (
        "rust",
        &[
            include_str!("../../src/main.rs"),
            include_str!("../../src/owner.rs"),
            include_str!("../../src/postgres.rs"),
        ],
    ),
    (
        "python,ignore",
        &[
            include_str!("../../../python/notes_db.py"),
            include_str!("../../../python/notes_store.py"),
        ],
    ),
    (
        "ts,ignore",
        &[include_str!("../../../node/notes-db.ts"), include_str!("../../../node/notes-store.ts")],
    ),
    ("sql", &[include_str!("../../postgres.sql")]),
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
