//! The explanation for people.

use std::fmt::Write as _;

use mcp_auth::Scopes;
use mcp_auth::explanation::{CheckOutcome, TokenCheck};
use serde_json::{Map, Value};

use super::Report;
use crate::output::{Inert, Paint, Verdict, quoted};

pub(super) fn render(report: &Report) -> String {
    let paint = Paint::for_stdout();
    let explanation = &report.explanation;
    let mut text =
        format!("mcp-auth explain, at {}\n\n", paint.bold(&quoted(&explanation.resource)));
    let verdict = match explanation.code {
        "ok" => paint.verdict(Verdict::Pass, "The token is accepted."),
        "unavailable" => paint.verdict(Verdict::Warn, "Whether it is good cannot be told now."),
        code => paint.verdict(Verdict::Fail, &format!("The token is refused: {code}.")),
    };
    let _ = writeln!(text, "{verdict}\n");
    explanation.checks.iter().for_each(|check| text.push_str(&check_line(check, &paint)));
    let _ = write!(text, "\n{}", render_scopes(report));
    text.push_str(&render_operations(report, &paint));
    if let Some(server) = &report.server {
        let meaning = match server.status {
            401 => ": it refuses the token",
            403 => ": it knows the token, which is not enough",
            500.. => ": it is in trouble itself",
            _ => ": the token is not what it minds",
        };
        let _ = writeln!(text, "\nThe server answers a `ping` with {}{meaning}.", server.status);
        if let Some(challenge) = &server.challenge {
            let _ = writeln!(text, "  {}", quoted(challenge));
        }
        text.push_str("What it checks beyond its metadata is not known here.\n");
    }
    text.push_str(&render_members("header", &report.token.header, &paint));
    text.push_str(&render_members("claims", &report.token.claims, &paint));
    text
}

fn check_line(check: &TokenCheck, paint: &Paint) -> String {
    let word = match check.outcome {
        CheckOutcome::Passed => paint.verdict(Verdict::Pass, "pass"),
        CheckOutcome::Failed => paint.verdict(Verdict::Fail, "FAIL"),
        _ => paint.verdict(Verdict::Skip, "skip"),
    };
    let name = check.name;
    match check.outcome {
        CheckOutcome::Passed => format!("{word}  {name:<15}  {}\n", quoted(&check.actual)),
        CheckOutcome::Failed => format!(
            "{word}  {name:<15}  expected {}\n{:23}actual   {}\n",
            quoted(&check.expected),
            "",
            quoted(&check.actual)
        ),
        _ => format!("{word}  {name:<15}  not reached\n"),
    }
}

fn render_scopes(report: &Report) -> String {
    let explanation = &report.explanation;
    let mut text =
        format!("Scopes that every call needs: {}\n", scope_names(&explanation.required));
    if explanation.accepted {
        let _ =
            writeln!(text, "Scopes that it grants:        {}", scope_names(&explanation.granted));
        let mut missing: Vec<&str> = explanation.required.iter().collect();
        missing.retain(|scope| !explanation.granted.contains(scope));
        if !missing.is_empty() {
            let _ = writeln!(
                text,
                "Calls get a 403: it lacks     {}",
                Inert::of(&missing.join(" ")).whole_line()
            );
        }
    }
    text
}

fn scope_names(scopes: &Scopes) -> String {
    match scopes.is_empty() {
        true => "none".to_owned(),
        false => Inert::of(&scopes.to_string()).whole_line(),
    }
}

/// Which operations the scopes unlock.
fn render_operations(report: &Report, paint: &Paint) -> String {
    let operations = &report.explanation.operations;
    let mut text = String::new();
    for operation in operations.iter().filter(|_| report.explanation.accepted) {
        let word = match operation.allowed {
            true => paint.verdict(Verdict::Pass, "may    "),
            false => paint.verdict(Verdict::Fail, "may not"),
        };
        let name = operation.name.as_deref().unwrap_or_default();
        let what = format!("{} {name}", operation.method);
        let reason = if operation.allowed { "" } else { &*operation.reason };
        let _ = writeln!(text, "{word}  {}  {}", quoted(what.trim()), quoted(reason));
    }
    text
}

fn render_members(title: &str, members: &Map<String, Value>, paint: &Paint) -> String {
    if members.is_empty() {
        return String::new();
    }
    let mut text = format!("\nIts {title}\n");
    let width = members.keys().map(String::len).max().unwrap_or(0).min(30);
    for (name, value) in members {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let label = paint.dim(&format!("{:width$}", quoted(name)));
        let _ = writeln!(text, "  {label}  {}", quoted(&shown));
    }
    text
}
