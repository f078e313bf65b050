//! Events of the library as records of Python's `logging`, under `mcp_auth`.

use std::fmt::{Debug, Write as _};

use mcp_auth::decision::LogValue;
use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::gate;

/// Hands on what Python's loggers want from now on. Not where the command runs, which has a log of its own.
pub(crate) fn start() {
    // Another extension module has its own copy of this crate, so nobody else set one here.
    let _ = tracing::subscriber::set_global_default(PythonLog);
}

struct PythonLog;

impl Subscriber for PythonLog {
    /// Asked for every event: loggers change their minds.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let is_ours =
            ["mcp_auth", "dev_issuer"].iter().any(|ours| metadata.target().starts_with(ours));
        if is_ours && number_of(*metadata.level()).is_some() {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let Some(number) = number_of(*metadata.level()) else { return false };
        // An interpreter that ends logs no more; neither does a logger that fails.
        let wanted = gate::attach(|py| {
            let logger = logger(py, metadata.target())?;
            logger.call_method1(intern!(py, "isEnabledFor"), (number,))?.extract()
        });
        wanted.and_then(PyResult::ok) == Some(true)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, event: &Event<'_>) {
        let mut said = Said::default();
        event.record(&mut said);
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        // As above, also when a handler fails.
        gate::attach(|py| {
            let _ = hand_on(py, level, target, said);
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

/// The number that Python has for the level; `None` for what is below all of Python's.
fn number_of(level: Level) -> Option<u8> {
    match level {
        Level::ERROR => Some(40),
        Level::WARN => Some(30),
        Level::INFO => Some(20),
        Level::DEBUG => Some(10),
        _ => None,
    }
}

/// The logger of the events with this target. That of decisions is kept, as Python keeps it: every request is one, and to
/// find it takes longer than to ask it.
fn logger<'py>(py: Python<'py>, target: &str) -> PyResult<Bound<'py, PyAny>> {
    static OF_DECISIONS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if target == "mcp_auth::decision" {
        let found = OF_DECISIONS.get_or_try_init(py, || find_logger(py, target).map(Bound::unbind));
        return Ok(found?.bind(py).clone());
    }
    find_logger(py, target)
}

fn find_logger<'py>(py: Python<'py>, target: &str) -> PyResult<Bound<'py, PyAny>> {
    let name = match target.strip_prefix("dev_issuer") {
        Some(_) => "mcp_auth.testing".to_owned(),
        None => target.replace("::", "."),
    };
    py.import("logging")?.call_method1("getLogger", (name,))
}

/// What every record has, so that a field cannot be called so.
const TAKEN: [&str; 24] = [
    "args",
    "asctime",
    "created",
    "exc_info",
    "exc_text",
    "filename",
    "funcName",
    "levelname",
    "levelno",
    "lineno",
    "message",
    "module",
    "msecs",
    "msg",
    "name",
    "pathname",
    "process",
    "processName",
    "relativeCreated",
    "stack_info",
    "stacklevel",
    "taskName",
    "thread",
    "threadName",
];

/// What a field of a decision says, as Python has it.
#[pyfunction]
pub(crate) fn log_value(py: Python<'_>, name: &str, text: &str) -> PyResult<Py<PyAny>> {
    as_python(py, LogValue::of_field(name, text))
}

fn as_python(py: Python<'_>, value: LogValue) -> PyResult<Py<PyAny>> {
    match value {
        LogValue::List(values) => values.into_py_any(py),
        LogValue::Text(text) => text.into_py_any(py),
    }
}

fn hand_on(py: Python<'_>, level: Level, target: &str, said: Said) -> PyResult<()> {
    let extra = PyDict::new(py);
    for (name, value) in &said.fields {
        let attribute = if TAKEN.contains(name) { format!("{name}_") } else { (*name).to_owned() };
        match said.numbers.iter().find(|(numbered, _)| numbered == name) {
            Some((_, number)) => extra.set_item(attribute, number)?,
            None => {
                let read = LogValue::of_field(name, value);
                if let ("methods", LogValue::List(values)) = (*name, &read) {
                    extra.set_item("operation", values.join(", "))?;
                }
                extra.set_item(attribute, as_python(py, read)?)?;
            }
        }
    }
    let named = PyDict::new(py);
    named.set_item("extra", extra)?;
    let arguments = (number_of(level), "%s", said.line());
    logger(py, target)?.call_method("log", arguments, Some(&named))?;
    Ok(())
}

/// The message, and the fields after it.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, String)>,
    /// Those of the fields that are numbers.
    numbers: Vec<(&'static str, u64)>,
}

impl Said {
    /// All of it as one line. What has control characters is written out; nothing else is, since values
    /// of strangers were already.
    fn line(&self) -> String {
        let mut line = self.message.clone();
        for (name, value) in &self.fields {
            // Writing to a string does not fail.
            let _ = match value {
                value if value.chars().any(char::is_control) => write!(line, " {name}={value:?}"),
                value if value.contains(' ') && !value.starts_with(['[', '"']) => {
                    write!(line, " {name}=\"{value}\"")
                }
                value => write!(line, " {name}={value}"),
            };
        }
        line
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.numbers.push((field.name(), value));
        self.fields.push((field.name(), value.to_string()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, text)),
        }
    }
}
