//! The limits, checked.

use std::time::Duration;

use crate::config::{FailureLimit, Faults, Limits};
use crate::limits::AddressRange;

/// More refusals in a period are no limit.
const MAX_COUNT: u32 = 100_000;
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);
const LONGEST_PERIOD: Duration = Duration::from_secs(24 * 3600);

/// The proxies that are trusted; whatever is wrong with the limits is added to the faults.
pub(super) fn parse_limits(limits: &Limits, faults: &mut Faults<'_>) -> Vec<AddressRange> {
    let named = [
        ("failures_per_address", limits.failures_per_address),
        ("failures_per_principal", limits.failures_per_principal),
    ];
    for (field, limit) in named {
        if let Some(given) = limit {
            check_limit(given, &mut faults.below(field));
        }
    }
    let mut trusted_proxies = Vec::new();
    for (index, text) in limits.trusted_proxies.iter().enumerate() {
        match AddressRange::parse(text) {
            Ok(range) => trusted_proxies.push(range),
            Err(reason) => faults.below_item("trusted_proxies", index).add_here(reason),
        }
    }
    trusted_proxies
}

fn check_limit(limit: FailureLimit, faults: &mut Faults<'_>) {
    if !(1..=MAX_COUNT).contains(&limit.count) {
        faults.add("count", format!("must be 1 to {MAX_COUNT}"));
    }
    if !(SHORTEST_PERIOD..=LONGEST_PERIOD).contains(&limit.period) {
        let (shortest, longest) = (SHORTEST_PERIOD.as_secs(), LONGEST_PERIOD.as_secs());
        faults.add("period", format!("must be {shortest} to {longest} seconds"));
    }
}
