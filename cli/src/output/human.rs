//! For people at a terminal: what holds in one line each, what does not with what to do.

use super::{Finding, Report, RevisionVerdict, Verdict, wants_colour};

/// Columns that long texts are broken at.
const WIDTH: usize = 100;
/// Where the details of a finding begin.
const LABEL: usize = 16;

pub(super) fn render(report: &Report, verbose: bool, colour: bool) -> String {
    let paint = Paint { colour };
    let mut text = format!("mcp-auth {} {}\n", report.command, paint.bold(&report.subject));
    if !report.note.is_empty() {
        text += &format!("{}\n", report.note);
    }
    let mut listed: Vec<_> = report.findings.iter().collect();
    listed.retain(|finding| match finding.verdict {
        Verdict::Pass => verbose,
        Verdict::Skip => false,
        _ => true,
    });
    let id_width = listed.iter().map(|finding| finding.id.len()).max().unwrap_or(0);
    text.push('\n');
    for finding in &listed {
        text += &finding_line(finding, id_width, &paint);
        if finding.verdict != Verdict::Pass {
            text += &finding_details(finding, &paint);
        }
    }
    if !listed.is_empty() {
        text.push('\n');
    }
    text += &not_checked(report, &paint);
    for verdict in &report.revisions {
        text += &revision_line(verdict, &paint);
    }
    text += &format!("\n{}\n", report.summary());
    if !verbose && report.count(Verdict::Pass) > 0 {
        text += &format!("{}\n", paint.dim("--verbose lists what passed"));
    }
    text
}

/// The skipped findings, by reason.
fn not_checked(report: &Report, paint: &Paint) -> String {
    let skipped = report.findings.iter().filter(|finding| finding.verdict == Verdict::Skip);
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
        let shown = paint.dim(&wrap_words(reason, 2));
        text += &format!("  {shown}\n    {}\n", wrap_words(&ids.join(", "), 4));
    }
    text.push('\n');
    text
}

fn finding_line(finding: &Finding, id_width: usize, paint: &Paint) -> String {
    let verdict = paint.verdict(finding.verdict, finding.verdict.name());
    let indent = 4 + 2 + id_width + 2;
    format!("{verdict}  {:id_width$}  {}\n", finding.id, wrap_words(finding.title, indent))
}

fn finding_details(finding: &Finding, paint: &Paint) -> String {
    let level = finding.level.name();
    let rows = [
        ("expected", format!("{} ({level})", finding.expected)),
        ("actual", finding.actual.clone()),
        ("fix", finding.fix.to_owned()),
    ];
    let mut lines = String::new();
    for (label, text) in rows {
        if !text.is_empty() {
            let padded = paint.dim(&format!("{label:<10}"));
            lines += &format!("{:6}{padded}{}\n", "", wrap_words(&text, LABEL));
        }
    }
    lines
}

fn revision_line(verdict: &RevisionVerdict, paint: &Paint) -> String {
    let words = paint.verdict(verdict.verdict, verdict.words());
    let because = match verdict.because.as_slice() {
        [] => String::new(),
        ids => format!(": {}", ids.join(", ")),
    };
    format!("{}  {words}{}\n", verdict.revision, wrap_words(&because, 12))
}

/// The text with line breaks between words; further lines are indented.
fn wrap_words(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut column = indent;
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count() + 1;
        if index > 0 && column + length > WIDTH {
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
mcp-auth check server https://mcp.example.com/mcp
without a token

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

2025-11-25  does not conform: R7.two
2026-07-28  conforms, as far as checked

1 passed, 1 failed, 1 warning, 1 note, 1 not checked
";
        assert_eq!(render(&sample(), true, false), expected);
        let short = render(&sample(), false, false);
        assert!(!short.contains("R7.one") && short.contains("--verbose"), "{short}");
    }

    #[test]
    fn colours_change_nothing_but_colour() {
        let coloured = render(&sample(), true, true);
        assert!(coloured.contains("\x1b[1;31mFAIL\x1b[0m"), "{coloured}");
        let mut plain = String::new();
        for (index, part) in coloured.split('\x1b').enumerate() {
            plain += if index == 0 { part } else { part.split_once('m').unwrap().1 };
        }
        assert_eq!(plain, render(&sample(), true, false));
    }

    #[test]
    fn long_texts_are_broken_between_words() {
        let text = wrap_words(&"word ".repeat(40), 16);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(16))), "{text}");
    }
}
