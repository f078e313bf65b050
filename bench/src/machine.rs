//! How busy the machine is with other things.

use std::fs;
use std::thread;
use std::time::Duration;

/// Above this share of all cores, two threads cannot be compared with one.
pub(crate) const IDLE: f64 = 0.1;

/// The share of all cores that was in use while this thread slept; `None` where it cannot be read.
pub(crate) fn busy(during: Duration) -> Option<f64> {
    let (used, all) = jiffies()?;
    thread::sleep(during);
    let (used_later, all_later) = jiffies()?;
    Some((used_later - used) / (all_later - all).max(1.0))
}

/// Used and all time of all cores since the start, from the first line of `/proc/stat`.
fn jiffies() -> Option<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.split_whitespace().skip(1);
    let fields: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    let idle = fields.get(3)? + fields.get(4)?;
    // The last two are counted in the first two already.
    let all: f64 = fields.iter().take(8).sum();
    Some((all - idle, all))
}

/// Resident memory of this process, in MiB; `None` where it cannot be read.
pub(crate) fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// One line about this machine, for the end of the table.
pub(crate) fn describe(before: Option<f64>, after: Option<f64>) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let percent = |share: Option<f64>| {
        share.map_or("?".to_owned(), |share| format!("{:.0} %", share * 100.0))
    };
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?").to_owned();
    format!(
        "{cores} cores; other programs used {} of them before and {} after; load average {load}",
        percent(before),
        percent(after),
    )
}
