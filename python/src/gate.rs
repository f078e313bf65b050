//! Lets nobody call Python from here while the interpreter ends, and keeps our threads out of it while
//! the process forks.
//!
//! A thread that waits for the interpreter's lock when the interpreter ends is unwound by it, through
//! frames of Rust, which aborts the process: ours, and Python's own daemon threads in a hook. A thread
//! of ours that is in Python while the process forks may hold a lock that nobody gives back in the
//! child. So Python is called through [`attach`] alone, and `atexit` and `os.register_at_fork` close
//! that way and wait until nobody is behind it.
//!
//! Numbers and no locks: a lock that some thread holds while the process forks stays locked in the
//! child.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// How many of our threads are in Python.
static OURS_INSIDE: AtomicUsize = AtomicUsize::new(0);

/// How many of Python's threads are in code of the user's that was called from here.
static OTHERS_INSIDE: AtomicUsize = AtomicUsize::new(0);

/// How many threads are about to fork the process.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// Whether the interpreter is about to end.
static HAS_ENDED: AtomicBool = AtomicBool::new(false);

/// A hook that takes longer is not waited for: the process ends, or forks, as it would without us.
const LONGEST: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(1);

thread_local! {
    /// Whether this thread is one of ours, and not one of Python's.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread ends the interpreter; it may call what it likes.
    static IS_LAST: Cell<bool> = const { Cell::new(false) };
    /// How often it went into Python without having come back.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Tells that this thread, which just began, is one of ours.
pub(crate) fn mark_thread() {
    IS_OURS.set(true);
}

/// Does this in Python, with the interpreter's lock. `None` when there is no interpreter any more.
pub(crate) fn attach<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _inside = Inside::enter()?;
    Python::try_attach(work)
}

/// Whether what our threads find can no longer be told to Python.
pub(crate) fn has_ended() -> bool {
    HAS_ENDED.load(Ordering::SeqCst)
}

/// That this thread is in Python, as long as it lives.
struct Inside;

impl Inside {
    /// A thread of ours waits while the process forks; `None` once the interpreter ends.
    fn enter() -> Option<Self> {
        // Who is inside already is waited for: to let it wait as well would be for ever.
        if DEPTH.get() == 0 {
            loop {
                count().fetch_add(1, Ordering::SeqCst);
                let is_forking = IS_OURS.get() && FORKS.load(Ordering::SeqCst) > 0;
                let is_closed = has_ended() && !IS_LAST.get();
                if !is_forking && !is_closed {
                    break;
                }
                count().fetch_sub(1, Ordering::SeqCst);
                if is_closed {
                    return None;
                }
                thread::sleep(PAUSE);
            }
        }
        DEPTH.set(DEPTH.get() + 1);
        Some(Self)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        if DEPTH.get() == 0 {
            count().fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Where this thread is counted.
fn count() -> &'static AtomicUsize {
    if IS_OURS.get() { &OURS_INSIDE } else { &OTHERS_INSIDE }
}

/// `atexit` calls it: from now on nobody but this thread goes into Python from here.
#[pyfunction]
pub(crate) fn before_end(py: Python<'_>) {
    IS_LAST.set(true);
    HAS_ENDED.store(true, Ordering::SeqCst);
    wait(py, || OURS_INSIDE.load(Ordering::SeqCst) + OTHERS_INSIDE.load(Ordering::SeqCst) <= own());
}

/// `os.register_at_fork` calls it before a fork.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    FORKS.fetch_add(1, Ordering::SeqCst);
    let ours = if IS_OURS.get() { own() } else { 0 };
    wait(py, || OURS_INSIDE.load(Ordering::SeqCst) <= ours);
}

/// `os.register_at_fork` calls it in the parent, also when the fork failed.
#[pyfunction]
pub(crate) fn after_fork_in_parent() {
    FORKS.fetch_sub(1, Ordering::SeqCst);
}

/// In the child there is no thread but this one.
pub(crate) fn open_in_child() {
    FORKS.store(0, Ordering::SeqCst);
    OURS_INSIDE.store(0, Ordering::SeqCst);
    OTHERS_INSIDE.store(0, Ordering::SeqCst);
    count().store(own(), Ordering::SeqCst);
}

/// A hook may fork, or end the process, itself.
fn own() -> usize {
    usize::from(DEPTH.get() > 0)
}

/// Waits until the others have left Python, which they may need the interpreter's lock for.
fn wait(py: Python<'_>, is_empty: impl Fn() -> bool + Send + Sync) {
    if is_empty() {
        return;
    }
    let end = Instant::now() + LONGEST;
    let has_left = py.detach(|| {
        while !is_empty() {
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(PAUSE);
        }
        true
    });
    if !has_left {
        tracing::warn!(
            target: "mcp_auth",
            "a hook in Python does not return, and is not waited for any longer"
        );
    }
}
