//! For issues and pull requests.

use super::{Finding, Inert, Report, RevisionVerdict};

pub(super) fn render(report: &Report) -> String {
    let subject = Inert::of(&report.subject).markdown_code();
    let mut text =
        format!("# mcp-auth {} {subject}\n\n{}\n\n", report.command, escaped(&report.verdict));
    if !report.note.is_empty() {
        text += &format!("{}.\n\n", escaped(&report.note));
    }
    if report.findings.is_empty() {
        return text;
    }
    text += &format!("{}.\n\n| revision | verdict |\n|---|---|\n", report.summary());
    for (names, verdict) in report.revisions_alike() {
        text += &revision(&names.join(", "), verdict);
    }
    let wrong = report.findings.iter().filter(|finding| finding.is_broken() && !finding.ignored);
    text.extend(wrong.map(section));
    text += "\n## All findings\n\n| verdict | id | level | what | seen |\n|---|---|---|---|---|\n";
    text.extend(report.findings.iter().map(row));
    text
}

fn revision(names: &str, verdict: &RevisionVerdict) -> String {
    let because: Vec<_> = verdict.because.iter().map(|id| format!(" `{id}`")).collect();
    let colon = if because.is_empty() { "" } else { ":" };
    format!("| {names} | {}{colon}{} |\n", verdict.words(), because.join(","))
}

fn section(finding: &Finding) -> String {
    let (verdict, level) = (finding.verdict.name(), finding.level_words());
    let mut text = format!(
        "\n## {verdict}: {} (`{}`)\n\n- expected ({level}): {}\n- actual: {}\n",
        own(finding.title),
        finding.id,
        own(finding.expected),
        escaped(&finding.actual),
    );
    if let Some(quote) = finding.quote {
        text += &format!("- rule: {}\n", own(quote));
    }
    if !finding.fix.is_empty() {
        text += &format!("- fix: {}\n", own(finding.fix));
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

/// Text of this command, which may mark code as such: within that, nothing is escaped but a bar, which would end a cell.
fn own(text: &'static str) -> String {
    let mut line = String::new();
    for (index, part) in text.split('`').enumerate() {
        let is_code = index % 2 == 1;
        if index > 0 {
            line.push('`');
        }
        for character in part.chars() {
            match character {
                '|' => line += "\\|",
                '<' if !is_code => line += "&lt;",
                '*' | '[' | ']' | '\\' if !is_code => line.extend(['\\', character]),
                _ => line.push(character),
            }
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
        assert!(text.starts_with("# mcp-auth check server `https://mcp.example.com/mcp`\n\n"));
    }

    #[test]
    fn our_own_words_have_no_stray_backslash() {
        let rows = [
            ("`code_challenge_methods_supported` and `[\"header\"]`", None),
            ("a snake_case word", None),
            ("a <b> `<c>`", Some("a &lt;b> `<c>`")),
            ("either | or `x|y`", Some("either \\| or `x\\|y`")),
        ];
        for (text, expected) in rows {
            assert_eq!(own(text), expected.unwrap_or(text));
        }
    }
}
