//! The tables of `docs/performance.md`, which are written from the runs in `bench/runs/` and show all of them.
//!
//! Between `<!-- runs rust axum -->` and `<!-- end -->` stand the tables of the section `axum` in `bench/runs/rust.json`.

use std::fs;
use std::path::PathBuf;

use crate::command::{Failure, root};
use crate::kept_runs::{Bound, Figure, Kept, Row, Run, Section, Target};
use crate::step::Outcome;

const END: &str = "<!-- end -->";

/// Lint: the page says what is kept.
pub(crate) fn check() -> Result<Outcome, Failure> {
    let text = fs::read_to_string(page())?;
    match written(&text)? == text {
        true => Ok(Outcome::Passed),
        false => Err(Failure::new(
            "docs/performance.md differs from bench/runs/: `cargo xtask lint --only performance --write`",
        )),
    }
}

/// Writes the tables anew.
pub(crate) fn write() -> Result<(), Failure> {
    let text = fs::read_to_string(page())?;
    Ok(fs::write(page(), written(&text)?)?)
}

fn page() -> PathBuf {
    root().join("docs/performance.md")
}

/// The page with tables from what is kept.
fn written(page: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let Some((name, section)) = marked(line) else { continue };
        let tables = tables(&Kept::read(name)?, section);
        text.push_str(&format!("\n{tables}\n{END}\n"));
        if lines.all(|old| old != END) {
            return Err(Failure::new(format!("{line} has no {END}")));
        }
    }
    Ok(text)
}

/// The file and the section that a line asks for.
fn marked(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("<!-- runs ")?.strip_suffix(" -->")?.split_once(' ')
}

/// A table for each setting.
fn tables(kept: &Kept, section: &str) -> String {
    let mut settings: Vec<&str> = Vec::new();
    let has_it = |run: &&Run| run.sections.iter().any(|one| one.name == section);
    for run in kept.runs.iter().filter(has_it) {
        if !settings.contains(&&*run.setting) {
            settings.push(&run.setting);
        }
    }
    if settings.is_empty() {
        return "Not measured yet.\n".to_owned();
    }
    let mut text = String::new();
    for setting in settings {
        let of_setting = |run: &&Run| run.setting == setting;
        let runs: Vec<&Run> = kept.runs.iter().filter(has_it).filter(of_setting).collect();
        let sections: Vec<&Section> =
            runs.iter().flat_map(|run| &run.sections).filter(|one| one.name == section).collect();
        if text.is_empty() {
            text.push_str(&format!("{}.\n\n", sections[0].about));
        }
        text.push_str(&format!("**{setting}**, {}.\n\n{}\n", occasions(&runs), table(&sections)));
    }
    text.trim_end().to_owned() + "\n"
}

