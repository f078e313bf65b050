//! One requirement.

use mcp_auth::inspection::Levels;

/// One requirement: everything about it but whether it holds.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Stable; what scripts and suppressions refer to.
    pub(crate) id: &'static str,
    /// The row of `docs/requirements.md`, or the standard, that asks for it.
    pub(crate) requirement: &'static str,
    pub(crate) levels: Levels,
    pub(crate) title: &'static str,
    pub(crate) expected: &'static str,
    /// What to do where it does not hold.
    pub(crate) fix: &'static str,
}
