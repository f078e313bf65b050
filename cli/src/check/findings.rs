//! How rows and what was seen of them become findings and verdicts, for every check.

use mcp_auth::inspection::{Level, Revision};

use super::causes::causes_of;
use super::known::Known;
use super::outcome::Outcome;
use super::quotes::quote_of;
use super::row::Row;
use crate::output::{Finding, RevisionVerdict, Verdict};

/// What was seen, row by row, and the revision that judges it.
pub(crate) struct Findings {
    judge: Revision,
    /// What the user knows of, which counts for nothing.
    known: Known,
    seen: Vec<Seen>,
}

/// A row, and what was seen of it.
struct Seen {
    row: Row,
    /// The revision whose clients see it so.
    by: SeenBy,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SeenBy {
    /// Clients of any revision.
    All,
    /// Clients of this revision.
    One(Revision),
}

impl Findings {
    /// `judge`: the revision whose levels decide; what it does not ask for is only noted.
    pub(crate) fn new(judge: Revision, known: Known) -> Self {
        Self { judge, known, seen: Vec::new() }
    }

    pub(crate) fn judge(&self) -> Revision {
        self.judge
    }

    /// What clients of every revision see.
    pub(crate) fn record(&mut self, row: &Row, outcome: Outcome) {
        self.seen.push(Seen { row: *row, by: SeenBy::All, outcome });
    }

    /// What clients of one revision see: others may see something else.
    pub(crate) fn record_for(&mut self, revision: Revision, row: &Row, outcome: Outcome) {
        self.seen.push(Seen { row: *row, by: SeenBy::One(revision), outcome });
    }

    /// Whether every MUST of the judging revision holds.
    pub(crate) fn conform(&self) -> bool {
        let mut judged = self.judged();
        !judged.any(|seen| seen.is_broken(self.judge, Level::Must) && !self.is_ignored(seen))
    }

    /// For a report.
    pub(crate) fn list(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.judged().map(|seen| seen.finding(self.judge)).collect();
        let broken: Vec<_> =
            findings.iter().filter(|one| one.is_broken()).map(|one| one.id).collect();
        for finding in findings.iter_mut().filter(|one| one.is_broken()) {
            finding.follows_from = first_cause(finding.id, &broken);
            finding.ignored = self.known.is_known(finding.id);
        }
        findings
    }

    fn is_ignored(&self, seen: &Seen) -> bool {
        self.known.is_known(seen.row.id)
    }

    /// What each revision would say, from the oldest on.
    pub(crate) fn revisions(&self) -> Vec<RevisionVerdict> {
        Revision::ALL.into_iter().map(|revision| self.verdict(revision)).collect()
    }

    /// What the judging revision is asked about.
    fn judged(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(|seen| seen.is_seen_by(self.judge))
    }

    fn verdict(&self, revision: Revision) -> RevisionVerdict {
        let fails = self.broken(revision, Level::Must);
        let warns = self.broken(revision, Level::Should);
        let (verdict, because) = match (fails.is_empty(), warns.is_empty()) {
            (false, _) => (Verdict::Fail, fails),
            (true, false) => (Verdict::Warn, warns),
            (true, true) => (Verdict::Pass, Vec::new()),
        };
        RevisionVerdict { revision: revision.name(), verdict, because }
    }

    /// The rows that do not hold for clients of a revision, of those that it asks for so strongly.
    fn broken(&self, revision: Revision, level: Level) -> Vec<&'static str> {
        let rows = self.seen.iter().filter(|seen| seen.is_seen_by(revision));
        let broken = rows.filter(|seen| seen.is_broken(revision, level) && !self.is_ignored(seen));
        broken.map(|seen| seen.row.id).collect()
    }
}

impl Seen {
    fn is_seen_by(&self, revision: Revision) -> bool {
        self.by == SeenBy::All || self.by == SeenBy::One(revision)
    }

    fn is_broken(&self, revision: Revision, level: Level) -> bool {
        matches!(self.outcome, Outcome::Broken(_)) && self.row.levels.of(revision) == Some(level)
    }

    /// The revisions of which it is a MUST.
    fn must_of(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for revision in Revision::ALL {
            if self.row.levels.of(revision) == Some(Level::Must) {
                names.push(revision.name());
            }
        }
        names
    }

    fn finding(&self, judge: Revision) -> Finding {
        let level = self.row.levels.of(judge).unwrap_or(Level::May);
        let (verdict, actual, fix) = match &self.outcome {
            Outcome::Holds(actual) => (Verdict::Pass, actual, ""),
            Outcome::Broken(actual) => (Verdict::on_broken(level), actual, self.row.fix),
            Outcome::Skipped(reason) | Outcome::Unseen(reason) => (Verdict::Skip, reason, ""),
            Outcome::Unknown(reason) => (Verdict::Skip, reason, self.row.fix),
        };
        Finding {
            id: self.row.id,
            requirement: self.row.requirement,
            level,
            verdict,
            title: self.row.title,
            expected: self.row.expected,
            actual: bounded(actual),
            fix,
            must_of: if level == Level::Must { Vec::new() } else { self.must_of() },
            quote: quote_of(self.row.id).filter(|_| level == Level::Must),
            follows_from: None,
            ignored: false,
            is_unseen: matches!(self.outcome, Outcome::Unseen(_)),
        }
    }
}

