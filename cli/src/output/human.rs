//! For people at a terminal: what holds in one line each, what does not with what to do.

use super::{Finding, Report, RevisionVerdict, Verdict, wants_colour};

/// Where the details of a finding begin.
const LABEL: usize = 16;

/// `verbose`: with what passed, and with what nobody outside can see. `width`: the columns of a line.
pub(super) fn render(report: &Report, verbose: bool, colour: bool, width: usize) -> String {
    let paint = Paint { colour };
    let page = Page { report, paint, verbose, width };
    let mut text = format!("{}\n", wrap_words(&page.paint.bold(&report.verdict), 0, width));
    let note = if report.note.is_empty() { "" } else { ", " };
    let checked_by = format!("mcp-auth {}{note}{}", report.command, report.note);
    text += &format!("{}\n", page.paint.dim(&wrap_words(&checked_by, 0, width)));
    if report.findings.is_empty() {
        return text;
    }
    text.push('\n');
    text += &page.findings();
    text += &page.not_checked();
    text += &page.ending();
    text
}

/// What is rendered, and how.
struct Page<'a> {
    report: &'a Report,
    paint: Paint,
    verbose: bool,
    width: usize,
}

impl Page<'_> {
    fn findings(&self) -> String {
        let mut listed: Vec<_> = self.report.findings.iter().collect();
        listed.retain(|finding| match finding.verdict {
            Verdict::Pass => self.verbose,
            Verdict::Skip => false,
            _ => !finding.ignored,
        });
        let id_width = listed.iter().map(|finding| finding.id.len()).max().unwrap_or(0);
        let mut text = String::new();
        for finding in &listed {
            text += &self.finding_line(finding, id_width);
            if finding.verdict != Verdict::Pass {
                text += &self.finding_details(finding);
            }
        }
        if !listed.is_empty() {
            text.push('\n');
        }
        text
    }

    /// What it means: what to mend first, for whom, and how many there are of each kind.
    fn ending(&self) -> String {
        let mut text = String::new();
        let causes = self.report.root_causes();
        if !causes.is_empty() {
            text += "To mend\n";
        }
        for (finding, followers) in causes {
            let after = match followers.as_slice() {
                [] => String::new(),
                ids => format!(": with it most likely {}", ids.join(", ")),
            };
            text += &format!("  {}{}\n", finding.id, self.wrap(&after, 4));
        }
        if !text.is_empty() {
            text.push('\n');
        }
        for (names, verdict) in self.report.revisions_alike() {
            text += &self.revision_line(&names, verdict);
        }
        let ignored: Vec<_> =
            self.report.findings.iter().filter(|one| one.ignored).map(|one| one.id).collect();
        if !ignored.is_empty() {
            text += &format!("\nIgnored: {}\n", self.wrap(&ignored.join(", "), 2));
        }
        text += &format!("\n{}\n", self.report.summary());
        if !self.verbose {
            text += &format!("{}\n", self.paint.dim("--verbose lists the rest"));
        }
        text
    }

    fn wrap(&self, text: &str, indent: usize) -> String {
        wrap_words(text, indent, self.width)
    }

    /// The skipped findings, by reason.
    fn not_checked(&self) -> String {
        let skipped = self.report.findings.iter().filter(|one| one.verdict == Verdict::Skip);
        let skipped = skipped.filter(|one| self.verbose || !one.is_unseen);
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for finding in skipped {
            match reasons.iter_mut().find(|(reason, _)| *reason == finding.actual) {
                Some((_, ids)) => ids.push(finding.id),
                None => reasons.push((&finding.actual, vec![finding.id])),
            }
        }
        if reasons.is_empty() {
            return String::new();
        }
        let mut text = String::from("Not checked\n");
        for (reason, ids) in reasons {
            let shown = self.paint.dim(&self.wrap(reason, 2));
            text += &format!("  {shown}\n    {}\n", self.wrap(&ids.join(", "), 4));
        }
        text.push('\n');
        text
    }

    fn finding_line(&self, finding: &Finding, id_width: usize) -> String {
        let verdict = self.paint.verdict(finding.verdict, finding.verdict.name());
        let indent = 4 + 2 + id_width + 2;
        format!("{verdict}  {:id_width$}  {}\n", finding.id, self.wrap(finding.title, indent))
    }

    fn finding_details(&self, finding: &Finding) -> String {
        let level = finding.level_words();
        if let Some(cause) = finding.follows_from {
            let padded = self.paint.dim(&format!("{:<10}", "actual"));
            let text = format!("{} (most likely from {cause})", finding.actual);
            return format!("{:6}{padded}{}\n", "", self.wrap(&text, LABEL));
        }
        let rows = [
            ("expected", format!("{} ({level})", finding.expected)),
            ("actual", finding.actual.clone()),
            ("rule", finding.quote.unwrap_or_default().to_owned()),
            ("fix", finding.fix.to_owned()),
        ];
        let mut lines = String::new();
        for (label, text) in rows {
            if !text.is_empty() {
                let padded = self.paint.dim(&format!("{label:<10}"));
                lines += &format!("{:6}{padded}{}\n", "", self.wrap(&text, LABEL));
            }
        }
        lines
    }

    fn revision_line(&self, names: &[&str], verdict: &RevisionVerdict) -> String {
        let words = self.paint.verdict(verdict.verdict, verdict.words());
        let because = match verdict.because.as_slice() {
            [] => String::new(),
            ids => format!(": {}", ids.join(", ")),
        };
        format!("{}  {words}{}\n", names.join(", "), self.wrap(&because, 12))
    }
}

