//! How the command ends.

/// What the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    /// A MUST does not hold, a token is refused, a server could not start.
    Failure,
    /// Nothing could be judged.
    NotJudged,
}

impl Ending {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::NotJudged => 2,
        }
    }
}
