//! Findings that the user knows of: named one by one, or those of an earlier report.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::names::{is_like_a_name, meant_by};
use crate::output::quoted;
use crate::secrets;

/// What does not count, by the names of findings.
#[derive(Default)]
pub(crate) struct Known {
    /// What the user has named.
    named: Vec<String>,
    /// What an earlier report complained of.
    earlier: Vec<String>,
}

impl Known {
    /// `named`: findings that the user knows of, in any case of letters. `all`: those that there are.
    ///
    /// # Errors
    /// A sentence for the user, when a name is of none of them. It shows the name only where that cannot be a token in
    /// the wrong place.
    pub(crate) fn of(named: &[String], all: &[&str]) -> Result<Self, String> {
        for (index, name) in named.iter().enumerate() {
            if all.iter().any(|one| one.eq_ignore_ascii_case(name)) {
                continue;
            }
            let shown = if is_like_a_name(name) { format!(" ({name})") } else { String::new() };
            let (place, meant) = (index + 1, meant_by(name, all));
            return Err(format!(
                "--ignore, number {place}{shown}: no finding of this check has that name: {meant}"
            ));
        }
        Ok(Self { named: named.to_vec(), earlier: Vec::new() })
    }

    /// With what does not hold in a report that `--json` printed.
    ///
    /// # Errors
    /// A sentence for the user, when it is no such report.
    pub(crate) fn with_report(mut self, file: &Path) -> Result<Self, String> {
        let shown = quoted(secrets::showable_argument(&file.to_string_lossy()));
        let content =
            fs::read_to_string(file).map_err(|error| format!("--baseline {shown}: {error}"))?;
        let read = serde_json::from_str::<Value>(&content).ok();
        let findings = read.as_ref().and_then(|report| report["findings"].as_array());
        let findings = findings.ok_or_else(|| {
            format!("--baseline {shown}: it is no report that `mcp-auth check … --json` printed")
        })?;
        for finding in findings {
            if let (Some(id), Some("fail" | "warn" | "info")) =
                (finding["id"].as_str(), finding["verdict"].as_str())
            {
                self.earlier.push(id.to_owned());
            }
        }
        Ok(self)
    }

    pub(crate) fn is_known(&self, id: &str) -> bool {
        let mut all = self.named.iter().chain(&self.earlier);
        all.any(|name| name.eq_ignore_ascii_case(id))
    }
}
