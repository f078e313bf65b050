//! What is measured: a file for each.

mod axum;
mod burst;
mod downstream;
mod growth;
mod http;
mod lasting;
mod latency;
mod policy;
mod repeat;
mod rmcp;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

pub(crate) use self::downstream::report_callers;
pub(crate) use self::growth::report_memory;
pub(crate) use self::repeat::{Guard, Work};
use crate::Failure;
use crate::table::Section;

/// A part of what is measured, with a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Group {
    Verify,
    Axum,
    Rmcp,
    Policy,
    Burst,
    Growth,
    Latency,
    Lasting,
    Downstream,
}

/// How much is measured.
pub(crate) struct Plan {
    /// For each group.
    pub(crate) budget: Duration,
    /// For `growth`.
    pub(crate) tokens: usize,
    /// For `latency`: the program of `examples/whoami`.
    pub(crate) example: Option<PathBuf>,
}

impl Group {
    pub(crate) const ALL: [Self; 9] = [
        Self::Verify,
        Self::Axum,
        Self::Rmcp,
        Self::Policy,
        Self::Burst,
        Self::Growth,
        Self::Latency,
        Self::Lasting,
        Self::Downstream,
    ];

    pub(crate) fn run(self, plan: &Plan) -> Result<Section, Failure> {
        match self {
            Self::Verify => verify::run(plan),
            Self::Axum => axum::run(plan),
            Self::Rmcp => rmcp::run(plan),
            Self::Policy => policy::run(plan),
            Self::Burst => burst::run(plan),
            Self::Growth => growth::run(plan),
            Self::Latency => latency::run(plan),
            Self::Lasting => lasting::run(plan),
            Self::Downstream => downstream::run(plan),
        }
    }
}
