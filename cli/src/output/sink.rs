//! Prints what the command found, what went wrong, and the log.
//!
//! Secrets of the user's and control sequences in a stranger's text are taken out here, so that they reach neither the
//! terminal nor a file. The progress line, which is short and made for a terminal, is the only output that is written
//! elsewhere.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use super::{Inert, wants_colour};

/// Prints text for people, with colours where they are wanted.
pub(crate) fn show(text: &str) {
    print(&Inert::of(text).terminal(wants_colour()));
}

/// Prints a JSON text.
pub(crate) fn show_json(text: &str) {
    print(&Inert::of(text).json());
}

/// Says on standard error what went wrong.
pub(crate) fn complain(reason: impl std::fmt::Display) {
    let text = Inert::of(&format!("error: {reason}")).terminal(false);
    // Nobody may be listening, which is no reason to fail in another way.
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

/// A reader that has seen enough, such as `head`, is no error.
fn print(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{}", text.trim_end());
}

/// Standard error as the log gets it: what issuers and servers say is in there too.
#[derive(Clone, Copy)]
pub(crate) struct Log {
    /// Whether its own colours go through.
    pub(crate) with_colours: bool,
}

impl Write for Log {
    /// Gets one event at a time.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let shown = Inert::of(&text).terminal(self.with_colours);
        io::stderr().lock().write_all(shown.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
