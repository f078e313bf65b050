//! The explanation for people.

use std::fmt::Write as _;

use mcp_auth::Scopes;
use mcp_auth::explanation::{CheckOutcome, TokenCheck};
use serde_json::{Map, Value};

use super::Report;
use super::dates::with_dates;
use crate::output::{Inert, Paint, Verdict};

/// What becomes of calls with the token, with the status and the `error` that clients see.
fn verdict(report: &Report, paint: &Paint) -> String {
    let explanation = &report.explanation;
    match explanation.code {
        "ok" if !report.missing.is_empty() => paint.verdict(
            Verdict::Fail,
            "The token is accepted, and calls are refused: it lacks scopes (403, error=\"insufficient_scope\").",
        ),
        "ok" => paint.verdict(Verdict::Pass, "The token is accepted."),
        "unavailable" if !report.has_rules => paint.verdict(
            Verdict::Warn,
            "What can be judged of the token alone is good; --server, --config or --resource and --issuer say the rest.",
        ),
        "unavailable" => {
            paint.verdict(Verdict::Warn, "Whether it is good cannot be told now (503).")
        }
        "invalid_request" => paint.verdict(
            Verdict::Fail,
            &format!("The token is refused: {} (400, error=\"invalid_request\").", explanation.code),
        ),
        code => paint.verdict(
            Verdict::Fail,
            &format!("The token is refused: {code} (401, error=\"invalid_token\")."),
        ),
    }
}

/// A stranger's text as one line. It is never cut: its end may be what matters.
fn whole(text: &str) -> String {
    Inert::of(text).whole_line()
}

pub(super) fn render(report: &Report) -> String {
    let paint = Paint::for_stdout();
    let explanation = &report.explanation;
    let subject = match report.has_rules {
        true => format!("mcp-auth explain, at {}", whole(&explanation.resource)),
        false => "mcp-auth explain, of the token alone".to_owned(),
    };
    let mut text = format!("{}\n{}\n\n", verdict(report, &paint), paint.dim(&subject));
    explanation.checks.iter().for_each(|check| text.push_str(&check_line(check, &paint)));
    for sentence in &report.advice {
        let _ = write!(text, "\n{}\n", whole(sentence));
    }
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
            let _ = writeln!(text, "  {}", whole(challenge));
        }
        if let Some(other) = &server.other_resource {
            let _ = writeln!(
                text,
                "Its metadata calls the resource {}, which is not the URL that was asked: clients refuse that (RFC 9728 §3.3).",
                whole(other)
            );
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
    let name = match &*check.expected {
        // The check of times is one; it is the start that is not there yet.
        expected if check.name == "exp" && expected.starts_with("valid at") => "nbf, iat",
        _ => check.name,
    };
    match check.outcome {
        CheckOutcome::Passed => {
            format!("{word}  {name:<15}  {}\n", whole(&with_dates(&check.actual)))
        }
        CheckOutcome::Failed => format!(
            "{word}  {name:<15}  expected {}\n{:23}actual   {}\n",
            whole(&with_dates(&check.expected)),
            "",
            whole(&with_dates(&check.actual))
        ),
        _ if check.actual.is_empty() => format!("{word}  {name:<15}  not reached\n"),
        _ => format!("{word}  {name:<15}  {}\n", whole(&check.actual)),
    }
}

fn render_scopes(report: &Report) -> String {
    let explanation = &report.explanation;
    let mut text =
        format!("Scopes that every call needs: {}\n", scope_names(&explanation.required));
    if explanation.accepted {
        let _ =
            writeln!(text, "Scopes that it grants:        {}", scope_names(&explanation.granted));
        if !report.missing.is_empty() {
            let _ = writeln!(
                text,
                "Calls get a 403: it lacks     {}",
                Inert::of(&report.missing.join(" ")).whole_line()
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
        let _ = writeln!(text, "{word}  {}  {}", whole(what.trim()), whole(reason));
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
        let mut shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if ["exp", "nbf", "iat", "auth_time"].contains(&&**name) {
            shown = with_dates(&shown);
        }
        let label = paint.dim(&format!("{:width$}", whole(name)));
        let _ = writeln!(text, "  {label}  {}", whole(&shown));
    }
    text
}
