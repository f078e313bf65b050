//! Findings that the user knows of: named one by one, or those of an earlier report.

use std::fs;
use std::path::Path;

use serde_json::Value;

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
    /// `names`: of findings, in any case of letters.
    pub(crate) fn of(names: &[String]) -> Self {
        Self { named: names.to_vec(), earlier: Vec::new() }
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

    /// Which of the names that the user has given, counted from 1, are not there. A name is not shown: it may be
    /// a token in the wrong place.
    pub(super) fn places_beside(&self, is_there: impl Fn(&str) -> bool) -> Vec<usize> {
        let mut places = Vec::new();
        for (index, name) in self.named.iter().enumerate() {
            if !is_there(name) {
                places.push(index + 1);
            }
        }
        places
    }
}
