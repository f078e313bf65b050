//! What the checking commands print: findings, in four formats, and the exit code that follows.

mod human;
mod inert;
mod markdown;
mod progress;
mod report;
mod sarif;
mod sink;
mod width;

use std::env;
use std::io::{self, IsTerminal as _};

use crate::ending::Ending;

pub(crate) use human::Paint;
pub(crate) use inert::Inert;
pub(crate) use progress::Progress;
pub(crate) use report::{Finding, Format, Report, RevisionVerdict, Verdict};
pub(crate) use sink::{Log, complain, is_incomplete, note_written, show, show_json};

/// The exit code of a check that could not be made, after saying why.
pub(crate) fn could_not_check(reason: impl std::fmt::Display) -> Ending {
    complain(reason);
    Ending::NotJudged
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
    use mcp_auth::inspection::Level;

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
            must_of: Vec::new(),
            quote: None,
            follows_from: None,
            ignored: false,
            is_unseen: false,
        };
        Report {
            command: "check server",
            subject: "https://mcp.example.com/mcp".to_owned(),
            verdict: "https://mcp.example.com/mcp is a protected MCP server.".to_owned(),
            note: "without a token".to_owned(),
            checked: true,
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
