//! The one table.

use std::fmt;

use crate::contenders::OURS;
use crate::targets::{Bound, Quantity, TARGETS, Target};

/// A line of the table.
pub(crate) struct Row {
    work: String,
    contender: String,
    measured: Option<(f64, &'static str)>,
    ratio: Option<f64>,
    allocations: Option<f64>,
    note: String,
    is_judged: bool,
}

impl Row {
    pub(crate) fn new(work: impl Into<String>, contender: impl Into<String>) -> Self {
        Self {
            work: work.into(),
            contender: contender.into(),
            measured: None,
            ratio: None,
            allocations: None,
            note: String::new(),
            is_judged: true,
        }
    }

    pub(crate) fn measured(mut self, value: f64, unit: &'static str) -> Self {
        self.measured = Some((value, unit));
        self
    }

    pub(crate) fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    pub(crate) fn allocations(mut self, allocations: f64) -> Self {
        self.allocations = Some(allocations);
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

    fn value(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::Measured => self.measured.map(|(value, _)| value),
            Quantity::Ratio => self.ratio,
            Quantity::Allocations => self.allocations,
        }
    }

    fn last_column(&self) -> String {
        let ours = self.contender == OURS;
        let targets = TARGETS.iter().filter(|target| ours && target.work == self.work);
        let verdicts = targets.filter_map(|target| self.verdict(target));
        let note = (!self.note.is_empty()).then(|| self.note.clone());
        verdicts.chain(note).collect::<Vec<_>>().join("; ")
    }

    fn verdict(&self, target: &Target) -> Option<String> {
        let value = self.value(target.quantity)?;
        let what = match target.quantity {
            Quantity::Allocations => " allocations",
            Quantity::Measured | Quantity::Ratio => "",
        };
        let bound = match target.bound {
            Bound::AtMost(limit) => format!("≤ {}", short(limit)),
            Bound::AtLeast(limit) => format!("≥ {}", short(limit)),
            Bound::Exactly(expected) => format!("= {}", short(expected)),
        };
        let verdict = match target.bound.is_met_by(value) {
            _ if !self.is_judged => "not judged",
            true => "met",
            false => "MISSED",
        };
        Some(format!("{bound}{what} {verdict}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = self.measured.map(|(value, unit)| format!("{} {unit}", short(value)));
        let ratio = self
            .ratio
            .map(|ratio| if ratio < 0.1 { format!("{ratio:.4}") } else { format!("{ratio:.2}") });
        let allocations = self.allocations.map(|count| format!("{count:.1}"));
        let line = format!(
            "{:<34} {:<33} {:>14} {:>8} {:>7}  {}",
            self.work,
            self.contender,
            measured.unwrap_or_default(),
            ratio.unwrap_or_default(),
            allocations.unwrap_or_default(),
            self.last_column(),
        );
        f.write_str(line.trim_end())
    }
}

/// Four digits, with separators between thousands.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.1 => format!("{value:.4}"),
        whole if value.fract() == 0.0 && whole < 1000.0 => format!("{value:.0}"),
        small if small < 100.0 => format!("{value:.2}"),
        middle if middle < 1000.0 => format!("{value:.1}"),
        _ => {
            let digits = format!("{value:.0}");
            let groups: Vec<_> =
                digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
            groups.join(",")
        }
    }
}

/// The rows of one group, and what its numbers are.
pub(crate) struct Section {
    pub(crate) about: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// Prints everything.
pub(crate) fn print(sections: &[Section]) {
    println!(
        "{:<34} {:<33} {:>14} {:>8} {:>7}  targets and notes",
        "work", "contender", "measured", "ratio", "allocs"
    );
    for section in sections {
        println!("\n{}", section.about);
        let blocks = section.rows.chunk_by(|one, next| one.work == next.work);
        let mut after_many = false;
        for block in blocks {
            if after_many {
                println!();
            }
            after_many = block.len() > 1;
            block.iter().for_each(|row| println!("{row}"));
        }
    }
}
