//! What the shared store is still to be told.

use std::collections::VecDeque;

use crate::shared_store::SharedCutoff;

/// More than these are not kept one by one: the store is told everything that is known, which is bounded too.
const MAX_POSTED: usize = 10_000;

/// What the shared store is still to be told.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// One by one, in order.
    posted: VecDeque<SharedCutoff>,
    /// All that was known at a time, first of all.
    known: VecDeque<SharedCutoff>,
    /// Whether all that is known is to be told, when `known` was.
    everything: bool,
}

impl Outbox {
    pub(super) fn add(&mut self, cutoff: SharedCutoff) {
        if self.posted.len() >= MAX_POSTED {
            self.posted.clear();
            self.everything = true;
        }
        self.posted.push_back(cutoff);
    }

    /// Has everything told that is known.
    pub(super) fn add_everything(&mut self) {
        self.everything = true;
    }

    /// Takes out the first of them. What the store does not take is put back.
    pub(super) fn take(
        &mut self,
        most: usize,
        known: impl FnOnce() -> Vec<SharedCutoff>,
    ) -> Vec<SharedCutoff> {
        if self.everything && self.known.is_empty() {
            self.everything = false;
            self.known = known().into();
        }
        let first = if self.known.is_empty() { &mut self.posted } else { &mut self.known };
        first.drain(..most.min(first.len())).collect()
    }

    /// Puts back what the store did not take.
    pub(super) fn put_back(&mut self, cutoffs: Vec<SharedCutoff>) {
        for cutoff in cutoffs.into_iter().rev() {
            self.known.push_front(cutoff);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared_store::CutoffKind;

    fn cutoff(number: usize) -> SharedCutoff {
        SharedCutoff::new("i", CutoffKind::Subject, number.to_string(), 1)
    }

    #[test]
    fn what_was_not_taken_is_told_again_and_nothing_is_lost_where_there_is_no_room() {
        let mut outbox = Outbox::default();
        outbox.add(cutoff(1));
        outbox.add(cutoff(2));
        assert_eq!(outbox.take(1, Vec::new), [cutoff(1)]);
        outbox.put_back(vec![cutoff(1)]);
        assert_eq!(outbox.take(1, Vec::new), [cutoff(1)]);
        assert_eq!(outbox.take(9, Vec::new), [cutoff(2)]);
        for number in 0..=2 * MAX_POSTED {
            outbox.add(cutoff(number));
        }
        assert!(outbox.posted.len() <= MAX_POSTED);
        let known = || vec![cutoff(7), cutoff(8)];
        assert_eq!(outbox.take(1, known), [cutoff(7)]);
        // What comes meanwhile does not begin it anew.
        for number in 0..=MAX_POSTED {
            outbox.add(cutoff(number));
        }
        assert_eq!(outbox.take(9, Vec::new), [cutoff(8)]);
        assert_eq!(outbox.take(9, || vec![cutoff(9)]), [cutoff(9)]);
        assert_eq!(outbox.take(1, Vec::new).len(), 1);
    }
}
