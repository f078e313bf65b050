//! How busy the machine is with other things.

use std::fs;
use std::thread;

/// Above this share of all cores, two threads cannot be compared with one.
pub(crate) const IDLE: f64 = 0.1;

/// Watches what other programs take of the cores.
pub(crate) struct Watch(Option<Ticks>);

/// Times of all cores together, since they started.
struct Ticks {
    all: f64,
    used: f64,
    /// By this process and its children.
    own: f64,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Ticks::read())
    }

    /// The share of all cores that others have used since; `None` where it cannot be read.
    pub(crate) fn others(&self) -> Option<f64> {
        let (before, after) = (self.0.as_ref()?, Ticks::read()?);
        let used = (after.used - before.used) - (after.own - before.own);
        Some((used / (after.all - before.all).max(1.0)).max(0.0))
    }
}

impl Ticks {
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        let fields = numbers(stat.lines().next()?);
        // The last two are counted in the first two already.
        let all: f64 = fields.iter().take(8).sum();
        let idle = fields.get(3)? + fields.get(4)?;
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // After the name, which may have spaces: state, then numbers from the parent's id on.
        let own = numbers(own.rsplit_once(')')?.1);
        Some(Self { all, used: all - idle, own: own.get(10..14)?.iter().sum() })
    }
}

/// The fields after the first that are numbers.
fn numbers(line: &str) -> Vec<f64> {
    line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect()
}

/// Resident memory of this process, in MiB; `None` where it cannot be read.
pub(crate) fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}

/// On how many cores this process may run: `taskset` makes them fewer.
pub(crate) fn setting() -> String {
    match thread::available_parallelism().map_or(0, usize::from) {
        1 => "one core (`taskset -c 0`)".to_owned(),
        cores => format!("{cores} cores"),
    }
}

/// One line about this machine, for the end of the tables.
pub(crate) fn describe(watch: &Watch) -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?").to_owned();
    let others = percent(watch.others());
    format!("{}; other programs used {others} of the machine; load average {load}", setting())
}

pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or("?".to_owned(), |share| format!("{:.0} %", share * 100.0))
}
