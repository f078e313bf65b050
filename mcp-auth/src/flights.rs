//! One question at a time about one thing, however many ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

use crate::spawner::{Spawner, background};

/// What a question is about, as a digest.
type Digest = [u8; 32];

/// Questions that may be open at one time; nobody waits for more.
const MAX_OPEN: usize = 1024;

/// An answer that several wait for; `None` when whoever was asking for it broke off.
pub(crate) type Flight<T> = Shared<BoxFuture<'static, Option<T>>>;

/// Questions that are open, by what they are about.
pub(crate) struct Flights<T: Clone>(Arc<Mutex<HashMap<Digest, Flight<T>>>>);

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// The open question, or a new one; `None` when too many are open.
    pub(crate) fn join(
        &self,
        key: Digest,
        spawner: &Spawner,
        ask: impl Future<Output = T> + Send + 'static,
    ) -> Option<Flight<T>> {
        let mut open = lock(&self.0);
        if let Some(flight) = open.get(&key) {
            return Some(flight.clone());
        }
        if open.len() >= MAX_OPEN {
            return None;
        }
        let landing = Landing { open: self.0.clone(), key };
        // Its own task: a client that hangs up must not abort what others wait for.
        let (work, answer, _) = background(async move {
            let _landing = landing;
            ask.await
        });
        let flight = answer.shared();
        open.insert(key, flight.clone());
        // The landing takes the lock, and it may come before `start` returns.
        drop(open);
        spawner.start(work);
        Some(flight)
    }
}

/// Ends a question, also one that panicked.
struct Landing<T: Clone> {
    open: Arc<Mutex<HashMap<Digest, Flight<T>>>>,
    key: Digest,
}

impl<T: Clone> Drop for Landing<T> {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.key);
    }
}

fn lock<T: Clone>(
    open: &Mutex<HashMap<Digest, Flight<T>>>,
) -> MutexGuard<'_, HashMap<Digest, Flight<T>>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn whoever_asks_meanwhile_gets_the_same_answer() {
        let flights = Flights::<usize>::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let (answer, wait) = tokio::sync::oneshot::channel::<()>();
        let mut wait = Some(wait);
        let mut waiting = Vec::new();
        for _ in 0..10 {
            let (asked, wait) = (asked.clone(), wait.take());
            let ask = async move {
                if let Some(wait) = wait {
                    wait.await.unwrap();
                }
                asked.fetch_add(1, Ordering::Relaxed)
            };
            waiting.push(flights.join([1; 32], &Spawner::default(), ask).unwrap());
        }
        answer.send(()).unwrap();
        for flight in waiting {
            assert_eq!(flight.await, Some(0));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert!(lock(&flights.0).is_empty());
        assert_eq!(flights.join([1; 32], &Spawner::default(), async { 7 }).unwrap().await, Some(7));
    }

    #[tokio::test]
    async fn a_panic_ends_the_question_and_too_many_are_refused() {
        let flights = Flights::<usize>::new();
        let broken =
            flights.join([1; 32], &Spawner::default(), async { panic!("on purpose") }).unwrap();
        assert_eq!(broken.await, None);
        assert!(lock(&flights.0).is_empty());
        for index in 0..MAX_OPEN {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&index.to_le_bytes());
            assert!(flights.join(key, &Spawner::default(), std::future::pending()).is_some());
        }
        assert!(flights.join([9; 32], &Spawner::default(), std::future::pending()).is_none());
        assert!(
            flights.join([0; 32], &Spawner::default(), std::future::pending()).is_some(),
            "one that is open"
        );
    }

    #[tokio::test]
    async fn a_spawner_may_run_or_drop_the_work_at_once() {
        let at_once = |work: BoxFuture<'static, ()>| work.now_or_never().unwrap_or_default();
        for (spawner, expected) in [(Spawner::new(at_once), Some(7)), (Spawner::new(drop), None)] {
            let flights = Flights::<usize>::new();
            for _ in 0..3 {
                let flight = flights.join([1; 32], &spawner, async { 7 }).unwrap();
                assert!(lock(&flights.0).is_empty());
                assert_eq!(flight.await, expected);
            }
        }
    }
}
