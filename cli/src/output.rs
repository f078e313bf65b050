//! What the checking commands print: findings, in four formats, and the exit code that follows.

mod human;
mod inert;
mod markdown;
mod progress;
mod sarif;
mod sink;

use std::env;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::ValueEnum;
use mcp_auth::inspection::Level;
use serde::Serialize;

pub(crate) use human::Paint;
pub(crate) use inert::Inert;
pub(crate) use progress::Progress;
pub(crate) use sink::{Log, complain, show, show_json};

/// Everything a check found out.
#[derive(Serialize)]
pub(crate) struct Report {
    /// The command, such as `check server`.
    pub(crate) command: &'static str,
    /// What was checked: a URL.
    pub(crate) subject: String,
    /// One line for people about how it was checked; empty when there is nothing to say.
    pub(crate) note: String,
    /// Whether every MUST holds.
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

impl Report {
    /// Prints it, and says how the process should end: 0 when every MUST holds, else 1.
    ///
    /// `verbose`: people also read what holds, each on its own line.
    pub(crate) fn print(&self, format: Format, verbose: bool) -> ExitCode {
        match format {
            Format::Human => show(&human::render(self, verbose, wants_colour())),
            Format::Json => show_json(&serde_json::to_string_pretty(self).unwrap_or_default()),
            Format::Markdown => show(&markdown::render(self)),
            Format::Sarif => show_json(&sarif::render(self)),
        }
        if self.conforms { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// `38 passed, 1 failed, 2 warnings`: only what is there.
    fn summary(&self) -> String {
        let counts = [
            (Verdict::Pass, "passed", "passed"),
            (Verdict::Fail, "failed", "failed"),
            (Verdict::Warn, "warning", "warnings"),
            (Verdict::Info, "note", "notes"),
            (Verdict::Skip, "not checked", "not checked"),
        ];
        let parts = counts.into_iter().filter_map(|(verdict, one, several)| {
            let count = self.count(verdict);
            let word = if count == 1 { one } else { several };
            (count > 0).then(|| format!("{count} {word}"))
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

impl RevisionVerdict {
    fn words(&self) -> &'static str {
        match self.verdict {
            Verdict::Fail => "does not conform",
            Verdict::Warn => "conforms, with warnings",
            Verdict::Skip => "cannot be told",
            Verdict::Pass | Verdict::Info => "conforms, as far as checked",
        }
    }
}

/// The exit code of a check that could not be made, after saying why.
pub(crate) fn could_not_check(reason: impl std::fmt::Display) -> ExitCode {
    complain(reason);
    ExitCode::from(2)
}

/// Text that a stranger chose, as one harmless line; see [`Inert`].
pub(crate) fn quoted(text: &str) -> String {
    Inert::of(text).line()
}

/// Only for people: <https://no-color.org>.
fn wants_colour() -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
    io::stdout().is_terminal() && !refused && !is_dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One finding of each verdict.
    pub(crate) fn sample() -> Report {
        let finding = |id, level, verdict, actual: &str, fix| Finding {
            id,
            requirement: "R7",
            level,
            verdict,
            title: "A token is refused | with 401",
            expected: "401",
            actual: actual.to_owned(),
            fix,
        };
        Report {
            command: "check server",
            subject: "https://mcp.example.com/mcp".to_owned(),
            note: "without a token".to_owned(),
            conforms: false,
            findings: vec![
                finding("R7.one", Level::Must, Verdict::Pass, "401", ""),
                finding("R7.two", Level::Must, Verdict::Fail, "200 <script>", "Refuse it."),
                finding("R7.three", Level::Should, Verdict::Warn, "no `error`", "Add it."),
                finding("R7.four", Level::May, Verdict::Info, "none", ""),
                finding("R18.five", Level::Must, Verdict::Skip, "cannot be seen from outside", ""),
            ],
            revisions: vec![
                RevisionVerdict {
                    revision: "2025-11-25",
                    verdict: Verdict::Fail,
                    because: vec!["R7.two"],
                },
                RevisionVerdict { revision: "2026-07-28", verdict: Verdict::Pass, because: vec![] },
            ],
        }
    }

    #[test]
    fn counts_are_summed_up_in_words() {
        assert_eq!(sample().summary(), "1 passed, 1 failed, 1 warning, 1 note, 1 not checked");
    }

    #[test]
    fn what_a_stranger_chose_is_one_harmless_line() {
        assert_eq!(quoted("a\nb\u{1b}[31m \"c\""), r#"a\nb\u{1b}[31m "c""#);
        assert_eq!(quoted(&"x".repeat(200)).chars().count(), 161);
    }

    #[test]
    fn the_json_has_stable_words() {
        let json = serde_json::to_value(sample()).unwrap();
        assert_eq!(json["findings"][1]["verdict"], "fail");
        assert_eq!(json["findings"][1]["level"], "MUST");
        assert_eq!(json["revisions"][0]["because"][0], "R7.two");
        assert_eq!(json["conforms"], false);
    }
}
