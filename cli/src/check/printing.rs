//! How findings are printed, and which of them count: the same options for every check.

use std::path::PathBuf;

use clap::Args;

use super::known::Known;
use crate::ending::Ending;
use crate::output::{Format, Report, complain};
use crate::secrets;

#[derive(Args, Clone)]
pub(crate) struct Printing {
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// A finding that counts for nothing, by its name; may be repeated
    #[arg(long = "ignore", value_name = "ID")]
    ignored: Vec<String>,
    /// A report that --json has printed: what did not hold then counts for nothing
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

impl Printing {
    pub(super) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// What the user knows of. `names`: of all findings that the check may have.
    ///
    /// # Errors
    /// A sentence for the user, when a finding is named that there is not, or the baseline cannot be read.
    pub(super) fn known(&self, names: &[&str]) -> Result<Known, String> {
        let known = Known::of(&self.ignored, names)?;
        match &self.baseline {
            None => Ok(known),
            Some(file) => {
                secrets::suspect(&file.to_string_lossy());
                known.with_report(file)
            }
        }
    }

    /// Says why nothing could be judged: to people as an error, to programs as a report, and with exit
    /// code 2.
    pub(super) fn could_not_check(
        &self,
        command: &'static str,
        subject: &str,
        why: &str,
    ) -> Ending {
        let shown = secrets::showable_argument(subject).to_owned();
        match self.format() {
            Format::Human | Format::Markdown => {
                complain(why);
                Ending::NotJudged
            }
            format => Report::unjudged(command, shown, why.to_owned()).print(format, false),
        }
    }
}
