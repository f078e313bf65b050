//! Events of the library as records of Python's `logging`, under `mcp_auth`.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::gate;

/// The most detailed level that Python wants, as its place in [`LEVELS`].
static LEVEL: AtomicUsize = AtomicUsize::new(1);

/// With the number that Python has for it.
const LEVELS: [(LevelFilter, u8); 4] = [
    (LevelFilter::ERROR, 40),
    (LevelFilter::WARN, 30),
    (LevelFilter::INFO, 20),
    (LevelFilter::DEBUG, 10),
];

/// Hands on what is at least as severe as this level of Python's.
#[pyfunction]
pub(crate) fn set_level(level: u8) {
    // A level above all of ours: only errors are made, and Python drops them.
    let place = LEVELS.iter().rposition(|(_, number)| *number >= level).unwrap_or_default();
    LEVEL.store(place, Ordering::Relaxed);
    // Another extension module has its own copy of this crate, so nobody else set one here.
    let _ = tracing::subscriber::set_global_default(PythonLog);
    tracing::callsite::rebuild_interest_cache();
}

struct PythonLog;

impl PythonLog {
    fn limit() -> LevelFilter {
        LEVELS[LEVEL.load(Ordering::Relaxed).min(LEVELS.len() - 1)].0
    }
}

impl Subscriber for PythonLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours =
            ["mcp_auth", "dev_issuer"].iter().any(|ours| metadata.target().starts_with(ours));
        is_ours && *metadata.level() <= Self::limit()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(Self::limit())
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        // An interpreter that ends logs no more; neither does a handler that fails.
        gate::attach(|py| {
            let _ = hand_on(py, level, target, text);
        });
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

fn hand_on(py: Python<'_>, level: Level, target: &str, text: Text) -> PyResult<()> {
    let known = LEVELS.iter().find(|(filter, _)| *filter == LevelFilter::from_level(level));
    let name = match target.strip_prefix("dev_issuer") {
        Some(_) => "mcp_auth.testing".to_owned(),
        None => target.replace("::", "."),
    };
    let logger = py.import("logging")?.call_method1("getLogger", (name,))?;
    let line = text.message + &text.fields;
    logger.call_method1("log", (known.map_or(10, |(_, number)| *number), "%s", line))?;
    Ok(())
}

/// The message, and the fields after it.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
