//! One end for the whole check, and what to make of answers that tell nothing.

use std::time::{Duration, Instant};

use super::{Answer, Outcome};
use crate::network_fault::{NetworkFault, NetworkFaultKind};

/// Waits of the length of one timeout that the whole check may take.
const WAITS: u64 = 10;
/// Requests without an answer, one after another, after which nothing more is asked.
const MOST_IN_VAIN: usize = 3;

/// How long the check still waits, and whether the answers to the current row told anything.
pub(super) struct Patience {
    end: Instant,
    whole: u64,
    /// Requests without an answer, since the last one that had one.
    in_vain: usize,
    /// The answers since the last row was judged.
    asked: usize,
    /// Those of them that tell nothing, by their words.
    untold: Vec<String>,
    is_judged: bool,
    why_over: Option<String>,
}

impl Patience {
    /// `timeout`, `deadline`: seconds for one answer and for all.
    pub(super) fn new(timeout: u64, deadline: Option<u64>) -> Self {
        let whole = deadline.unwrap_or(timeout * WAITS);
        Self {
            end: Instant::now() + Duration::from_secs(whole),
            whole,
            in_vain: 0,
            asked: 0,
            untold: Vec::new(),
            is_judged: false,
            why_over: None,
        }
    }

    /// Why nothing more is asked.
    pub(super) fn is_over(&self) -> Option<NetworkFault> {
        let words = self.why_over.clone()?;
        Some(NetworkFault::new(NetworkFaultKind::Late, words))
    }

    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Nothing more is asked, as the time for the whole check has passed.
    pub(super) fn end(&mut self) -> NetworkFault {
        let words = format!("the check takes longer than {} s (--deadline)", self.whole);
        self.why_over = Some(words.clone());
        NetworkFault::new(NetworkFaultKind::Late, words)
    }

    /// What comes now belongs to another row.
    pub(super) fn begin_row(&mut self) {
        self.is_judged = true;
    }

    /// Notes an answer that the next row is judged by.
    pub(super) fn note(&mut self, answer: &Answer) {
        if std::mem::take(&mut self.is_judged) {
            self.asked = 0;
            self.untold.clear();
        }
        self.asked += 1;
        if answer.tells_nothing() {
            self.untold.push(answer.words());
        }
        let is_late = answer.failure().is_some_and(|one| one.kind == NetworkFaultKind::Late);
        self.in_vain = if is_late { self.in_vain + 1 } else { 0 };
        if self.in_vain >= MOST_IN_VAIN && self.why_over.is_none() {
            self.why_over =
                Some(format!("{MOST_IN_VAIN} requests, one after another, had no answer in time"));
        }
    }

    /// The outcome, or that it is not known: a server that cannot tell now has not let anybody in.
    pub(super) fn judge(&mut self, outcome: Outcome) -> Outcome {
        self.is_judged = true;
        match &outcome {
            Outcome::Broken(_) if self.tells_nothing() => Outcome::Skipped(self.why_untold()),
            _ => outcome,
        }
    }

    /// Whether no answer to the row told anything, or not all could be asked.
    fn tells_nothing(&self) -> bool {
        let is_over = self.why_over.is_some() && !self.untold.is_empty();
        self.asked > 0 && (self.untold.len() == self.asked || is_over)
    }

    fn why_untold(&self) -> String {
        if let Some(words) = &self.why_over {
            return words.clone();
        }
        match self.untold.iter().find(|words| words.starts_with("503")) {
            Some(words) => {
                format!("{words}: the server cannot tell now; see R22: does it reach its issuer?")
            }
            None => self.untold.first().cloned().unwrap_or_default(),
        }
    }
}
