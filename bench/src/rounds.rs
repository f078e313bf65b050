//! Contenders take turns in short slices, round after round; medians are over the rounds.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

use crate::allocations;
use crate::contenders::Contender;
use crate::world::Token;

/// Fewer rounds say nothing.
const FEWEST_ROUNDS: usize = 11;

/// One slice of one contender.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// Time of the processor, per token. Other programs do not count.
    pub(crate) nanoseconds: f64,
    pub(crate) allocations: f64,
    /// The share of the tokens that was accepted.
    pub(crate) accepted: f64,
}

/// Times one slice; what is needed to call `verify` is made beforehand.
pub(crate) async fn measure<I, F>(inputs: Vec<I>, mut verify: impl FnMut(I) -> F) -> Sample
where
    F: Future<Output = bool>,
{
    let count = inputs.len() as f64;
    let mut accepted = 0.0;
    let (allocated, start) = (allocations::count(), ThreadTime::now());
    for input in inputs {
        accepted += f64::from(u8::from(verify(input).await));
    }
    Sample {
        nanoseconds: start.elapsed().as_secs_f64() * 1e9 / count,
        allocations: (allocations::count() - allocated) as f64 / count,
        accepted: accepted / count,
    }
}

/// A contender with the tokens of its slices.
pub(crate) struct Slot<'a> {
    pub(crate) contender: Box<dyn Contender>,
    pub(crate) tokens: Vec<&'a Token>,
    /// Whether it must forget all tokens before each slice.
    pub(crate) forgets: bool,
}

/// What the rounds of one contender came to.
pub(crate) struct Summary {
    pub(crate) microseconds: Spread,
    /// To the first contender, in the same round.
    pub(crate) ratio: Spread,
    pub(crate) allocations: Spread,
    pub(crate) accepted: f64,
}

/// Runs rounds for about this long. Everything is relative to the first slot.
pub(crate) async fn run(slots: &mut [Slot<'_>], budget: Duration) -> Vec<Summary> {
    let mut samples: Vec<Vec<Sample>> = slots.iter().map(|_| Vec::new()).collect();
    let end = Instant::now() + budget;
    let mut round = 0;
    // The first round warms caches and is not counted.
    while round <= FEWEST_ROUNDS || Instant::now() < end {
        for turn in 0..slots.len() {
            // Nobody always comes after the same other.
            let index = (turn + round) % slots.len();
            let slot = &mut slots[index];
            if slot.forgets {
                slot.contender.renew().await;
            }
            let sample = slot.contender.verify_all(&slot.tokens).await;
            if round > 0 {
                samples[index].push(sample);
            }
        }
        round += 1;
    }
    samples.iter().map(|own| summary(own, &samples[0])).collect()
}

fn summary(own: &[Sample], first: &[Sample]) -> Summary {
    let pairs = own.iter().zip(first);
    Summary {
        microseconds: Spread::of(own.iter().map(|sample| sample.nanoseconds / 1000.0)),
        ratio: Spread::of(pairs.map(|(sample, floor)| sample.nanoseconds / floor.nanoseconds)),
        allocations: Spread::of(own.iter().map(|sample| sample.allocations)),
        accepted: own.iter().map(|sample| sample.accepted).fold(1.0, f64::min),
    }
}

/// The middle of some values, and the half of them that is nearest to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// A quarter of the values is below.
    pub(crate) low: f64,
    pub(crate) middle: f64,
    /// A quarter of the values is above.
    pub(crate) high: f64,
}

impl Spread {
    /// Not a number where there are no values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |quarter: usize| {
            let index = sorted.len().saturating_sub(1) * quarter / 4;
            sorted.get(index).copied().unwrap_or(f64::NAN)
        };
        Self { low: at(1), middle: at(2), high: at(3) }
    }

    /// What was found once.
    pub(crate) fn exact(value: f64) -> Self {
        Self { low: value, middle: value, high: value }
    }
}