/// The text with line breaks between words, when it begins at this column. Further lines are indented as far, or but a
/// little where too few words would fit into what is left of a narrow terminal.
fn wrap_words(text: &str, begins_at: usize, width: usize) -> String {
    const LEAST_ROOM: usize = 30;
    const LITTLE: usize = 4;
    let is_narrow = width.saturating_sub(begins_at) < LEAST_ROOM;
    let indent = if is_narrow { begins_at.min(LITTLE) } else { begins_at };
    let mut column = begins_at;
    let mut lines = String::new();
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count() + 1;
        if index > 0 && column + length > width {
            lines += &format!("\n{:indent$}", "");
            column = indent;
        } else if index > 0 {
            lines.push(' ');
        }
        lines += word;
        column += length;
    }
    lines
}

/// Everything that [`Paint`] writes to a terminal beside text.
pub(super) const COLOURS: [&str; 7] =
    ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[1;31m"];

/// Colours, where they are wanted.
pub(crate) struct Paint {
    colour: bool,
}

impl Paint {
    /// As standard output is.
    pub(crate) fn for_stdout() -> Self {
        Self { colour: wants_colour() }
    }

    pub(crate) fn verdict(&self, verdict: Verdict, text: &str) -> String {
        match verdict {
            Verdict::Pass => self.with("32", text),
            Verdict::Info => self.with("36", text),
            Verdict::Warn => self.with("33", text),
            Verdict::Fail => self.with("1;31", text),
            Verdict::Skip => self.dim(text),
        }
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn what_holds_takes_a_line_and_what_does_not_says_what_to_do() {
        let expected = "\
https://mcp.example.com/mcp is a protected MCP server.
mcp-auth check server, without a token

pass  R7.one    A token is refused | with 401
FAIL  R7.two    A token is refused | with 401
      expected  401 (MUST)
      actual    200 <script>
      fix       Refuse it.
warn  R7.three  A token is refused | with 401
      expected  401 (SHOULD)
      actual    no `error`
      fix       Add it.
info  R7.four   A token is refused | with 401
      expected  401 (MAY)
      actual    none

Not checked
  cannot be seen from outside
    R18.five

To mend
  R7.two
  R7.three
  R7.four

2025-11-25  does not conform: R7.two
2026-07-28  conforms, as far as checked

1 passed, 1 failed, 1 warning, 1 note, 1 not checked
";
        assert_eq!(render(&sample(), true, false, 100), expected);
        let short = render(&sample(), false, false, 100);
        assert!(!short.contains("R7.one") && short.contains("--verbose"), "{short}");
    }

    #[test]
    fn colours_change_nothing_but_colour() {
        let coloured = render(&sample(), true, true, 100);
        assert!(coloured.contains("\x1b[1;31mFAIL\x1b[0m"), "{coloured}");
        let mut plain = String::new();
        for (index, part) in coloured.split('\x1b').enumerate() {
            plain += if index == 0 { part } else { part.split_once('m').unwrap().1 };
        }
        assert_eq!(plain, render(&sample(), true, false, 100));
    }

    #[test]
    fn long_texts_are_broken_between_words() {
        let text = wrap_words(&"word ".repeat(40), 16, 60);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(16))), "{text}");
    }

    #[test]
    fn a_narrow_terminal_gets_several_words_in_a_line() {
        for (begins_at, width) in [(16, 40), (33, 40), (60, 80), (2, 40)] {
            let text = wrap_words(&"word ".repeat(40), begins_at, width);
            let lines: Vec<_> = text.lines().skip(1).collect();
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{text}");
            let full = &lines[..lines.len() - 1];
            assert!(full.iter().all(|line| line.matches("word").count() > 4), "{width}: {text}");
        }
    }
}
