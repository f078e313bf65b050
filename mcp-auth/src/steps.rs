//! Counts the steps of whatever reads a stranger's bytes, so that tests and fuzz targets can hold it to a number for
//! each byte: a clock would not do. Outside of them [`take`] is nothing.

#[cfg(any(fuzzing, test))]
pub(crate) use counting::{Cost, linear, take};

/// Counts this many steps: a loop says how many bytes or items it looks at.
#[cfg(not(any(fuzzing, test)))]
#[inline(always)]
pub(crate) fn take(_: usize) {}

#[cfg(any(fuzzing, test))]
mod counting {
    use std::cell::Cell;

    /// What reading costs, or what each byte of an input may cost at most.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Cost {
        /// Bytes or items that were looked at, each time that they were.
        pub(crate) steps: u64,
        /// Bytes that were allocated, freed or not; counted in tests only.
        pub(crate) allocated: u64,
    }

    /// What an input may cost besides: what does not depend on it, and what is made once.
    const AT_FIRST: Cost = Cost { steps: 16 * 1024, allocated: 64 * 1024 };

    thread_local! {
        static TAKEN: Cell<u64> = const { Cell::new(0) };
        static LIMIT: Cell<u64> = const { Cell::new(u64::MAX) };
    }

    /// Counts this many steps.
    ///
    /// # Panics
    /// When they are too many for what [`linear`] reads: what takes exponential time must not go on.
    pub(crate) fn take(steps: usize) {
        let taken = TAKEN.get().saturating_add(steps as u64);
        TAKEN.set(taken);
        assert!(taken <= LIMIT.get(), "more than {} steps for the input", LIMIT.get());
    }

    /// Runs what reads an input of this many bytes, and returns what it cost as well.
    ///
    /// # Panics
    /// When it costs more than this for each byte.
    pub(crate) fn linear<T>(each: Cost, bytes: usize, read: impl FnOnce() -> T) -> (T, Cost) {
        let most = |each: u64, first: u64| each.saturating_mul(bytes as u64).saturating_add(first);
        let max_allocated = most(each.allocated, AT_FIRST.allocated);
        LIMIT.set(most(each.steps, AT_FIRST.steps));
        TAKEN.set(0);
        let (result, allocated) = counting_allocations(read);
        let steps = TAKEN.get();
        LIMIT.set(u64::MAX);
        assert!(allocated <= max_allocated, "{allocated} bytes allocated for {bytes} of input");
        (result, Cost { steps, allocated })
    }

    #[cfg(test)]
    fn counting_allocations<T>(read: impl FnOnce() -> T) -> (T, u64) {
        let mut result = None;
        let info = allocation_counter::measure(|| result = Some(read()));
        (result.expect("it was run"), info.bytes_total)
    }

    /// libFuzzer bounds the memory itself.
    #[cfg(not(test))]
    fn counting_allocations<T>(read: impl FnOnce() -> T) -> (T, u64) {
        (read(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Cost = Cost { steps: 10, allocated: 10 };

    #[test]
    fn steps_and_allocated_bytes_are_counted() {
        let read = || {
            take(7);
            vec![0_u8; 100]
        };
        let (made, cost) = linear(TEN, 1, read);
        assert_eq!((made.len(), cost), (100, Cost { steps: 7, allocated: 100 }));
    }

    #[test]
    #[should_panic(expected = "steps for the input")]
    fn too_many_steps_stop_what_takes_them() {
        linear(TEN, 10, || (0..u64::MAX).for_each(|_| take(1000)));
    }

    #[test]
    #[should_panic(expected = "bytes allocated for 10 of input")]
    fn too_many_bytes_are_a_fault() {
        linear(TEN, 10, || vec![0_u8; 1_000_000]);
    }
}
