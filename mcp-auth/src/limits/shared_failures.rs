//! A limit that several instances count together, by the store that they share.
//!
//! 1. No request waits for the store. What counts here is told in the background, and the answer says how much of the
//!    sender's budget all instances have used; from then on that counts here too. So an instance lets a sender have one
//!    refusal at least before it knows of those of others.
//! 2. While the store is away, each instance counts for itself. What was counted meanwhile is not told later: it would count
//!    for longer than the limit says.
//! 3. It is bounded: a limit counts no more than it allows, and what has no room is told to nobody.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{sleep, timeout};

use super::failure_limiter::{Counted, FailureLimiter};
use crate::shared_store::{CountedFailures, SharedStore, StoreFault};
use crate::spawner::Spawner;
use crate::text::in_one_line;

/// Senders that wait to be told of.
const MAX_WAITING: usize = 10_000;
/// Senders that are told of at once.
const AT_ONCE: usize = 500;
/// How long nothing is asked after a fault.
const REST: Duration = Duration::from_secs(2);

/// The store, and how it is asked.
#[derive(Clone)]
pub(crate) struct CommonCount {
    pub(crate) store: Arc<dyn SharedStore>,
    /// For one question.
    pub(crate) timeout: Duration,
    pub(crate) spawner: Spawner,
}

/// A limit, counted with other instances if there are any.
pub(super) struct SharedFailures<K: Clone + Eq + Hash> {
    limiter: Arc<FailureLimiter<K>>,
    telling: Option<Arc<Telling<K>>>,
}

/// What the task needs that tells the store.
struct Telling<K: Clone + Eq + Hash> {
    limiter: Arc<FailureLimiter<K>>,
    common: CommonCount,
    waiting: Mutex<Waiting<K>>,
    is_away: AtomicBool,
}

/// What the store is to be told.
struct Waiting<K> {
    counted: HashMap<K, CountedFailures>,
    has_task: bool,
}

impl<K> SharedFailures<K>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    pub(super) fn new(limiter: FailureLimiter<K>, common: Option<&CommonCount>) -> Self {
        let counting = Arc::new(limiter);
        let telling = common.map(|shared| {
            Arc::new(Telling {
                limiter: counting.clone(),
                common: shared.clone(),
                waiting: Mutex::new(Waiting { counted: HashMap::new(), has_task: false }),
                is_away: AtomicBool::new(false),
            })
        });
        Self { limiter: counting, telling }
    }

    /// Whether one more refusal would be beyond the limit.
    pub(super) fn is_beyond(&self, key: &K) -> bool {
        self.limiter.is_beyond(key)
    }

    /// Counts a refusal. The name is what instances call the key among themselves.
    pub(super) fn count(&self, key: &K, name: impl FnOnce() -> String) -> Counted {
        let counted = self.limiter.count(key);
        if let (Counted::Within, Some(telling)) = (counted, &self.telling) {
            telling.add(key, name);
            telling.begin();
        }
        counted
    }
}

impl<K> Telling<K>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    fn lock(&self) -> MutexGuard<'_, Waiting<K>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more refusal.
    fn add(&self, key: &K, name: impl FnOnce() -> String) {
        let mut waiting = self.lock();
        if let Some(counted) = waiting.counted.get_mut(key) {
            counted.count = counted.count.saturating_add(1);
        } else if waiting.counted.len() < MAX_WAITING {
            let limit = self.limiter.limit();
            let each = limit.period / limit.count.max(1);
            let counted = CountedFailures::new(name(), 1, each, limit.period);
            waiting.counted.insert(key.clone(), counted);
        }
    }

    /// Starts the task, unless it is there.
    fn begin(self: &Arc<Self>) {
        let mut waiting = self.lock();
        if waiting.has_task || !self.common.spawner.can_start() {
            return;
        }
        waiting.has_task = true;
        drop(waiting);
        let end = End { telling: self.clone(), is_in_order: false };
        self.common.spawner.start(tell_all(end).boxed());
    }

    /// Some of those that wait. Where there are none, the task is over.
    fn take(&self) -> Vec<(K, CountedFailures)> {
        let mut waiting = self.lock();
        let keys: Vec<K> = waiting.counted.keys().take(AT_ONCE).cloned().collect();
        waiting.has_task = !keys.is_empty();
        keys.into_iter().filter_map(|key| waiting.counted.remove_entry(&key)).collect()
    }

    /// Tells the store of these, and counts here what it knows.
    async fn tell(&self, some: Vec<(K, CountedFailures)>) -> Result<(), StoreFault> {
        let (keys, counted): (Vec<K>, Vec<CountedFailures>) = some.into_iter().unzip();
        let CommonCount { store, timeout: longest, .. } = &self.common;
        let told = timeout(*longest, store.count_failures(&counted)).await;
        let times = told.unwrap_or_else(|_| Err(StoreFault::new("it does not answer in time")))?;
        if times.len() != keys.len() {
            return Err(StoreFault::new("it answers about other senders"));
        }
        for (key, time) in keys.iter().zip(times) {
            self.limiter.count_for(key, time);
        }
        Ok(())
    }
}

/// Tells the store until nothing is left.
async fn tell_all<K>(mut end: End<K>)
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
{
    let telling = end.telling.clone();
    loop {
        let some = telling.take();
        if some.is_empty() {
            end.is_in_order = true;
            return;
        }
        match telling.tell(some).await {
            Ok(()) => {
                if telling.is_away.swap(false, Ordering::Relaxed) {
                    tracing::info!("the shared store is there again: limits are counted together");
                }
            }
            Err(fault) => {
                if !telling.is_away.swap(true, Ordering::Relaxed) {
                    let reason = in_one_line(&fault.to_string());
                    tracing::warn!(%reason, "the shared store counts no refusals: until it does, each instance counts for its limits alone");
                }
                sleep(REST).await;
                telling.lock().counted.clear();
            }
        }
    }
}

/// A task that breaks off leaves room for the next one.
struct End<K: Clone + Eq + Hash> {
    telling: Arc<Telling<K>>,
    is_in_order: bool,
}

impl<K: Clone + Eq + Hash> Drop for End<K> {
    fn drop(&mut self) {
        if !self.is_in_order {
            let waiting = self.telling.waiting.lock();
            waiting.unwrap_or_else(PoisonError::into_inner).has_task = false;
        }
    }
}