/// When and where the runs were made, and what other programs used.
fn occasions(runs: &[&Run]) -> String {
    let one = |run: &&Run| {
        let others = run.others.map_or("?".to_owned(), |share| format!("{:.0}", share * 100.0));
        format!("{} on {} (others used {others} %)", run.date, run.machine)
    };
    runs.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A line for each row, a column for each figure.
fn table(sections: &[&Section]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    let mut rows: Vec<&Row> = Vec::new();
    for row in sections.iter().flat_map(|section| &section.rows) {
        if rows.iter().all(|one| (&one.work, &one.contender) != (&row.work, &row.contender)) {
            rows.push(row);
        }
        for figure in &row.figures {
            if !columns.contains(&&*figure.name) {
                columns.push(&figure.name);
            }
        }
    }
    let mut text = format!("| work | contender | {} | target |\n", columns.join(" | "));
    text.push_str(&format!("|{}\n", "---|".repeat(columns.len() + 3)));
    for row in rows {
        let same: Vec<&Row> = sections
            .iter()
            .flat_map(|section| &section.rows)
            .filter(|one| (&one.work, &one.contender) == (&row.work, &row.contender))
            .collect();
        let mut cells: Vec<String> = columns.iter().map(|name| cell(&same, name)).collect();
        if row.figures.is_empty() {
            cells[0].clone_from(&row.note);
        }
        let targets: Vec<String> = row.targets.iter().map(in_words).collect();
        let (work, contender) = (&row.work, &row.contender);
        let line =
            format!("| {work} | {contender} | {} | {} |", cells.join(" | "), targets.join("; "));
        text.push_str(&line.replace("  ", " "));
        text.push('\n');
    }
    text
}

/// The middle of each run, in bold where it misses its target, and the middle half of all rounds.
fn cell(rows: &[&Row], column: &str) -> String {
    let figures: Vec<&Figure> =
        rows.iter().flat_map(|row| &row.figures).filter(|figure| figure.name == column).collect();
    if figures.is_empty() {
        return String::new();
    }
    let targets = rows[0].targets.iter().filter(|target| target.figure == column);
    let bounds: Vec<Bound> = targets.map(|target| target.bound).collect();
    let shown = |figure: &&Figure| {
        let middle = figure.values[1];
        match bounds.iter().all(|bound| bound.is_met_by(middle)) {
            true => short(middle),
            false => format!("**{}**", short(middle)),
        }
    };
    let middles: Vec<String> = figures.iter().map(shown).collect();
    let low = figures.iter().map(|figure| figure.values[0]).fold(f64::INFINITY, f64::min);
    let high = figures.iter().map(|figure| figure.values[2]).fold(f64::NEG_INFINITY, f64::max);
    match short(low) == short(high) {
        true => middles.join(", "),
        false => format!("{} ({} to {})", middles.join(", "), short(low), short(high)),
    }
}

fn in_words(Target { figure, bound }: &Target) -> String {
    match bound {
        Bound::AtMost(limit) => format!("{figure} ≤ {}", short(*limit)),
        Bound::AtLeast(limit) => format!("{figure} ≥ {}", short(*limit)),
        Bound::Exactly(expected) => format!("{figure} = {}", short(*expected)),
    }
}

/// Three significant digits, or whole numbers.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        whole if whole.fract() == 0.0 => format!("{value:.0}"),
        tiny if tiny < 0.1 => format!("{value:.4}"),
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 1000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(middles: &[f64]) -> Kept {
        let run = |middle: &f64| {
            json!({ "date": "2026-11-28", "machine": "a processor", "setting": "one core", "others": 0.01,
                "sections": [{ "name": "axum", "about": "what it is", "rows": [
                    { "work": "seen", "contender": "mcp-auth",
                      "figures": [{ "name": "µs", "values": [middle - 0.1, middle, middle + 0.1] }],
                      "targets": [{ "figure": "µs", "at_most": 0.4 }] },
                    { "work": "seen", "contender": "peer", "figures": [], "note": "refused" },
                ] }] })
        };
        let runs: Vec<_> = middles.iter().map(run).collect();
        serde_json::from_value(json!({ "runs": runs })).unwrap()
    }

    #[test]
    fn every_run_is_shown_and_one_that_misses_the_target_as_missed() {
        let text = tables(&kept(&[0.3, 0.5]), "axum");
        let row = "| seen | mcp-auth | 0.30, **0.50** (0.20 to 0.60) | µs ≤ 0.40 |";
        assert!(text.lines().any(|line| line == row), "{text}");
        assert!(text.contains("| seen | peer | refused |"), "{text}");
        assert_eq!(text.matches("2026-11-28 on a processor (others used 1 %)").count(), 2);
    }

    #[test]
    fn what_was_not_measured_is_said() {
        assert_eq!(tables(&kept(&[0.3]), "rmcp"), "Not measured yet.\n");
        assert_eq!(tables(&Kept::default(), "axum"), "Not measured yet.\n");
    }

    #[test]
    fn what_stands_outside_the_marks_stays() {
        let page = "before\n<!-- runs nobody axum -->\nold\n<!-- end -->\nafter\n";
        let expected =
            "before\n<!-- runs nobody axum -->\n\nNot measured yet.\n\n<!-- end -->\nafter\n";
        assert_eq!(written(page).unwrap(), expected);
        assert_eq!(written(expected).unwrap(), expected);
        assert!(written("<!-- runs nobody axum -->\nno end\n").is_err());
    }
}
