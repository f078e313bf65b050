//! What the library reports: to the logger that JavaScript gave, or on standard error.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::{Mutex, Once, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use mcp_auth::decision::LogValue;
use napi::Status;
use napi::bindgen_prelude::{Env, FnArgs, Function, FunctionRef, Result};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;

/// A function that JavaScript calls for us when it has time; it does not keep the process alive.
type Later = ThreadsafeFunction<String, (), String, Status, false, true>;

/// Of every thread that has a logger. The first gets what happens on threads without one.
static LATER: Mutex<Vec<(ThreadId, Later)>> = Mutex::new(Vec::new());

thread_local! {
    static LOGGER: RefCell<Option<Rc<Logger>>> = const { RefCell::new(None) };
    /// Whether the logger of this thread is running: what it makes us report would have no end.
    static IS_TOLD: Cell<bool> = const { Cell::new(false) };
}

struct Logger {
    env: Env,
    wants: FunctionRef<FnArgs<(String, String)>, bool>,
    tell: FunctionRef<String, ()>,
}

/// Hands events on to these functions: one says whether a level of a target is wanted, one takes a record, in JSON. Neither
/// throws. Without them, events go to standard error again.
#[napi]
pub fn set_logger(
    env: Env,
    wants: Option<Function<'_, FnArgs<(String, String)>, bool>>,
    tell: Option<Function<'_, String, ()>>,
) -> Result<()> {
    start();
    let logger = match (wants, tell) {
        (Some(wants), Some(tell)) => {
            let later = tell.build_threadsafe_function().callee_handled::<false>();
            set_later(Some(later.weak::<true>().build()?));
            let (wants, tell) = (wants.create_ref()?, tell.create_ref()?);
            Some(Rc::new(Logger { env, wants, tell }))
        }
        _ => {
            set_later(None);
            None
        }
    };
    let is_first = LOGGER.replace(logger).is_none();
    if is_first {
        // A worker thread that ends takes its logger with it.
        env.add_env_cleanup_hook((), |()| {
            LOGGER.take();
            set_later(None);
        })?;
    }
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

/// Of this thread.
fn set_later(later: Option<Later>) {
    let ours = thread::current().id();
    let mut all = LATER.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|(thread, _)| *thread != ours);
    all.extend(later.map(|later| (ours, later)));
}

fn has_logger() -> bool {
    !LATER.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
}

/// Listens to the library. Without a logger that is for warnings, and what `MCP_AUTH_LOG` asks for besides, such as
/// `mcp_auth=info`.
pub(crate) fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        // Whoever was first keeps the log.
        let _ = tracing::subscriber::set_global_default(NodeLog);
    });
}

/// What writes to standard error.
fn standard_error() -> &'static (dyn Subscriber + Send + Sync) {
    static SUBSCRIBER: OnceLock<Box<dyn Subscriber + Send + Sync>> = OnceLock::new();
    let subscriber = SUBSCRIBER.get_or_init(|| {
        let wanted =
            std::env::var("MCP_AUTH_LOG").unwrap_or_else(|_| "warn,dev_issuer=error".to_owned());
        let format = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::builder().parse_lossy(wanted))
            .with_writer(std::io::stderr)
            .with_ansi(false);
        Box::new(format.finish())
    });
    &**subscriber
}

struct NodeLog;

impl Subscriber for NodeLog {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let interest = standard_error().register_callsite(metadata);
        // A logger is asked for every event: it may change its mind.
        if has_logger() { Interest::sometimes() } else { interest }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if !has_logger() {
            return standard_error().enabled(metadata);
        }
        let least =
            if metadata.target().starts_with("mcp_auth") { Level::DEBUG } else { Level::ERROR };
        *metadata.level() <= least && is_wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        if has_logger() { Some(LevelFilter::DEBUG) } else { standard_error().max_level_hint() }
    }

    fn event(&self, event: &Event<'_>) {
        if !has_logger() {
            return standard_error().event(event);
        }
        let mut said = Said::default();
        event.record(&mut said);
        let metadata = event.metadata();
        let record = json!({
            "level": name_of(*metadata.level()),
            "message": said.message,
            "fields": { "target": metadata.target() },
        });
        tell(with(record, said.fields));
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        standard_error().new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        standard_error().record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        standard_error().record_follows_from(span, follows);
    }

    fn enter(&self, span: &Id) {
        standard_error().enter(span);
    }

    fn exit(&self, span: &Id) {
        standard_error().exit(span);
    }
}

fn with(mut record: Value, fields: Map<String, Value>) -> String {
    if let Some(Value::Object(all)) = record.get_mut("fields") {
        all.extend(fields);
    }
    record.to_string()
}

/// Where it cannot be asked here, it is asked when it is told.
fn is_wanted(metadata: &Metadata<'_>) -> bool {
    if IS_TOLD.get() {
        return false;
    }
    let Some(logger) = LOGGER.with_borrow(Option::clone) else { return true };
    let asked = (name_of(*metadata.level()).to_owned(), metadata.target().to_owned());
    IS_TOLD.set(true);
    let wants = logger.wants.borrow_back(&logger.env);
    let answer = wants.and_then(|wants| wants.call(FnArgs::from(asked)));
    IS_TOLD.set(false);
    answer.unwrap_or(true)
}

fn tell(record: String) {
    let Some(logger) = LOGGER.with_borrow(Option::clone) else {
        let all = LATER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, later)) = all.first() {
            later.call(record, ThreadsafeFunctionCallMode::NonBlocking);
        }
        return;
    };
    IS_TOLD.set(true);
    let told = logger.tell.borrow_back(&logger.env).and_then(|tell| tell.call(record));
    IS_TOLD.set(false);
    // It does not throw; what else fails here is an environment that ends.
    drop(told);
}

fn name_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        _ => "debug",
    }
}

/// The message, and the fields, each as it was written.
#[derive(Default)]
struct Said {
    message: String,
    fields: Map<String, Value>,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => {
                let value = match LogValue::of_field(name, &text) {
                    LogValue::List(values) => {
                        if name == "methods" {
                            self.fields.insert("operation".to_owned(), values.join(", ").into());
                        }
                        values.into()
                    }
                    LogValue::Text(value) => Value::from(value),
                };
                self.fields.insert(name.to_owned(), value);
            }
        }
    }
}
