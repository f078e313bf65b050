//! Prints what the command found, what went wrong, and the log.
//!
//! Secrets of the user's and control sequences in a stranger's text are taken out here, so that they reach neither the
//! terminal nor a file. The progress line, which is short and made for a terminal, is the only output that is written
//! elsewhere.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

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

fn print(text: &str) {
    let mut output = io::stdout().lock();
    let written = writeln!(output, "{}", text.trim_end()).and_then(|()| output.flush());
    note_written(written);
}

/// Whether something could not be written to standard output, so that its reader has no whole report.
static IS_INCOMPLETE: AtomicBool = AtomicBool::new(false);

/// Notes what became of a write to standard output, and says on standard error why it failed. A reader that has seen
/// enough, such as `head`, is no error.
pub(crate) fn note_written(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
        && !IS_INCOMPLETE.swap(true, Ordering::Relaxed)
    {
        complain(format!("standard output: {error}"));
    }
}

/// Whether something could not be written to standard output.
pub(crate) fn is_incomplete() -> bool {
    IS_INCOMPLETE.load(Ordering::Relaxed)
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
