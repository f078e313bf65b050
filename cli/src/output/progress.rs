//! One line on a terminal that says what is being waited for.

use std::io::{self, IsTerminal as _, Write as _};

use super::quoted;

/// Shows the current step on standard error until it is dropped. Where that is no terminal, it shows nothing.
pub(crate) struct Progress {
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal() }
    }

    /// Replaces the line.
    pub(crate) fn step(&self, text: &str) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[2K{} …", quoted(text));
            let _ = io::stderr().flush();
        }
    }
}

/// Clears the line.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}
