//! What is measured: a file for each.

mod verify;

use std::time::Duration;

use clap::ValueEnum;

use crate::Failure;
use crate::table::Section;

/// A part of the table.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Group {
    Verify,
}

/// How much is measured.
pub(crate) struct Plan {
    /// For each group.
    pub(crate) budget: Duration,
    /// For `growth`.
    pub(crate) tokens: usize,
}

impl Group {
    pub(crate) const ALL: [Self; 1] = [Self::Verify];

    pub(crate) fn run(self, plan: &Plan) -> Result<Section, Failure> {
        match self {
            Self::Verify => verify::run(plan),
        }
    }
}
