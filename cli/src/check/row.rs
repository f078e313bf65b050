//! Requirements as rows of data, and how what was seen becomes findings and a verdict.

use clap::ValueEnum;

use crate::output::{Finding, Level, RevisionVerdict, Verdict};

/// A revision of the MCP specification.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Revision {
    #[value(name = "2025-03-26")]
    R20250326,
    #[value(name = "2025-06-18")]
    R20250618,
    #[value(name = "2025-11-25")]
    R20251125,
    #[value(name = "2026-07-28")]
    R20260728,
}

impl Revision {
    const ALL: [Self; 4] = [Self::R20250326, Self::R20250618, Self::R20251125, Self::R20260728];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::R20250326 => "2025-03-26",
            Self::R20250618 => "2025-06-18",
            Self::R20251125 => "2025-11-25",
            Self::R20260728 => "2026-07-28",
        }
    }
}

/// How strongly each revision, from the oldest on, asks for something.
pub(crate) type Levels = [Option<Level>; Revision::ALL.len()];

/// What every revision from this one on asks for.
pub(crate) const fn since(revision: Revision, level: Level) -> Levels {
    let mut levels = [None; Revision::ALL.len()];
    let mut index = revision as usize;
    while index < levels.len() {
        levels[index] = Some(level);
        index += 1;
    }
    levels
}

/// What every revision asks for.
pub(crate) const fn always(level: Level) -> Levels {
    since(Revision::R20250326, level)
}

/// One requirement: everything about it but whether it holds.
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) requirement: &'static str,
    pub(crate) levels: Levels,
    pub(crate) title: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) fix: &'static str,
}

/// What was seen of it.
pub(crate) enum Outcome {
    Holds(String),
    Broken(String),
    Skipped(String),
}

impl Outcome {
    /// It holds when `holds`; `actual` says what was seen in either case.
    pub(crate) fn when(holds: bool, actual: impl Into<String>) -> Self {
        if holds { Self::Holds(actual.into()) } else { Self::Broken(actual.into()) }
    }

    pub(crate) fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }

    /// It holds when there is no complaint, and then `good` is what was seen.
    pub(crate) fn unless(complaints: Vec<String>, good: impl Into<String>) -> Self {
        if complaints.is_empty() {
            return Self::Holds(good.into());
        }
        Self::Broken(complaints.join("; "))
    }
}

/// A requirement, and what was seen of it.
struct Judged {
    row: &'static Row,
    outcome: Outcome,
}

/// Outcomes as they come in, judged by one revision.
pub(crate) struct Findings {
    judge: Revision,
    judged: Vec<Judged>,
}

impl Findings {
    /// `judge`: the revision whose levels decide; what it does not ask for is only noted.
    pub(crate) fn new(judge: Revision) -> Self {
        Self { judge, judged: Vec::new() }
    }

    pub(crate) fn record(&mut self, row: &'static Row, outcome: Outcome) {
        self.judged.push(Judged { row, outcome });
    }

    /// Whether every MUST of the judging revision holds.
    pub(crate) fn conform(&self) -> bool {
        self.broken_rows(self.judge, Level::Must).is_empty()
    }

    /// For a report.
    pub(crate) fn list(&self) -> Vec<Finding> {
        self.judged.iter().map(|judged| self.finding(judged)).collect()
    }

    /// What each revision would say, from the oldest on.
    pub(crate) fn revisions(&self) -> Vec<RevisionVerdict> {
        Revision::ALL.map(|revision| self.verdict(revision)).into()
    }

    fn verdict(&self, revision: Revision) -> RevisionVerdict {
        let fails = self.broken_rows(revision, Level::Must);
        let warns = self.broken_rows(revision, Level::Should);
        let (verdict, because) = match (fails.is_empty(), warns.is_empty()) {
            (false, _) => (Verdict::Fail, fails),
            (true, false) => (Verdict::Warn, warns),
            (true, true) => (Verdict::Pass, Vec::new()),
        };
        RevisionVerdict { revision: revision.name(), verdict, because }
    }

    /// The `id` of each row that does not hold and that the revision asks for on this level.
    fn broken_rows(&self, revision: Revision, level: Level) -> Vec<&'static str> {
        let mut ids = Vec::new();
        for Judged { row, outcome } in &self.judged {
            let is_broken = matches!(outcome, Outcome::Broken(_));
            if is_broken && row.levels[revision as usize] == Some(level) {
                ids.push(row.id);
            }
        }
        ids
    }

    fn finding(&self, judged: &Judged) -> Finding {
        let Judged { row, outcome } = judged;
        let level = row.levels[self.judge as usize].unwrap_or(Level::May);
        let (verdict, actual, fix) = match outcome {
            Outcome::Holds(actual) => (Verdict::Pass, actual, ""),
            Outcome::Broken(actual) => (level.broken(), actual, row.fix),
            Outcome::Skipped(reason) => (Verdict::Skip, reason, ""),
        };
        Finding {
            id: row.id,
            requirement: row.requirement,
            level,
            verdict,
            title: row.title,
            expected: row.expected,
            actual: actual.clone(),
            fix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static OLD: Row = Row {
        id: "old",
        requirement: "R3",
        levels: [None, Some(Level::Must), Some(Level::Should), None],
        title: "",
        expected: "",
        fix: "fix",
    };

    #[test]
    fn the_judging_revision_says_how_bad_it_is() {
        let rows = [
            (Revision::R20250326, Verdict::Info, true),
            (Revision::R20250618, Verdict::Fail, false),
            (Revision::R20251125, Verdict::Warn, true),
            (Revision::R20260728, Verdict::Info, true),
        ];
        for (judge, verdict, conforms) in rows {
            let mut findings = Findings::new(judge);
            findings.record(&OLD, Outcome::Broken(String::new()));
            assert_eq!(findings.list()[0].verdict, verdict, "{}", judge.name());
            assert_eq!(findings.conform(), conforms, "{}", judge.name());
            let verdicts: Vec<_> = findings.revisions().iter().map(|one| one.verdict).collect();
            assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Warn, Verdict::Pass]);
        }
    }

    #[test]
    fn levels_begin_with_a_revision() {
        let levels = since(Revision::R20251125, Level::Must);
        assert!(levels == [None, None, Some(Level::Must), Some(Level::Must)]);
    }
}
