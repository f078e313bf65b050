//! What a limit remembers of each key, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::nanos::Nanos;
use governor::state::StateStore;

use super::steady_time::SteadyTime;

/// Keys that are remembered one by one.
pub(super) const MAX_KEYS: usize = 65_536;

/// When each key has its whole budget again. A key that has it is forgotten where there is no room.
///
/// Where all remembered keys have used some of theirs, those that come newly share one budget. If instead the oldest were
/// forgotten, whoever has more addresses than there is room for would have a new budget with each.
pub(super) struct BoundedStates<K> {
    states: Mutex<States<K>>,
    time: SteadyTime,
    max_keys: usize,
}

struct States<K> {
    of_keys: HashMap<K, Nanos>,
    of_newcomers: Option<Nanos>,
    swept_at: Option<Nanos>,
}

impl<K: Eq + Hash> BoundedStates<K> {
    pub(super) fn new(max_keys: usize, time: SteadyTime) -> Self {
        let states = States { of_keys: HashMap::new(), of_newcomers: None, swept_at: None };
        Self { states: Mutex::new(states), time, max_keys }
    }

    /// Has a key have its whole budget after this time, and not before. One that is not remembered is left as it is.
    pub(super) fn delay(&self, key: &K, after: Duration) {
        let not_before = self.time.now() + Nanos::from(after);
        if let Some(whole_at) = self.lock().of_keys.get_mut(key) {
            *whole_at = not_before.max(*whole_at);
        }
    }

    fn lock(&self) -> MutexGuard<'_, States<K>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().of_keys.len()
    }
}

impl<K: Eq + Hash> States<K> {
    /// Forgets keys that have their whole budget; once for each time that the clock tells.
    fn sweep(&mut self, now: Nanos) {
        if self.swept_at != Some(now) {
            self.of_keys.retain(|_, whole_at| *whole_at > now);
            self.swept_at = Some(now);
        }
    }
}

impl<K: Clone + Eq + Hash> StateStore for BoundedStates<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let now = self.time.now();
        let mut states = self.lock();
        if let Some(whole_at) = states.of_keys.get_mut(key) {
            let (outcome, next) = measure(Some(*whole_at))?;
            *whole_at = next;
            return Ok(outcome);
        }
        if states.of_keys.len() >= self.max_keys {
            states.sweep(now);
        }
        if states.of_keys.len() >= self.max_keys {
            let (outcome, next) = measure(states.of_newcomers)?;
            states.of_newcomers = Some(next);
            return Ok(outcome);
        }
        let (outcome, next) = measure(None)?;
        states.of_keys.insert(key.clone(), next);
        Ok(outcome)
    }
}

/// The same states, counted in.
pub(super) struct Counting<K>(pub(super) Arc<BoundedStates<K>>);

impl<K: Clone + Eq + Hash> StateStore for Counting<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, measure)
    }
}

/// The same states, looked at and left as they are.
pub(super) struct Looking<K>(pub(super) Arc<BoundedStates<K>>);

impl<K: Clone + Eq + Hash> StateStore for Looking<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let states = self.0.lock();
        let known = states.of_keys.get(key).copied();
        let is_full = states.of_keys.len() >= self.0.max_keys;
        let shared = states.of_newcomers.filter(|_| is_full);
        drop(states);
        measure(known.or(shared)).map(|(outcome, _)| outcome)
    }
}
