//! Which resource came in the place of another one, since the configuration was replaced.
//!
//! A request is decided by one resource, as it was configured then. What outlives the decision (a body that is still coming, a
//! response, a stream) asks here what is in force now. While nothing was replaced, that is one comparison.
//!
//! Tested in `serve::reload`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Resource;

/// No resource has this number.
const NOBODY: u64 = 0;

/// One resource through all its configurations: those at one path, one after the other.
pub(super) struct Succession {
    /// The number of the one that is in force.
    in_force: AtomicU64,
    /// The same, once one was replaced. It belongs to whoever holds all that is in force: when that is gone, so is this.
    latest: Mutex<Weak<Resource>>,
}

/// The number of one configuration of a resource, which no other one has.
pub(super) fn next_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(NOBODY);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Succession {
    /// Of a resource that comes in the place of no other one.
    pub(super) fn beginning_with(number: u64) -> Arc<Self> {
        Arc::new(Self { in_force: AtomicU64::new(number), latest: Mutex::default() })
    }
}

impl Resource {
    /// Whether nothing has come in its place. It may be asked often: no lock.
    #[inline]
    pub(super) fn is_in_force(&self) -> bool {
        self.succession.in_force.load(Ordering::Acquire) == self.number
    }

    /// What is in force in its place; `None`: nothing is at this path any more.
    pub(crate) fn in_force(self: &Arc<Self>) -> Option<Arc<Self>> {
        if self.is_in_force() {
            return Some(self.clone());
        }
        let latest = self.succession.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.upgrade()
    }

    /// Whether this one was made to come in the place of the other one.
    pub(crate) fn succeeds(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.succession, &other.succession)
    }

    /// Puts this one, which takes over from others, into force in their place.
    pub(crate) fn enter_into_force(self: &Arc<Self>) {
        self.succession.replace_by(self.number, Arc::downgrade(self));
    }

    /// Ends it: nothing comes in its place.
    pub(crate) fn end(&self) {
        self.succession.replace_by(NOBODY, Weak::new());
    }
}

impl Succession {
    fn replace_by(&self, number: u64, resource: Weak<Resource>) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = resource;
        // After it, so that whoever sees that they are not in force finds what is.
        self.in_force.store(number, Ordering::Release);
    }
}
