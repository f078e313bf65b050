//! For issues and pull requests.

use super::{Finding, Inert, Report, RevisionVerdict, Verdict};

pub(super) fn render(report: &Report) -> String {
    let subject = Inert::of(&report.subject).markdown_code();
    let mut text = format!("# mcp-auth {} {subject}\n\n", report.command);
    if !report.note.is_empty() {
        text += &format!("{}.\n\n", escaped(&report.note));
    }
    text += &format!("{}.\n\n| revision | verdict |\n|---|---|\n", report.summary());
    text.extend(report.revisions.iter().map(revision));
    let wrong = report
        .findings
        .iter()
        .filter(|finding| !matches!(finding.verdict, Verdict::Pass | Verdict::Skip));
    text.extend(wrong.map(section));
    text += "\n## All findings\n\n| verdict | id | level | what | seen |\n|---|---|---|---|---|\n";
    text.extend(report.findings.iter().map(row));
    text
}

fn revision(verdict: &RevisionVerdict) -> String {
    let because: Vec<_> = verdict.because.iter().map(|id| format!(" `{id}`")).collect();
    let colon = if because.is_empty() { "" } else { ":" };
    format!("| {} | {}{colon}{} |\n", verdict.revision, verdict.words(), because.join(","))
}

fn section(finding: &Finding) -> String {
    let (verdict, level) = (finding.verdict.name(), finding.level.name());
    let mut text = format!(
        "\n## {verdict}: {} (`{}`)\n\n- expected ({level}): {}\n- actual: {}\n",
        own(finding.title),
        finding.id,
        own(finding.expected),
        escaped(&finding.actual),
    );
    if !finding.fix.is_empty() {
        text += &format!("- fix: {}\n", finding.fix);
    }
    text
}

fn row(finding: &Finding) -> String {
    format!(
        "| {} | `{}` | {} | {} | {} |\n",
        finding.verdict.name(),
        finding.id,
        finding.level.name(),
        own(finding.title),
        escaped(&finding.actual),
    )
}

/// Text of this command, which may mark code as such.
fn own(text: &'static str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        match character {
            '<' => line += "&lt;",
            '|' | '*' | '_' | '[' | ']' | '\\' => line.extend(['\\', character]),
            _ => line.push(character),
        }
    }
    line
}

/// What was seen: a stranger's text, or ours with some of it within.
fn escaped(text: &str) -> String {
    Inert::of(text).markdown()
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn nothing_that_a_server_chose_is_markup() {
        let text = render(&sample());
        assert!(text.contains(
            "| FAIL | `R7.two` | MUST | A token is refused \\| with 401 | 200 &lt;script> |"
        ));
        assert!(text.contains("## FAIL: A token is refused \\| with 401 (`R7.two`)"), "{text}");
        assert!(text.contains("| 2025-11-25 | does not conform: `R7.two` |"), "{text}");
        assert!(!text.contains("<script>"), "{text}");
    }
}
