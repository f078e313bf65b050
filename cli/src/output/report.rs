//! What a check found out, and how the process ends for it.

use clap::ValueEnum;
use mcp_auth::inspection::Level;
use serde::Serialize;

use super::{human, markdown, sarif, show, show_json, wants_colour, width};
use crate::ending::Ending;

/// Everything a check found out.
#[derive(Serialize)]
pub(crate) struct Report {
    /// The command, such as `check server`.
    pub(crate) command: &'static str,
    /// What was checked: a URL.
    pub(crate) subject: String,
    /// What it is, in one sentence: the first line that people read.
    pub(crate) verdict: String,
    /// One line for people about how it was checked; empty when there is nothing to say.
    pub(crate) note: String,
    /// Whether it could be judged to the end. If not, `verdict` or `note` says why.
    pub(crate) checked: bool,
    /// Whether every MUST holds, of what could be judged.
    pub(crate) conforms: bool,
    pub(crate) findings: Vec<Finding>,
    pub(crate) revisions: Vec<RevisionVerdict>,
}

/// One requirement and whether it holds.
#[derive(Clone, Serialize)]
pub(crate) struct Finding {
    /// Stable; what scripts and suppressions refer to.
    pub(crate) id: &'static str,
    /// The row of `docs/requirements.md`, or the standard, that asks for it.
    pub(crate) requirement: &'static str,
    pub(crate) level: Level,
    pub(crate) verdict: Verdict,
    pub(crate) title: &'static str,
    pub(crate) expected: &'static str,
    /// What was seen, or why nothing was: never a token.
    pub(crate) actual: String,
    /// What to do about it. Empty when nothing has to be done.
    pub(crate) fix: &'static str,
    /// The revisions of which it is a MUST while it is none of the judging one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) must_of: Vec<&'static str>,
    /// The sentence of a specification that makes it a MUST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quote: Option<&'static str>,
    /// Another finding that does not hold, and without which this one would most likely hold.
    pub(crate) follows_from: Option<&'static str>,
    /// The user knows of it: it counts for nothing.
    pub(crate) ignored: bool,
    /// Nobody outside can see it, so that there is nothing to do.
    #[serde(skip)]
    pub(crate) is_unseen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Pass,
    /// Worth knowing; nothing is wrong.
    Info,
    /// A SHOULD does not hold.
    Warn,
    /// A MUST does not hold.
    Fail,
    /// Not checked; the finding says why.
    Skip,
}

/// What the findings mean for the clients of one MCP revision.
#[derive(Serialize)]
pub(crate) struct RevisionVerdict {
    pub(crate) revision: &'static str,
    pub(crate) verdict: Verdict,
    /// The findings that stand in the way, or that are worth a look.
    pub(crate) because: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people; coloured on a terminal.
    Human,
    /// One object, for scripts.
    Json,
    /// For issues and pull requests.
    Markdown,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

impl Verdict {
    /// The verdict on a requirement of this level that does not hold.
    pub(crate) fn on_broken(level: Level) -> Self {
        match level {
            Level::Must => Self::Fail,
            Level::Should => Self::Warn,
            _ => Self::Info,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        }
    }
}

impl Finding {
    /// Its level, and where it is a higher one.
    pub(super) fn level_words(&self) -> String {
        match self.must_of.as_slice() {
            [] => self.level.name().to_owned(),
            revisions => format!("{}; a MUST of {}", self.level.name(), revisions.join(", ")),
        }
    }

    /// Whether it does not hold, however much that matters.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.verdict, Verdict::Info | Verdict::Warn | Verdict::Fail)
    }
}

impl Report {
    /// What could not be judged: nothing but the reason is in it.
    pub(crate) fn unjudged(command: &'static str, subject: String, verdict: String) -> Self {
        Self {
            command,
            subject,
            verdict,
            note: String::new(),
            checked: false,
            conforms: false,
            findings: Vec::new(),
            revisions: Vec::new(),
        }
    }

