//! What the tutorials show is what the examples do.

const WHOAMI: (&str, &str) = (
    include_str!("../../../../docs/tutorials/whoami.md"),
    include_str!("../../../whoami/src/main.rs"),
);
const TODO_MANAGER: (&str, &str) =
    (include_str!("../../../../docs/tutorials/todo-manager.md"), include_str!("../../src/main.rs"));

#[test]
fn every_excerpt_is_a_part_of_its_example() {
    for (tutorial, source) in [WHOAMI, TODO_MANAGER] {
        let source = trimmed(source);
        let excerpts: Vec<_> = tutorial.split("```rust\n").skip(1).collect();
        assert!(!excerpts.is_empty());
        for excerpt in excerpts {
            let (code, _) = excerpt.split_once("```").unwrap();
            assert!(source.contains(&trimmed(code)), "{code}");
        }
    }
}

/// Without the indentation; whole lines only.
fn trimmed(text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("{}\n", line.trim())).collect();
    format!("\n{lines}")
}