/// The finding at the beginning of what led to this one.
fn first_cause(id: &str, broken: &[&'static str]) -> Option<&'static str> {
    let mut causes = causes_of(id).iter();
    let cause = causes.find(|cause| broken.contains(cause)).copied()?;
    first_cause(cause, broken).or(Some(cause))
}

/// What was seen, cut where it says no more: strangers choose how long it is.
fn bounded(text: &str) -> String {
    const LONGEST: usize = 2000;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use mcp_auth::inspection::Levels;

    use super::*;

    const OLD: Row = Row {
        id: "old",
        requirement: "R3",
        levels: Levels::NONE
            .with(Revision::V2025_06_18, Level::Must)
            .with(Revision::V2025_11_25, Level::Should),
        title: "",
        expected: "",
        fix: "fix",
    };

    const NEEDED: Row = Row { id: "needed", levels: Levels::always(Level::Must), ..OLD };

    fn new(judge: Revision) -> Findings {
        Findings::new(judge, Known::default())
    }

    fn verdicts(findings: &Findings) -> Vec<Verdict> {
        findings.revisions().iter().map(|one| one.verdict).collect()
    }

    #[test]
    fn the_judging_revision_says_how_bad_it_is() {
        let rows = [
            (Revision::V2025_03_26, Verdict::Info, true),
            (Revision::V2025_06_18, Verdict::Fail, false),
            (Revision::V2025_11_25, Verdict::Warn, true),
            (Revision::V2026_07_28, Verdict::Info, true),
        ];
        for (judge, verdict, conforms) in rows {
            let mut findings = new(judge);
            findings.record(&OLD, Outcome::Broken(String::new()));
            assert_eq!(findings.list()[0].verdict, verdict, "{}", judge.name());
            assert_eq!(findings.conform(), conforms, "{}", judge.name());
            let must_of: &[_] = if conforms { &["2025-06-18"] } else { &[] };
            assert_eq!(findings.list()[0].must_of, must_of, "{}", judge.name());
            let expected = [Verdict::Pass, Verdict::Fail, Verdict::Warn, Verdict::Pass];
            assert_eq!(verdicts(&findings), expected);
        }
    }

    #[test]
    fn what_clients_of_one_revision_see_is_nothing_to_the_others() {
        let mut findings = new(Revision::V2025_06_18);
        let seen = |text: &str| Outcome::Broken(text.to_owned());
        findings.record_for(Revision::V2025_06_18, &NEEDED, Outcome::Holds("good".to_owned()));
        findings.record_for(Revision::V2025_11_25, &NEEDED, seen("bad"));
        let listed: Vec<_> = findings.list().into_iter().map(|finding| finding.actual).collect();
        assert_eq!(listed, ["good"]);
        assert!(findings.conform());
        let expected = [Verdict::Pass, Verdict::Pass, Verdict::Fail, Verdict::Pass];
        assert_eq!(verdicts(&findings), expected);
    }

    #[test]
    fn what_is_broken_and_required_fails_the_revisions_that_require_it_and_no_other() {
        let may = Row { levels: Levels::always(Level::May), ..OLD };
        let rows = [
            (&NEEDED, [Verdict::Fail; 4]),
            (&may, [Verdict::Pass; 4]),
            (&OLD, [Verdict::Pass, Verdict::Fail, Verdict::Warn, Verdict::Pass]),
        ];
        for (row, expected) in rows {
            let mut findings = new(Revision::V2025_06_18);
            findings.record(row, Outcome::Broken(String::new()));
            assert_eq!(verdicts(&findings), expected);
            assert_eq!(findings.conform(), expected[1] != Verdict::Fail);
        }
    }

    #[test]
    fn what_the_user_knows_of_is_shown_and_counts_for_nothing() {
        for name in ["needed", "NEEDED"] {
            let known = Known::of(&[name.to_owned()], &["needed"]).unwrap();
            let mut findings = Findings::new(Revision::V2026_07_28, known);
            findings.record(&NEEDED, Outcome::Broken(String::new()));
            assert!(findings.conform() && findings.list()[0].ignored, "{name}");
            assert_eq!(verdicts(&findings), [Verdict::Pass; 4]);
        }
    }

    #[test]
    fn what_follows_from_another_fault_names_it_and_else_nothing() {
        let row = |id| Row { id, ..NEEDED };
        let rows = [
            (&["R2.document", "R3.root"][..], Some("R2.document")),
            (&["R1.unauthenticated", "R13.get"], Some("R1.unauthenticated")),
            (&["R2.resource", "R3.agree"], Some("R2.resource")),
            (&["R4.scope", "R3.root"], None),
        ];
        for (ids, expected) in rows {
            let mut findings = new(Revision::V2026_07_28);
            for id in ids {
                findings.record(&row(id), Outcome::Broken(String::new()));
            }
            assert_eq!(findings.list()[1].follows_from, expected, "{ids:?}");
        }
    }

    #[test]
    fn advice_is_for_what_is_broken_or_cannot_be_seen() {
        let rows = [
            (Outcome::Holds(String::new()), Verdict::Pass, ""),
            (Outcome::Broken(String::new()), Verdict::Fail, "fix"),
            (Outcome::Skipped(String::new()), Verdict::Skip, ""),
            (Outcome::Unknown(String::new()), Verdict::Skip, "fix"),
        ];
        for (outcome, verdict, fix) in rows {
            let mut findings = new(Revision::V2026_07_28);
            findings.record(&NEEDED, outcome);
            let finding = findings.list().remove(0);
            assert_eq!((finding.verdict, finding.fix), (verdict, fix));
        }
    }
}
