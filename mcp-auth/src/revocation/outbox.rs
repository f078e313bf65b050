//! What the shared store is still to be told.

use std::collections::VecDeque;

use crate::shared_store::SharedCutoff;

/// More than these are not kept one by one: the store is told everything that is known, which is bounded too.
const MAX_POSTED: usize = 10_000;

/// What the shared store is still to be told, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    posted: VecDeque<SharedCutoff>,
    /// Whether all that is known is to be told, when `posted` is.
    everything: bool,
    /// How many at the beginning of `posted` are being told, and no others.
    lent: usize,
}

impl Outbox {
    pub(super) fn add(&mut self, cutoff: SharedCutoff) {
        // What is lent is removed by whoever has it.
        if self.posted.len() - self.lent >= MAX_POSTED {
            self.posted.truncate(self.lent);
            self.everything = true;
        }
        self.posted.push_back(cutoff);
    }

    /// Has everything told that is known.
    pub(super) fn add_everything(&mut self) {
        self.everything = true;
    }

    /// The first of them. They stay until they are removed.
    pub(super) fn first(
        &mut self,
        most: usize,
        known: impl FnOnce() -> Vec<SharedCutoff>,
    ) -> Vec<SharedCutoff> {
        if self.everything {
            self.everything = false;
            self.posted = known().into();
        }
        self.lent = most.min(self.posted.len());
        self.posted.iter().take(self.lent).cloned().collect()
    }

    /// Removes the first of them, which the store has.
    pub(super) fn remove(&mut self, count: usize) {
        self.lent = 0;
        self.posted.drain(..count.min(self.posted.len()));
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
        assert_eq!(outbox.first(1, Vec::new), [cutoff(1)]);
        assert_eq!(outbox.first(1, Vec::new), [cutoff(1)]);
        outbox.remove(1);
        assert_eq!(outbox.first(9, Vec::new), [cutoff(2)]);
        // While it is told, so much is added that there is no room.
        for number in 0..=2 * MAX_POSTED {
            outbox.add(cutoff(number));
        }
        assert!(outbox.posted.len() <= MAX_POSTED + 1);
        outbox.remove(1);
        let known = || vec![cutoff(7), cutoff(8)];
        assert_eq!(outbox.first(9, known), [cutoff(7), cutoff(8)]);
        outbox.remove(2);
        assert!(outbox.first(9, Vec::new).is_empty());
    }
}
