//! Steps, and the report of a run.

use std::fmt;
use std::time::{Duration, Instant};

use crate::command::Failure;

/// One named part of a command, which can be run on its own.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) about: &'static str,
    pub(crate) run: fn() -> Result<Outcome, Failure>,
}

/// How a step that did not fail ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// Nothing was checked, for this reason.
    Skipped(String),
}

/// Skips a step because a required tool is missing. On CI that is a failure: a run that checked
/// less must not look like one that checked everything.
pub(crate) fn missing_tool(tool: &str) -> Result<Outcome, Failure> {
    skip(format!("{tool} is not installed"))
}

/// A step that is skipped for this reason. Where `CI` is set it fails instead: there every step has to run.
pub(crate) fn skip(reason: String) -> Result<Outcome, Failure> {
    if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) {
        return Err(Failure::new(format!("{reason}, and CI is set")));
    }
    Ok(Outcome::Skipped(reason))
}

/// The steps with these names, in their own order; all of them when no name is given.
///
/// # Errors
///
/// A name that no step has.
pub(crate) fn select(mut steps: Vec<Step>, names: &[String]) -> Result<Vec<Step>, Failure> {
    if let Some(unknown) = names.iter().find(|name| steps.iter().all(|step| step.name != **name)) {
        let known: Vec<_> = steps.iter().map(|step| step.name).collect();
        return Err(Failure::new(format!("no step {unknown:?}; there are: {}", known.join(", "))));
    }
    steps.retain(|step| names.is_empty() || names.iter().any(|name| name == step.name));
    Ok(steps)
}

/// What a run of steps came to: what failed and why, a table, and the counts alone on the last line.
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    result: Result<Outcome, Failure>,
    duration: Duration,
}

impl Report {
    /// Runs every step, also after one that failed.
    pub(crate) fn of(steps: Vec<Step>) -> Self {
        Self { rows: steps.into_iter().map(Row::of).collect() }
    }

    pub(crate) fn is_success(&self) -> bool {
        self.rows.iter().all(|row| row.result.is_ok())
    }

    fn count(&self, word: &str) -> usize {
        self.rows.iter().filter(|row| row.word() == word).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            if let Err(failure) = &row.result {
                writeln!(f, "\n── {} failed ──\n{failure}", row.name)?;
            }
        }
        writeln!(f, "\n{:<22} {:<8} {:>8}", "step", "result", "seconds")?;
        for row in &self.rows {
            let seconds = row.duration.as_secs_f64();
            let line = format!("{:<22} {:<8} {seconds:>8.1}  {}", row.name, row.word(), row.note());
            writeln!(f, "{}", line.trim_end())?;
        }
        let [passed, failed, skipped] = ["passed", "failed", "skipped"].map(|w| self.count(w));
        writeln!(f, "\n{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl Row {
    fn of(step: Step) -> Self {
        println!("\n── {} ──", step.name);
        let start = Instant::now();
        let result = (step.run)();
        match &result {
            Ok(Outcome::Passed) => {}
            Ok(Outcome::Skipped(reason)) => println!("skipped: {reason}"),
            Err(_) => println!("failed: see the end"),
        }
        Self { name: step.name, result, duration: start.elapsed() }
    }

    fn word(&self) -> &'static str {
        match &self.result {
            Ok(Outcome::Passed) => "passed",
            Ok(Outcome::Skipped(_)) => "skipped",
            Err(_) => "failed",
        }
    }

    /// The first line of what there is to say about the result.
    fn note(&self) -> String {
        let text = match &self.result {
            Ok(Outcome::Passed) => String::new(),
            Ok(Outcome::Skipped(reason)) => reason.clone(),
            Err(failure) => failure.to_string(),
        };
        text.lines().next().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<Step> {
        vec![
            Step { name: "fine", about: "", run: || Ok(Outcome::Passed) },
            Step { name: "broken", about: "", run: || Err(Failure::new("why\nmore")) },
            Step { name: "absent", about: "", run: || Ok(Outcome::Skipped("no tool".into())) },
        ]
    }

    #[test]
    fn a_failure_does_not_stop_the_next_step_and_the_last_line_counts() {
        let report = Report::of(steps());
        let text = report.to_string();
        assert!(!report.is_success());
        assert!(text.starts_with("\n── broken failed ──\nwhy\nmore\n"), "{text}");
        assert!(text.contains("failed        0.0  why\n"), "{text}");
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed, 1 skipped"));
    }

    #[test]
    fn a_skip_is_not_a_failure() {
        let skipped = select(steps(), &["absent".to_owned()]).unwrap();
        assert!(Report::of(skipped).is_success());
    }

    #[test]
    fn selection_keeps_the_order_and_refuses_unknown_names() {
        let names = |only: &[&str]| {
            let only: Vec<_> = only.iter().map(|name| (*name).to_owned()).collect();
            select(steps(), &only).map(|steps| steps.iter().map(|s| s.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["fine", "broken", "absent"]);
        assert_eq!(names(&["absent", "fine"]).unwrap(), ["fine", "absent"]);
        let refusal = names(&["fin"]).unwrap_err().to_string();
        assert_eq!(refusal, r#"no step "fin"; there are: fine, broken, absent"#);
    }
}
