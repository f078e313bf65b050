//! Rows of figures: printed as tables, and written as JSON for the file that is kept.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Failure;
use crate::contenders::OURS;
use crate::rounds::Spread;
use crate::targets::{Bound, TARGETS, Target};

/// Processor time of a token or request, in microseconds.
pub(crate) const MICROSECONDS: &str = "µs";
/// To the row that the section names.
pub(crate) const RATIO: &str = "ratio";
/// Processor time beyond that of a layer that does nothing, in the same round.
pub(crate) const OVER_EMPTY: &str = "µs over an empty layer";
/// Processor time beyond that of the bare signature check in a layer, in the same round.
pub(crate) const OVER_BARE: &str = "µs over the bare check";
pub(crate) const ALLOCATIONS: &str = "allocations";

/// A line of a table.
pub(crate) struct Row {
    work: String,
    contender: String,
    /// By the name of their column.
    figures: Vec<(&'static str, Spread)>,
    note: String,
    is_judged: bool,
}

impl Row {
    pub(crate) fn new(work: impl Into<String>, contender: impl Into<String>) -> Self {
        Self {
            work: work.into(),
            contender: contender.into(),
            figures: Vec::new(),
            note: String::new(),
            is_judged: true,
        }
    }

    pub(crate) fn figure(mut self, column: &'static str, value: Spread) -> Self {
        self.figures.push((column, value));
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Shows targets without a verdict: what was measured says too little.
    pub(crate) fn not_judged(mut self) -> Self {
        self.is_judged = false;
        self
    }

    fn value(&self, column: &str) -> Option<Spread> {
        self.figures.iter().find(|(name, _)| *name == column).map(|(_, value)| *value)
    }

    /// Ours alone has targets.
    fn targets(&self) -> impl Iterator<Item = &'static Target> {
        let is_ours = self.contender == OURS;
        TARGETS.iter().filter(move |target| is_ours && target.work == self.work)
    }

    fn last_column(&self) -> String {
        let mut parts: Vec<String> = self.targets().map(|target| self.verdict(target)).collect();
        if !self.note.is_empty() {
            parts.push(self.note.clone());
        }
        parts.join("; ")
    }

    fn verdict(&self, target: &Target) -> String {
        let verdict = match self.value(target.figure) {
            Some(_) if !self.is_judged => "not judged",
            Some(value) if target.bound.is_met_by(value.middle) => "met",
            // What was not measured is not met.
            Some(_) | None => "MISSED",
        };
        let (sign, limit) = match target.bound {
            Bound::AtMost(limit) => ("≤", limit),
            Bound::AtLeast(limit) => ("≥", limit),
            Bound::Exactly(limit) => ("=", limit),
        };
        format!("{} {sign} {} {verdict}", target.figure, short(limit))
    }

    fn to_json(&self) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|(name, value)| {
                let values = [value.low, value.middle, value.high].map(rounded);
                json!({ "name": name, "values": values })
            })
            .collect();
        let targets: Vec<Value> = self.targets().map(Target::to_json).collect();
        json!({
            "work": self.work, "contender": self.contender, "figures": figures,
            "targets": if self.is_judged { targets } else { Vec::new() }, "note": self.note,
        })
    }
}

/// The rows of one group, and what its numbers are.
pub(crate) struct Section {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) rows: Vec<Row>,
}

impl Section {
    /// The names of all figures, in the order in which rows have them.
    fn columns(&self) -> Vec<&'static str> {
        let mut columns = Vec::new();
        for (name, _) in self.rows.iter().flat_map(|row| &row.figures) {
            if !columns.contains(name) {
                columns.push(*name);
            }
        }
        columns
    }

    fn print(&self) {
        let columns = self.columns();
        println!("\n{}\n\n{}", self.about, line("work", "contender", &columns, "targets, notes"));
        for row in &self.rows {
            let cells: Vec<String> = columns.iter().map(|name| cell(row.value(name))).collect();
            println!("{}", line(&row.work, &row.contender, &cells, &row.last_column()));
        }
    }
}

fn line(work: &str, contender: &str, cells: &[impl AsRef<str>], last: &str) -> String {
    let mut text = format!("{work:<32} {contender:<33}");
    for one in cells {
        text.push_str(&format!(" {:>24}", one.as_ref()));
    }
    format!("{text}  {last}").trim_end().to_owned()
}

/// The middle, and in brackets the middle half of the rounds.
fn cell(value: Option<Spread>) -> String {
    match value {
        None => String::new(),
        Some(Spread { low, middle, high }) if low == high => short(middle),
        Some(Spread { low, middle, high }) => {
            format!("{} ({} to {})", short(middle), short(low), short(high))
        }
    }
}

/// Three significant digits, or whole numbers.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        tiny if tiny < 0.1 => format!("{value:.4}"),
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 1000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// As exact as anybody may want to know it.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

pub(crate) fn print(sections: &[Section]) {
    for section in sections {
        section.print();
    }
}

/// Writes a run as it is kept: `cargo xtask bench --keep` puts it beside the others.
pub(crate) fn write(
    path: &Path,
    setting: &str,
    others: Option<f64>,
    sections: &[Section],
) -> Result<(), Failure> {
    let in_json = |section: &Section| {
        let rows: Vec<Value> = section.rows.iter().map(Row::to_json).collect();
        json!({ "name": section.name, "about": section.about, "rows": rows })
    };
    let sections: Vec<Value> = sections.iter().map(in_json).collect();
    let others = others.map(rounded);
    let run = json!({ "setting": setting, "others": others, "sections": sections });
    Ok(fs::write(path, run.to_string())?)
}