    /// Prints it, and says how the process should end; see [`exit_code`](Self::exit_code).
    ///
    /// `verbose`: people also read what holds, each on its own line, and what nobody outside can see.
    pub(crate) fn print(&self, format: Format, verbose: bool) -> Ending {
        match format {
            Format::Human => {
                show(&human::render(self, verbose, wants_colour(), width::of_stdout()));
            }
            Format::Json => show_json(&serde_json::to_string_pretty(self).unwrap_or_default()),
            Format::Markdown => show(&markdown::render(self)),
            Format::Sarif => show_json(&sarif::render(self)),
        }
        self.exit_code()
    }

    /// 1 when a MUST does not hold, 2 when it could not be judged to the end, else 0.
    pub(crate) fn exit_code(&self) -> Ending {
        let has_failed =
            self.findings.iter().any(|one| one.verdict == Verdict::Fail && !one.ignored);
        match (has_failed || self.checked && !self.conforms, self.checked) {
            (true, _) => Ending::Failure,
            (false, true) => Ending::Success,
            (false, false) => Ending::NotJudged,
        }
    }

    fn count(&self, verdict: Verdict) -> usize {
        let counted = self.findings.iter().filter(|one| !one.ignored && !one.is_unseen);
        counted.filter(|finding| finding.verdict == verdict).count()
    }

    /// `38 passed, 1 failed, 2 warnings`: only what is there.
    pub(super) fn summary(&self) -> String {
        let unseen = self.findings.iter().filter(|one| one.is_unseen).count();
        let ignored = self.findings.iter().filter(|one| one.ignored).count();
        let counts = [
            (self.count(Verdict::Pass), "passed", "passed"),
            (self.count(Verdict::Fail), "failed", "failed"),
            (self.count(Verdict::Warn), "warning", "warnings"),
            (self.count(Verdict::Info), "note", "notes"),
            (self.count(Verdict::Skip), "not checked", "not checked"),
            (unseen, "not visible from outside", "not visible from outside"),
            (ignored, "ignored", "ignored"),
        ];
        let mut parts = Vec::new();
        for (count, one, several) in counts {
            if count > 0 {
                parts.push(format!("{count} {}", if count == 1 { one } else { several }));
            }
        }
        parts.join(", ")
    }

    /// What is to be mended: findings that follow from no other one, each with those that follow from it.
    pub(super) fn root_causes(&self) -> Vec<(&Finding, Vec<&'static str>)> {
        let broken: Vec<_> =
            self.findings.iter().filter(|one| one.is_broken() && !one.ignored).collect();
        let mut causes = Vec::new();
        for finding in broken.iter().filter(|one| one.follows_from.is_none()) {
            let followers = broken.iter().filter(|one| one.follows_from == Some(finding.id));
            causes.push((*finding, followers.map(|one| one.id).collect()));
        }
        causes
    }

    /// The revisions by what is said of them: several that are alike are one row.
    pub(super) fn revisions_alike(&self) -> Vec<(Vec<&'static str>, &RevisionVerdict)> {
        let mut rows: Vec<(Vec<&'static str>, &RevisionVerdict)> = Vec::new();
        for verdict in &self.revisions {
            let alike = rows.iter_mut().find(|(_, first)| {
                first.verdict == verdict.verdict && first.because == verdict.because
            });
            match alike {
                Some((names, _)) => names.push(verdict.revision),
                None => rows.push((vec![verdict.revision], verdict)),
            }
        }
        rows
    }
}

impl RevisionVerdict {
    pub(super) fn words(&self) -> &'static str {
        match self.verdict {
            Verdict::Fail => "does not conform",
            Verdict::Warn => "conforms, with warnings",
            Verdict::Skip => "cannot be told",
            Verdict::Pass | Verdict::Info => "conforms, as far as checked",
        }
    }
}
