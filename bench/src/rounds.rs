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

/// The medians of one contender.
pub(crate) struct Summary {
    pub(crate) nanoseconds: f64,
    /// To the first contender, in the same round.
    pub(crate) ratio: f64,
    pub(crate) allocations: f64,
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
    let summary = |own: &Vec<Sample>| Summary {
        nanoseconds: median(own.iter().map(|sample| sample.nanoseconds)),
        ratio: median(own.iter().zip(&samples[0]).map(|(a, b)| a.nanoseconds / b.nanoseconds)),
        allocations: median(own.iter().map(|sample| sample.allocations)),
        accepted: own.iter().map(|sample| sample.accepted).fold(1.0, f64::min),
    };
    samples.iter().map(summary).collect()
}

/// The middle value; not a number when there is none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
