//! What the library logs, for a test to read.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use tracing_subscriber::filter::LevelFilter;

thread_local! {
    /// What this test's thread has logged: every test runs on a thread of its own.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub(crate) struct Log;

impl Log {
    /// For the whole process: `tracing` decides once whether anyone listens to an event.
    pub(crate) fn start() {
        static STARTED: Once = Once::new();
        let subscriber = || tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE);
        STARTED.call_once(|| subscriber().with_writer(|| Self).with_ansi(false).init());
    }

    pub(crate) fn take() -> String {
        LOG.with_borrow_mut(|log| String::from_utf8(std::mem::take(log)).unwrap())
    }

    pub(crate) fn peek() -> String {
        LOG.with_borrow(|log| String::from_utf8(log.clone()).unwrap())
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
