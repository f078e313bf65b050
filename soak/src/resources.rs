//! What the process uses.

use std::fmt;
use std::fs;

use tokio::runtime::Handle;

/// Tasks and open files, sockets among them.
pub(crate) struct Usage {
    tasks: usize,
    /// `None` where the system does not tell.
    files: Option<usize>,
}

impl Usage {
    pub(crate) fn now() -> Self {
        let files = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
        Self { tasks: Handle::current().metrics().num_alive_tasks(), files }
    }

    pub(crate) fn is_at_most(&self, other: &Self) -> bool {
        self.tasks <= other.tasks && self.files <= other.files
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks", self.tasks)?;
        match self.files {
            Some(files) => write!(f, ", {files} open files"),
            None => Ok(()),
        }
    }
}

/// Resident memory, sampled at even distances, in MiB.
#[derive(Default)]
pub(crate) struct Memory(Vec<f64>);

impl Memory {
    pub(crate) fn sample(&mut self) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
        self.0.extend(kib.map(|found| found / 1024.0));
    }

    /// How much more there is in the last third than in the second: in the first, caches fill.
    pub(crate) fn growth(&self) -> f64 {
        let third = self.0.len() / 3;
        if third == 0 {
            return 0.0;
        }
        median(&self.0[2 * third..]) - median(&self.0[third..2 * third])
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let third = self.0.len() / 3;
        for (part, name) in self.0.chunks(third.max(1)).zip(["first", "second", "last"]) {
            write!(f, "{name} third {:.1} MiB, ", median(part))?;
        }
        write!(f, "growth {:.1} MiB", self.growth())
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
